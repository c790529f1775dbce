//! What time makes fleet do: write the feed, publish the key set, watch T, compare, compact.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use eventify_contracts::flows::FEEDING;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::outbox;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs};
use eventify_kernel::tasks::{Attempt, Outcome, Task};
use eventify_protocol::ids::VenueId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::acts::{
    alarms, comparison, feed as feed_acts, holders, notify, performances, renewal,
    scanners as scanner_acts, venues as venue_acts, watch,
};
use super::model::alarm::{Alarm, Code};
use super::store::{comparisons, feed, nodes, pending, sign_ins, snapshots};
use super::{App, NAME};

pub(crate) const WRITE_FEED: Job = Job::of(NAME, "write_feed").for_gates();
pub(crate) const PUBLISH_KEY_SET: Job = Job::of(NAME, "publish_key_set");
pub(crate) const WATCH_TRUTH: Job = Job::of(NAME, "watch_truth");
pub(crate) const WATCH_GATES: Job = Job::of(NAME, "watch_gates");
pub(crate) const NOTIFY: Job = Job::of(NAME, "notify");
pub(crate) const COMPARE_FEED: Job = Job::of(NAME, "compare_feed");
pub(crate) const WATCH_CERTIFICATES: Job = Job::of(NAME, "watch_certificates");
pub(crate) const REPEAT_SCANNER_ORDERS: Job = Job::of(NAME, "repeat_scanner_orders");
pub(crate) const PUBLISH_HOLDERS: Job = Job::of(NAME, "publish_holders");
pub(crate) const REPEAT_HOLDER_KEYS: Job = Job::of(NAME, "repeat_holder_keys");
pub(crate) const SEND_TIME_ZONES: Job = Job::of(NAME, "send_time_zones");
pub(crate) const RENEW_ROWS: Job = Job::of(NAME, "renew_rows");
pub(crate) const COMPACT_FEED: Job = Job::of(NAME, "compact_feed");

/// Safety net behind the wakes.
const WRITE_EVERY: Duration = Duration::from_secs(1);
const KEYS_EVERY: Duration = Duration::from_secs(30);
const WATCH_EVERY: Duration = Duration::from_secs(30);
/// As often as nodes report.
const GATES_EVERY: Duration = Duration::from_secs(10);
const NOTIFY_EVERY: Duration = Duration::from_secs(5);
/// How soon a statement is tried again that could not be compared yet.
const COMPARE_EVERY: Duration = Duration::from_secs(2);
const CERTIFICATES_EVERY: Duration = Duration::from_secs(3_600);
const ORDERS_EVERY: Duration = Duration::from_secs(10);
const HOLDERS_EVERY: Duration = Duration::from_secs(5);
const KEYS_REPEATED_EVERY: Duration = Duration::from_secs(60);
const RENEW_EVERY: Duration = Duration::from_secs(60);
const COMPACT_EVERY: Duration = Duration::from_secs(3_600);

/// How long the writer waits for more: changes that come within it cost no new election, and under
/// load they gather in batches.
const GATHER: Duration = Duration::from_millis(5);
/// The writer ends after this many looks that found nothing, beyond the first.
const MAX_IDLE_LOOKS: u32 = 4;
/// While changes come, the outboxes are marked this often: T stands still meanwhile, far less long
/// than a node tolerates (ADMISSION 1.3), and each marking is two commits.
const MARK_EVERY: Duration = Duration::from_millis(50);

/// How far back a node's replica can be caught up entry by entry (ADMISSION 5.4).
const KEPT: TimeDelta = TimeDelta::hours(24);

/// A message that is retried twice holds T back for a minute.
const MAX_TRUTH_LAG_SECONDS: u32 = 60;

pub(super) fn jobs() -> Jobs<App> {
    Jobs::new()
        .every(WRITE_EVERY, WRITE_FEED, write_feed)
        .every(KEYS_EVERY, PUBLISH_KEY_SET, publish_key_set)
        .every(WATCH_EVERY, WATCH_TRUTH, watch_truth)
        .every(GATES_EVERY, WATCH_GATES, watch_gates)
        .every(NOTIFY_EVERY, NOTIFY, notify_people)
        .every(COMPARE_EVERY, COMPARE_FEED, compare_feed)
        .every(CERTIFICATES_EVERY, WATCH_CERTIFICATES, watch_certificates)
        .every(ORDERS_EVERY, REPEAT_SCANNER_ORDERS, repeat_scanner_orders)
        .every(HOLDERS_EVERY, PUBLISH_HOLDERS, publish_holders)
        .every(KEYS_REPEATED_EVERY, REPEAT_HOLDER_KEYS, repeat_holder_keys)
        .tasks(send_time_zones)
        .every(RENEW_EVERY, RENEW_ROWS, renew_rows)
        .every(COMPACT_EVERY, COMPACT_FEED, compact_feed)
}

