//! What the other contexts' events say to the venues' feeds. Each is noted with its message; the
//! writer writes the entries and settles the publisher's outbox.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use eventify_protocol::ids::VenueId;
use eventify_protocol::sync::FeedEntry;
use serde_json::json;

use super::{COMPARE_FEED, WRITE_FEED};
use crate::contexts::fleet::App;
use crate::contexts::fleet::api;
use crate::contexts::fleet::model::alarm::Alarm;
use crate::contexts::fleet::model::facts;
use crate::contexts::fleet::store::pending::{self, Origin, Said};
use crate::contexts::fleet::store::{batches, comparisons, conflicts, feed, nodes, venues};
use eventify_contracts::event_management::{PerformanceCancelled, PerformanceScheduled};
use eventify_contracts::inventory::{VenueCreated, VenueFacts, VenueUpdated};
use eventify_contracts::ticketing::{
    CheckInConflict, JournalApplied, KeysChanged, ScanSuspected, TicketCheckInChanged,
    TicketCheckedIn, TicketFacts, TicketIssued, TicketRevoked, TicketsRestated, TicketsStated,
};
use eventify_kernel::db::{DbResult, Tx};
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;

const EVENT_MANAGEMENT: &str = "event_management";
const TICKETING: &str = "ticketing";

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
    api::venues::ensure(app, tx, venue).await?;
    venues::describe(tx, venue, &facts.name, facts.owner_id, version).await
}

pub(super) async fn on_performance_scheduled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceScheduled>,
) -> Result<(), Failure> {
    let entry = facts::of_performance(&event.data, event.aggregate_version);
    let origin = Origin {
        message: event.id,
        source: EVENT_MANAGEMENT,
    };
    Ok(note(app, tx, origin, vec![(event.data.venue_id, entry)]).await?)
}

pub(super) async fn on_performance_cancelled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceCancelled>,
) -> Result<(), Failure> {
    let entry = facts::of_cancelled(&event.data, event.aggregate_version);
    let origin = Origin {
        message: event.id,
        source: EVENT_MANAGEMENT,
    };
    Ok(note(app, tx, origin, vec![(event.data.venue_id, entry)]).await?)
}

pub(super) async fn on_tickets_issued(
    app: &App,
    tx: &mut Tx,
    events: Vec<Received<TicketIssued>>,
) -> Result<(), Failure> {
    let said = said(&events, |issued| &issued.tickets);
    Ok(note_all(app, tx, said).await?)
}

pub(super) async fn on_tickets_revoked(
    app: &App,
    tx: &mut Tx,
    events: Vec<Received<TicketRevoked>>,
) -> Result<(), Failure> {
    let said = said(&events, |revoked| std::slice::from_ref(&revoked.ticket));
    Ok(note_all(app, tx, said).await?)
}

pub(super) async fn on_tickets_checked_in(
    app: &App,
    tx: &mut Tx,
    events: Vec<Received<TicketCheckedIn>>,
) -> Result<(), Failure> {
    let said = said(&events, |checked_in| {
        std::slice::from_ref(&checked_in.ticket)
    });
    Ok(note_all(app, tx, said).await?)
}

pub(super) async fn on_check_ins_changed(
    app: &App,
    tx: &mut Tx,
    events: Vec<Received<TicketCheckInChanged>>,
) -> Result<(), Failure> {
    let said = said(&events, |changed| std::slice::from_ref(&changed.ticket));
    Ok(note_all(app, tx, said).await?)
}

/// What messages of ticketing say of tickets.
fn said<E>(events: &[Received<E>], tickets_of: fn(&E) -> &[TicketFacts]) -> Vec<Said> {
    let said = events.iter().map(|event| {
        let origin = Origin {
            message: event.id,
            source: TICKETING,
        };
        (origin, tickets(tickets_of(&event.data)))
    });
    said.collect()
}

