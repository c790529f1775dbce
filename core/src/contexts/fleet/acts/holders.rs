//! Names for venues whose staff may look for guests (ADMISSION 11): sealed into the feed when a performance
//! is near, and gone a day after it. The key goes first: what is left of an entry anywhere says nothing then.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;
use eventify_protocol::ids::{NodeId, PerformanceId, VenueId};
use eventify_protocol::sync::{Down, HOLDER_NONCE_BYTES, Holder, HolderKey, HolderKeys};

use super::{feed, messages};
use crate::contexts::fleet::model::holders as model;
use crate::contexts::fleet::store::holders::{self, Pass, StoredKey};
use crate::contexts::fleet::store::{nodes, performances};
use crate::contexts::fleet::{App, NAME};
use crate::contexts::order::api::{self as order, HolderPage, TicketHolder};

/// Holders read and written in one transaction.
const PAGE: u32 = 500;
/// Pages of one run: the feed's writer, on which gates wait, is never far behind.
const PAGES_A_RUN: usize = 4;
/// A change may be committed so long after its own time.
const OVERLAP: TimeDelta = TimeDelta::seconds(60);

/// Begins, goes on and ends: one process at a time runs it.
pub(crate) async fn publish(app: &App, cause: &Cause) -> DbResult<()> {
    let changed = derive_keys(app, cause).await?;
    if !changed.is_empty() {
        let venues: Vec<_> = changed.into_iter().collect();
        let mut conn = app.db.read(NAME).await?;
        let enrolled = nodes::list_enrolled(&mut conn, &venues).await?;
        drop(conn);
        for (venue, node) in enrolled {
            send_keys(app, venue, node).await?;
        }
    }
    let mut pages = delete_ended(app, cause).await?;
    let mut conn = app.db.read(NAME).await?;
    let keys = holders::list_keys(&mut conn).await?;
    drop(conn);
    for stored in keys {
        while pages < PAGES_A_RUN && read_page(app, cause, stored.key.performance).await? {
            pages += 1;
        }
    }
    Ok(())
}

/// Makes and wipes keys, by what the venues want and what is played. Returns the venues whose nodes are to be
/// told.
async fn derive_keys(app: &App, cause: &Cause) -> DbResult<BTreeSet<VenueId>> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let near = performances::list_searchable(&mut tx, now - model::AFTER, now + model::AHEAD);
    let near: BTreeMap<PerformanceId, _> = near
        .await?
        .into_iter()
        .filter_map(|it| Some((it.id, (it.venue, model::wipe_at(&it, now)?))))
        .collect();
    let mut changed = BTreeSet::new();
    for stored in holders::list_keys(&mut tx).await? {
        let performance = stored.key.performance;
        if !near.contains_key(&performance) {
            holders::delete_key(&mut tx, performance).await?;
            changed.insert(stored.venue);
            tracing::info!(code = "fleet.holders_wiped", venue_id = %stored.venue,
                performance_id = %performance, "the key of a performance's guests was wiped");
        }
    }
    for (performance, (venue, wipe_at)) in near {
        let key = HolderKey::from_bytes(app.clock.random_bytes());
        if holders::upsert_key(&mut tx, (venue, performance), &key, wipe_at).await? {
            changed.insert(venue);
        }
    }
    tx.commit().await?;
    Ok(changed)
}

/// Takes entries out of the feed that nobody can read any more. Returns how many pages that was.
async fn delete_ended(app: &App, cause: &Cause) -> DbResult<usize> {
    for pages in 0..PAGES_A_RUN {
        let mut tx = app.db.begin(NAME, cause).await?;
        let ended = holders::take_without_key(&mut tx, i64::from(PAGE)).await?;
        if ended.is_empty() {
            return Ok(pages);
        }
        let versions = holders::next_versions(&mut tx, ended.len()).await?;
        let entries = ended.into_iter().zip(versions);
        let entries =
            entries.map(|((venue, ticket), version)| (venue, model::deletion((ticket, version))));
        feed::enqueue_own(app, &mut tx, entries.collect()).await?;
        tx.commit().await?;
    }
    Ok(PAGES_A_RUN)
}