/// After an upgrade that changes the form of the feed's rows; else nothing.
async fn renew_rows(app: &App, cause: &Cause) -> Result<(), Failure> {
    Ok(performances::renew_rows(app, cause).await?)
}

/// Writes all that is pending. One process at a time runs it. What was written is marked also when the rest
/// can't be: the venues that have it don't wait for the others.
async fn write_feed(app: &App, cause: &Cause) -> Result<(), Failure> {
    let mut idle = 0;
    // The first marking is of all messages: an earlier run may have left some.
    let mut all = true;
    let mut unmarked = BTreeSet::new();
    let mut marked_at = app.clock.instant();
    let mut failed = None;
    while idle <= MAX_IDLE_LOOKS && failed.is_none() {
        let written = match feed_acts::write_batch(app, cause).await {
            Ok(written) => written,
            Err(error) => {
                failed = Some(error);
                BTreeSet::new()
            }
        };
        let busy = !written.is_empty();
        unmarked.extend(written);
        if busy {
            idle = 0;
        }
        let due = !busy || marked_at.elapsed() >= MARK_EVERY;
        if due && (all || !unmarked.is_empty()) {
            feed_acts::mark_projected(app, (!all).then_some(&unmarked)).await?;
            all = false;
            (marked_at, unmarked) = (app.clock.instant(), BTreeSet::new());
        }
        idle += 1;
        if idle <= MAX_IDLE_LOOKS && failed.is_none() {
            tokio::time::sleep(GATHER).await;
        }
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Publishes the key set in force to the venues, should its event be missing: key files can be
/// replaced while nothing runs.
async fn publish_key_set(app: &App, cause: &Cause) -> Result<(), Failure> {
    let Ok(keys) = app.keys.ring() else {
        return Ok(());
    };
    let bytes = keys.signed.as_bytes().to_vec();
    let mut tx = app.db.begin(NAME, cause).await?;
    let entries = venue_acts::key_set_entries(&mut tx, keys.set.version(), bytes).await?;
    if !entries.is_empty() {
        feed_acts::enqueue_own(app, &mut tx, entries).await?;
    }
    Ok(tx.commit().await?)
}

/// Raises an alarm for each venue whose T stands still: a committed change doesn't get into its feed, and
/// the caches of its nodes grow old (ADMISSION 1.3). It names what is stuck. One of no venue is for what
/// all of them wait for.
async fn watch_truth(app: &App, _: &Cause) -> Result<(), Failure> {
    let mut stuck = Stuck::new();
    for context in FEEDING {
        let mut conn = app.db.read(context).await?;
        let overdue = outbox::list_overdue(&mut conn, MAX_TRUTH_LAG_SECONDS).await?;
        drop(conn);
        for it in overdue {
            let venue = it.projection.map(VenueId);
            let details = json!({
                "seconds": it.seconds, "messages": it.messages,
                "oldest": { "of": context, "messageId": it.message_id, "type": it.kind },
            });
            note(&mut stuck, venue, it.seconds, details);
        }
    }
    let mut conn = app.db.read(NAME).await?;
    for it in pending::list_overdue(&mut conn, MAX_TRUTH_LAG_SECONDS).await? {
        let venue = Some(it.venue_id);
        let details = json!({
            "seconds": it.seconds, "messages": it.rows,
            "oldest": { "of": NAME, "messageId": it.message_id },
        });
        note(&mut stuck, venue, it.seconds, details);
    }
    let stuck = stuck.into_iter();
    let stuck: Vec<_> = stuck.map(|(venue, (_, it))| lag(venue, it)).collect();
    Ok(alarms::set_in(app, &mut conn, Code::TruthStandsStill, &stuck).await?)
}

/// By venue: for how many seconds the oldest change has waited, and what it is.
type Stuck = BTreeMap<Option<VenueId>, (i64, Value)>;

fn note(stuck: &mut Stuck, venue: Option<VenueId>, seconds: i64, details: Value) {
    let known = stuck.get(&venue);
    if known.is_none_or(|(oldest, _)| *oldest < seconds) {
        stuck.insert(venue, (seconds, details));
    }
}

fn lag(venue: Option<VenueId>, details: Value) -> Alarm {
    let alarm = Alarm::new(Code::TruthStandsStill).with(details);
    match venue {
        Some(venue) => alarm.of_venue(venue),
        None => alarm,
    }
}

/// Whether each gate that a show needs would let a guest in.
async fn watch_gates(app: &App, cause: &Cause) -> Result<(), Failure> {
    let watched = watch::watch_gates(app, cause).await;
    performances::watch_waiting(app).await?;
    Ok(watched?)
}

/// Mails what alarms have begun and ended.
async fn notify_people(app: &App, _: &Cause) -> Result<(), Failure> {
    notify::notify(app).await
}

/// Compares ticketing's statements with the feed.
async fn compare_feed(app: &App, cause: &Cause) -> Result<(), Failure> {
    Ok(comparison::compare_due(app, cause).await?)
}

/// Raises an alarm for each node that should have renewed its certificate and has not, and for each
/// authority that ends.
async fn watch_certificates(app: &App, _: &Cause) -> Result<(), Failure> {
    renewal::warn_of_authorities(app).await?;
    Ok(renewal::warn_of_ends(app).await?)
}

/// One transaction a venue: the long feed of one holds up the writer of no other.
async fn compact_venue(
    app: &App,
    cause: &Cause,
    venue: VenueId,
    before: DateTime<Utc>,
) -> Result<u64, Failure> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let entries = feed::compact(&mut tx, venue, before).await?;
    tx.commit().await?;
    Ok(entries)
}

/// Deletes entries that no node needs any more, and snapshots that none has pulled.
async fn compact_feed(app: &App, cause: &Cause) -> Result<(), Failure> {
    let before = app.clock.now() - KEPT;
    let mut tx = app.db.begin(NAME, cause).await?;
    let snapshots = snapshots::delete_unused(&mut tx, before).await?;
    let comparisons = comparisons::delete_before(&mut tx, before).await?;
    sign_ins::delete_before(&mut tx, before).await?;
    let venues = feed::list_compactable(&mut tx).await?;
    tx.commit().await?;
    let (mut entries, mut compacted) = (0, Ok(()));
    for venue in venues {
        match compact_venue(app, cause, venue, before).await {
            Ok(of_venue) => entries += of_venue,
            Err(error) => compacted = Err(error),
        }
    }
    tracing::info!(
        code = "fleet.feed_compacted",
        entries,
        snapshots,
        comparisons,
        "old entries, snapshots and statements were deleted"
    );
    compacted
}

/// Orders about scanners that a message was lost of.
async fn repeat_scanner_orders(app: &App, _cause: &Cause) -> Result<(), Failure> {
    Ok(scanner_acts::repeat(app).await?)
}

/// Names for venues whose staff may look for guests, and their end.
async fn publish_holders(app: &App, cause: &Cause) -> Result<(), Failure> {
    Ok(holders::publish(app, cause).await?)
}

/// A venue's clocks show another time: its nodes that are connected learn of it now, the others with their
/// next hello.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SendTimeZone {
    pub(crate) venue_id: VenueId,
}

impl Task for SendTimeZone {
    const JOB: Job = SEND_TIME_ZONES;

    fn key(&self) -> Uuid {
        self.venue_id.as_uuid()
    }
}

async fn send_time_zones(app: App, attempt: Attempt<SendTimeZone>) -> Result<Outcome, Failure> {
    let mut conn = app.db.read(NAME).await?;
    let nodes = nodes::list_enrolled(&mut conn, &[attempt.task.venue_id]).await?;
    drop(conn);
    for (_, node) in nodes {
        scanner_acts::send(&app, node).await?;
    }
    Ok(Outcome::Done)
}

/// Keys that a message was lost of.
async fn repeat_holder_keys(app: &App, _cause: &Cause) -> Result<(), Failure> {
    Ok(holders::repeat_keys(app).await?)
}