/// The set goes to every venue. What it holds was signed by the root: fleet passes it on unread.
pub(super) async fn on_keys_changed(
    app: &App,
    tx: &mut Tx,
    event: Received<KeysChanged>,
) -> Result<(), Failure> {
    let KeysChanged {
        version, signed, ..
    } = event.data;
    let bytes = URL_SAFE_NO_PAD.decode(&signed).map_err(Failure::park)?;
    feed::lock_key_set(tx, true).await?;
    let mut entries = Vec::new();
    if feed::keep_key_set(tx, version, &bytes).await? {
        let venues = venues::all(tx).await?;
        let entry = facts::of_key_set(version, bytes);
        entries.extend(venues.into_iter().map(|venue| (venue, entry.clone())));
    }
    let origin = Origin {
        message: event.id,
        source: TICKETING,
    };
    Ok(note(app, tx, origin, entries).await?)
}

/// Outcomes are stored beside the rows; the acknowledgement follows when the feed holds the tickets.
pub(super) async fn on_journal_applied(
    app: &App,
    tx: &mut Tx,
    event: Received<JournalApplied>,
) -> Result<(), Failure> {
    let applied = event.data;
    let found = batches::of_rows(tx, applied.node_id, applied.incarnation, applied.from).await?;
    let (batch, venue) = found.ok_or_else(|| Failure::park("no such batch of journal rows"))?;
    let outcomes: Vec<_> = applied
        .outcomes
        .iter()
        .map(|row| {
            (
                row.seq,
                json!({ "class": row.class, "conflictId": row.conflict_id }),
            )
        })
        .collect();
    batches::note_outcomes(tx, &batch, &outcomes).await?;
    let origin = Origin {
        message: event.id,
        source: TICKETING,
    };
    note(app, tx, origin, tickets(&applied.tickets)).await?;
    pending::add_batch(tx, origin, venue, batch.id).await?;
    Ok(())
}

pub(super) async fn on_check_in_conflict(
    _app: &App,
    tx: &mut Tx,
    event: Received<CheckInConflict>,
) -> Result<(), Failure> {
    conflicts::note(tx, &event.data, event.aggregate_version).await?;
    Ok(())
}

/// The alarm that fleet raises itself where a message comes to it.
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
    let alarm = Alarm {
        code: code.into(),
        venue: node.as_ref().map(|node| node.venue_id),
        node: node.map(|node| node.node_id),
        details: json!({ "kind": "scan", "claimedNodeId": node_id, "gateId": gate_id }),
    };
    Ok(api::uplink::raise_with(app, tx, &alarm).await?)
}

/// A statement of sums is compared at once; one of tickets when the feed holds all before it.
pub(super) async fn on_tickets_stated(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketsStated>,
) -> Result<(), Failure> {
    let stated = event.data;
    if stated.tickets.is_none() {
        return Ok(api::comparison::weigh(app, tx, &stated).await?);
    }
    comparisons::add(tx, &stated).await?;
    tx.wake(app.jobs.wake(COMPARE_FEED));
    Ok(())
}

/// Repairs the feed by new entries.
pub(super) async fn on_tickets_restated(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketsRestated>,
) -> Result<(), Failure> {
    let restated = event.data;
    api::comparison::complain(app, tx, &restated).await?;
    let mut entries = tickets(&restated.tickets);
    let unknown = restated.unknown.iter().map(facts::of_unknown_ticket);
    entries.extend(unknown.map(|entry| (restated.venue_id, entry)));
    let origin = Origin {
        message: event.id,
        source: TICKETING,
    };
    note(app, tx, origin, entries).await?;
    Ok(pending::recount(tx, event.id).await?)
}

fn tickets(facts: &[TicketFacts]) -> Vec<(VenueId, FeedEntry)> {
    facts
        .iter()
        .map(|facts| (facts.venue_id, facts.entry()))
        .collect()
}

async fn note(
    app: &App,
    tx: &mut Tx,
    origin: Origin,
    entries: Vec<(VenueId, FeedEntry)>,
) -> DbResult<()> {
    note_all(app, tx, vec![(origin, entries)]).await
}

/// Notes messages' statements, or that they made none, and wakes the writer.
async fn note_all(app: &App, tx: &mut Tx, said: Vec<Said>) -> DbResult<()> {
    let entries = said.iter().flat_map(|(_, entries)| entries);
    let venues: BTreeSet<VenueId> = entries.map(|(venue, _)| *venue).collect();
    for venue in venues {
        api::venues::ensure(app, tx, venue).await?;
    }
    pending::add(tx, &said).await?;
    tx.wake(app.jobs.wake(WRITE_FEED));
    Ok(())
}