/// Reads the next page of a performance's holders and writes those that have changed. False at the end.
async fn read_page(app: &App, cause: &Cause, performance: PerformanceId) -> DbResult<bool> {
    // Before the page: what it does not show yet is read by the next pass.
    let began = order::now(app).await?;
    let mut tx = app.db.begin(NAME, cause).await?;
    let Some(stored) = holders::lock_key(&mut tx, performance).await? else {
        return Ok(false);
    };
    let pass = Pass {
        began: stored.pass.began.or(Some(began)),
        ..stored.pass
    };
    let page = HolderPage {
        performance,
        since: pass.since,
        after: pass.after,
        limit: PAGE,
    };
    let read = order::holders(app, page).await?;
    let is_last = read.len() < PAGE as usize;
    let next = if is_last {
        Pass {
            since: pass.began.map(|began| began - OVERLAP),
            ..Pass::default()
        }
    } else {
        let after = read.last().map(|holder| holder.ticket);
        Pass { after, ..pass }
    };
    write_changed(app, &mut tx, &stored, read).await?;
    holders::update_pass(&mut tx, performance, next).await?;
    tx.commit().await?;
    Ok(!is_last)
}

async fn write_changed(
    app: &App,
    tx: &mut eventify_kernel::db::Tx,
    stored: &StoredKey,
    read: Vec<TicketHolder>,
) -> DbResult<()> {
    let tickets: Vec<_> = read.iter().map(|holder| holder.ticket).collect();
    let known = holders::list_contents(tx, &tickets).await?;
    let changed: Vec<_> = read
        .into_iter()
        .map(|it| {
            let content = model::content(&stored.key.key, it.order, it.name.as_deref());
            (it, content)
        })
        .filter(|(it, content)| known.get(&it.ticket) != Some(content))
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let written: Vec<_> = changed
        .iter()
        .map(|(it, content)| (it.ticket, *content))
        .collect();
    holders::upsert(tx, (stored.venue, stored.key.performance), &written).await?;
    let versions = holders::next_versions(tx, changed.len()).await?;
    let entries = changed.into_iter().zip(versions);
    let entries = entries.map(|((it, _), version)| {
        let mut nonce = [0; HOLDER_NONCE_BYTES];
        nonce.copy_from_slice(&app.clock.random_bytes()[..HOLDER_NONCE_BYTES]);
        let holder = Holder {
            order: it.order,
            name: it.name,
        };
        let entry = model::entry(&stored.key, (it.ticket, version), &holder, nonce);
        (stored.venue, entry)
    });
    feed::enqueue_own(app, tx, entries.collect()).await
}

/// Sends a node the keys that it may have. Where search was switched off, none.
pub(crate) async fn send_keys(app: &App, venue: VenueId, node: NodeId) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    let keys = holders::list_keys_of(&mut conn, venue).await?;
    drop(conn);
    let keys = HolderKeys {
        keys: keys.unwrap_or_default(),
    };
    messages::send(app, node, Down::HolderKeys(keys)).await;
    Ok(())
}

/// The same to a node that has just been welcomed, where the venue has search on.
pub(crate) async fn greet(app: &App, venue: VenueId, node: NodeId) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    let keys = holders::list_keys_of(&mut conn, venue).await?;
    drop(conn);
    if let Some(keys) = keys {
        messages::send(app, node, Down::HolderKeys(HolderKeys { keys })).await;
    }
    Ok(())
}

/// To all nodes of venues that have keys: a message may have been lost.
pub(crate) async fn repeat_keys(app: &App) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    let nodes = holders::list_nodes(&mut conn).await?;
    drop(conn);
    for (venue, node) in nodes {
        send_keys(app, venue, node).await?;
    }
    Ok(())
}
