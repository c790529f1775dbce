//! What time makes fleet do: write the feed, pass the key set on, compact.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::api::uplink;
use crate::contexts::fleet::api::{self, feed as writing};
use crate::contexts::fleet::model::alarm::Alarm;
use crate::contexts::fleet::model::facts;
use crate::contexts::fleet::store::{comparisons, feed, snapshots, venues, watermark};
use eventify_kernel::cause::Cause;
use eventify_kernel::failure::Failure;

/// How long the writer stays for more: what comes within it costs no new election, and under load
/// entries gather in batches.
const GATHER: Duration = Duration::from_millis(5);
/// While entries come, the outboxes are settled this often: T stands still meanwhile, far less long
/// than a node may take for it (ADMISSION 1.3), and each settling is two commits.
const SETTLE_EVERY: Duration = Duration::from_millis(50);
/// Empty looks before it goes.
const PATIENCE: u32 = 4;

/// How far back a node's replica can be caught up entry by entry (ADMISSION 5.4).
const KEPT: TimeDelta = TimeDelta::hours(24);

/// A message that is retried twice holds T back for a minute.
const TRUTH_MAY_STAND: Duration = Duration::from_secs(60);

/// Writes everything that waits. One process at a time runs it.
pub(super) async fn write_feed(app: &App, cause: &Cause) -> Result<(), Failure> {
    let mut idle = 0;
    // The first settling is of all: an earlier run may have left something.
    let mut all = true;
    let mut unsettled = BTreeSet::new();
    let mut settled = app.clock.instant();
    while idle <= PATIENCE {
        let written = writing::write_batch(app, cause).await?;
        let busy = !written.is_empty();
        unsettled.extend(written);
        if busy {
            idle = 0;
        }
        let due = !busy || settled.elapsed() >= SETTLE_EVERY;
        if due && (all || !unsettled.is_empty()) {
            writing::settle(app, (!all).then_some(&unsettled)).await?;
            all = false;
            (settled, unsettled) = (app.clock.instant(), BTreeSet::new());
        }
        idle += 1;
        if idle <= PATIENCE {
            tokio::time::sleep(GATHER).await;
        }
    }
    Ok(())
}

/// Gives the venues the key set that is in force, should its event not have come: key files can be
/// replaced while nothing runs.
pub(super) async fn publish_key_set(app: &App, cause: &Cause) -> Result<(), Failure> {
    let Some((version, bytes)) = api::signing::key_set(app) else {
        return Ok(());
    };
    let mut tx = app.db.begin(NAME, cause).await?;
    feed::lock_key_set(&mut tx, true).await?;
    if !feed::keep_key_set(&mut tx, version, &bytes).await? {
        return Ok(());
    }
    let entry = facts::of_key_set(version, bytes);
    let entries: Vec<_> = venues::all(&mut tx)
        .await?
        .into_iter()
        .map(|venue| (venue, entry.clone()))
        .collect();
    api::venues::state(app, &mut tx, &entries).await?;
    tx.commit().await?;
    Ok(())
}

/// Raises an alarm while T stands still: something committed doesn't get into the feeds, and every
/// venue's nodes grow old (ADMISSION 1.3).
pub(super) async fn watch_truth(app: &App, cause: &Cause) -> Result<(), Failure> {
    let mut conn = app.db.read(NAME).await?;
    let any = venues::all(&mut conn).await?.into_iter().next();
    drop(conn);
    let Some(venue) = any else { return Ok(()) };
    let Some(mark) = watermark::read(app, cause, venue).await? else {
        return Ok(());
    };
    let standing = mark.core.since(mark.truth);
    if standing > TRUTH_MAY_STAND {
        let seconds = standing.as_secs();
        let alarm = Alarm::new("truth_stands_still").with(json!({ "seconds": seconds }));
        uplink::raise(app, &alarm).await?;
    }
    Ok(())
}

/// Judges what ticketing has stated of tickets that the feed seems to hold wrongly.
pub(super) async fn compare_feed(app: &App, cause: &Cause) -> Result<(), Failure> {
    Ok(api::comparison::judge_all(app, cause).await?)
}

/// Removes entries that no node needs any more, and snapshots that none has pulled.
pub(super) async fn compact_feed(app: &App, cause: &Cause) -> Result<(), Failure> {
    let before = app.clock.now() - KEPT;
    let mut tx = app.db.begin(NAME, cause).await?;
    let snapshots = snapshots::sweep(&mut tx, before).await?;
    let entries = feed::compact(&mut tx, before).await?;
    let comparisons = comparisons::forget(&mut tx, before).await?;
    tx.commit().await?;
    tracing::info!(entries, snapshots, comparisons, "feed compacted");
    Ok(())
}
