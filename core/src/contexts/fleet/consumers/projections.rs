//! Other contexts' events, projected into the venues' feeds and fleet's own tables. Changes of a feed
//! are stored with their message; the writer turns them into entries and marks the publisher's outbox.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use eventify_contracts::inventory::{VenueCreated, VenueFacts, VenueUpdated};
use eventify_contracts::ticketing::{
    CheckInConflict, JournalApplied, KeysChanged, ScanSuspected, TicketCheckInChanged,
    TicketCheckedIn, TicketFacts, TicketIssued, TicketRevoked, TicketsCoded, TicketsReinstated,
    TicketsRestated, TicketsStated, TicketsSuspended,
};
use eventify_kernel::db::{DbResult, Tx};
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_protocol::ids::VenueId;
use eventify_protocol::sync::FeedEntry;
use serde_json::json;

use crate::contexts::fleet::acts::{alarms, comparison, feed, venues as venue_acts};
use crate::contexts::fleet::jobs::SendTimeZone;
use crate::contexts::fleet::model::alarm::{Alarm, Code};
use crate::contexts::fleet::model::entries;
use crate::contexts::fleet::store::pending::{self, Change, Origin};
use crate::contexts::fleet::store::{batches, comparisons, conflicts, nodes, venues};
use crate::contexts::fleet::{App, jobs};
use crate::contexts::ticketing;

pub(super) async fn on_venue_created(
    app: &App,
    tx: &mut Tx,
    event: Received<VenueCreated>,
) -> Result<(), Failure> {
    let VenueCreated { venue_id, facts } = event.data;
    Ok(describe(app, tx, venue_id, &facts, event.aggregate_version).await?)
}

pub(super) async fn on_venue_updated(
    app: &App,
    tx: &mut Tx,
    event: Received<VenueUpdated>,
) -> Result<(), Failure> {
    let VenueUpdated { venue_id, facts } = event.data;
    Ok(describe(app, tx, venue_id, &facts, event.aggregate_version).await?)
}

async fn describe(
    app: &App,
    tx: &mut Tx,
    venue: VenueId,
    facts: &VenueFacts,
    version: i32,
) -> DbResult<()> {
    venue_acts::ensure(app, tx, venue).await?;
    let moved = venues::update_description(tx, venue, facts, version).await?;
    if moved && !nodes::list_enrolled(tx, &[venue]).await?.is_empty() {
        tx.request(app, &SendTimeZone { venue_id: venue }).await?;
    }
    Ok(())
}

pub(super) async fn on_tickets_issued(
    app: &App,
    tx: &mut Tx,
    events: Vec<Received<TicketIssued>>,
) -> Result<(), Failure> {
    enqueue_tickets(app, tx, &events, |issued| &issued.tickets).await
}

/// Tickets of before there were short codes.
pub(super) async fn on_tickets_coded(
    app: &App,
    tx: &mut Tx,
    events: Vec<Received<TicketsCoded>>,
) -> Result<(), Failure> {
    enqueue_tickets(app, tx, &events, |coded| &coded.tickets).await
}

pub(super) async fn on_tickets_suspended(
    app: &App,
    tx: &mut Tx,
    events: Vec<Received<TicketsSuspended>>,
) -> Result<(), Failure> {
    enqueue_tickets(app, tx, &events, |it| &it.tickets).await
}

pub(super) async fn on_tickets_reinstated(
    app: &App,
    tx: &mut Tx,
    events: Vec<Received<TicketsReinstated>>,
) -> Result<(), Failure> {
    enqueue_tickets(app, tx, &events, |it| &it.tickets).await
}

pub(super) async fn on_tickets_revoked(
    app: &App,
    tx: &mut Tx,
    events: Vec<Received<TicketRevoked>>,
) -> Result<(), Failure> {
    enqueue_tickets(app, tx, &events, |it| std::slice::from_ref(&it.ticket)).await
}

pub(super) async fn on_tickets_checked_in(
    app: &App,
    tx: &mut Tx,
    events: Vec<Received<TicketCheckedIn>>,
) -> Result<(), Failure> {
    // Of those that a journal tells, the feed has the ticket from `ticketing.journal.applied`.
    enqueue_tickets(app, tx, &events, |it| match it.from_journal {
        true => &[],
        false => std::slice::from_ref(&it.ticket),
    })
    .await
}

pub(super) async fn on_check_ins_changed(
    app: &App,
    tx: &mut Tx,
    events: Vec<Received<TicketCheckInChanged>>,
) -> Result<(), Failure> {
    enqueue_tickets(app, tx, &events, |it| std::slice::from_ref(&it.ticket)).await
}

async fn enqueue_tickets<E>(
    app: &App,
    tx: &mut Tx,
    events: &[Received<E>],
    tickets_of: fn(&E) -> &[TicketFacts],
) -> Result<(), Failure> {
    let changes = events.iter().map(|event| {
        change(
            event,
            ticketing::NAME,
            ticket_entries(tickets_of(&event.data)),
        )
    });
    Ok(feed::enqueue(app, tx, &changes.collect::<Vec<_>>()).await?)
}

/// The set goes to every venue. It is signed by the root: fleet does not decode it.
pub(super) async fn on_keys_changed(
    app: &App,
    tx: &mut Tx,
    event: Received<KeysChanged>,
) -> Result<(), Failure> {
    let KeysChanged {
        version, signed, ..
    } = &event.data;
    let bytes = URL_SAFE_NO_PAD.decode(signed).map_err(Failure::park)?;
    let entries = venue_acts::key_set_entries(tx, *version, bytes).await?;
    let change = change(&event, ticketing::NAME, entries);
    Ok(feed::enqueue(app, tx, &[change]).await?)
}

/// Outcomes are stored beside the rows; the acknowledgement follows when the feed holds the tickets.
pub(super) async fn on_journal_applied(
    app: &App,
    tx: &mut Tx,
    event: Received<JournalApplied>,
) -> Result<(), Failure> {
    let applied = &event.data;
    let found =
        batches::find_starting_at(tx, applied.node_id, applied.incarnation, applied.from).await?;
    let found = found.ok_or_else(|| Failure::park("no such batch of journal rows"))?;
    let outcomes = applied.outcomes.iter().map(|row| {
        let outcome = json!({ "class": row.class, "conflictId": row.conflict_id });
        (row.seq, outcome)
    });
    batches::update_outcomes(tx, &found.batch, &outcomes.collect::<Vec<_>>()).await?;
    let change = change(&event, ticketing::NAME, ticket_entries(&applied.tickets));
    let origin = change.origin;
    feed::enqueue(app, tx, &[change]).await?;
    Ok(pending::insert_batch(tx, origin, found.venue_id, found.batch.batch_id).await?)
}

pub(super) async fn on_check_in_conflict(
    _app: &App,
    tx: &mut Tx,
    event: Received<CheckInConflict>,
) -> Result<(), Failure> {
    Ok(conflicts::upsert(tx, event.data, event.aggregate_version).await?)
}

/// The same alarm as of a message that fleet itself receives.
pub(super) async fn on_scan_suspected(
    app: &App,
    tx: &mut Tx,
    event: Received<ScanSuspected>,
) -> Result<(), Failure> {
    let ScanSuspected {
        node_id,
        gate_id,
        code,
        ..
    } = event.data;
    let node = match node_id {
        Some(id) => nodes::find(tx, id).await?,
        None => None,
    };
    let alarm = Alarm::new(Code::named(&code).unwrap_or(Code::ScanSuspected)).with(json!({
        "kind": "scan", "reason": code, "claimedNodeId": node_id, "gateId": gate_id,
    }));
    let alarm = match node {
        Some(node) => alarm.of_node(node.venue_id, node.node_id),
        None => alarm,
    };
    Ok(alarms::raise_in(app, tx, &alarm).await?)
}

/// A statement of sums is compared at once, one of tickets when the feed holds all before it.
pub(super) async fn on_tickets_stated(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketsStated>,
) -> Result<(), Failure> {
    let stated = event.data;
    if stated.tickets.is_none() {
        return Ok(comparison::compare_sums(app, tx, &stated).await?);
    }
    comparisons::insert(tx, &stated).await?;
    tx.wake(app.jobs.wake(jobs::COMPARE_FEED));
    Ok(())
}

/// Repairs the feed by new entries.
pub(super) async fn on_tickets_restated(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketsRestated>,
) -> Result<(), Failure> {
    let restated = &event.data;
    comparison::raise_difference(app, tx, restated).await?;
    let mut entries = ticket_entries(&restated.tickets);
    let unknown = restated.unknown.iter().map(entries::unknown_ticket);
    entries.extend(unknown.map(|entry| (restated.venue_id, entry)));
    let change = change(&event, ticketing::NAME, entries);
    feed::enqueue(app, tx, &[change]).await?;
    Ok(pending::mark_recount(tx, event.id).await?)
}

fn ticket_entries(tickets: &[TicketFacts]) -> Vec<(VenueId, FeedEntry)> {
    let entries = tickets.iter().map(|it| (it.venue_id, it.entry()));
    entries.collect()
}

pub(super) fn change<E>(
    event: &Received<E>,
    source: &'static str,
    entries: Vec<(VenueId, FeedEntry)>,
) -> Change {
    let origin = Origin {
        message: event.id,
        source,
    };
    Change { origin, entries }
}
