//! The nodes' journals: each file's rows are applied in their order, whatever order its batches come
//! in (`ADMISSION` 4, 7).

use std::collections::{BTreeMap, BTreeSet};

use eventify_contracts::ticketing::{JournalApplied, RowOutcome, TicketCheckedIn};
use eventify_kernel::db::{DbError, DbResult, Tx};
use eventify_protocol::ids::{CheckInId, PerformanceId, ScanId, TicketId};
use eventify_protocol::sync::{JournalEntry, SealedRow};
use eventify_sync::core::{CheckIn, ConflictKind, Evidence};

use super::Error;
use crate::contexts::ticketing::model::{
    Batch, Changes, Entered, Performance, PublishedConflict, Reconciliation, StoredEntries, Ticket,
    date,
};
use crate::contexts::ticketing::{App, store};

/// Applies a batch and those that waited for it. One that comes before its turn waits.
pub(crate) async fn accept(app: &App, tx: &mut Tx, batch: &Batch) -> Result<(), Error> {
    let (node, incarnation) = (batch.node, batch.incarnation);
    let mut through = store::lock_journal(tx, node, incarnation).await?;
    if batch.from > through {
        store::insert_batch(tx, batch).await?;
    }
    while let Some(next) = store::take_batch(tx, node, incarnation, through + 1).await? {
        apply(app, tx, &next).await?;
        store::update_journal(tx, &next).await?;
        through = next.through;
    }
    Ok(())
}

async fn apply(app: &App, tx: &mut Tx, batch: &Batch) -> Result<(), Error> {
    let rows = batch.rows.iter().map(|bytes| SealedRow::read(bytes));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let mut reconciliation = load(app, tx, batch, &rows).await?;
    let outcomes: Vec<_> = rows
        .iter()
        .filter_map(|row| reconciliation.apply(row, || app.clock.new_id()))
        .collect();
    let changes = reconciliation.derive_changes();
    write(app, tx, &changes).await?;
    publish_entered(app, tx, changes.entered.clone()).await?;
    Ok(publish(app, tx, batch, outcomes, &changes)?)
}

/// Locks the tickets that the rows are about, and reads what is stored of them and their scans.
async fn load(
    app: &App,
    tx: &mut Tx,
    batch: &Batch,
    rows: &[SealedRow],
) -> DbResult<Reconciliation> {
    // Of scans whose row names no ticket: it may be one that the core knows by the short code.
    let (mut tickets, mut unnamed, mut scans) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for row in rows {
        match &row.row().entry {
            JournalEntry::Opened { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_)
            | JournalEntry::GateChanged(_) => {}
            JournalEntry::Overridden(act) => {
                tickets.insert(act.ticket);
                scans.insert(act.scan);
            }
            JournalEntry::Undone(act) => {
                tickets.insert(act.ticket);
                scans.insert(act.scan);
            }
            JournalEntry::Left(act) => {
                tickets.insert(act.ticket);
                scans.insert(act.entry);
            }
            JournalEntry::Decision(decision) => {
                match decision.ticket {
                    Some(ticket) => drop(tickets.insert(ticket)),
                    None => unnamed.push(decision.scan),
                }
                scans.insert(decision.scan);
            }
            JournalEntry::Voided { scan, .. } => unnamed.push(*scan),
        }
    }
    let of_unnamed = store::list_scans(tx, &unnamed).await?;
    tickets.extend(of_unnamed.values().filter_map(|scan| scan.ticket));
    scans.extend(unnamed);
    let tickets: Vec<TicketId> = tickets.into_iter().collect();
    let locked = store::lock_tickets(tx, &tickets).await?;
    let conflicts = store::list_conflicts(tx, &tickets).await?;
    scans.extend(entries(&locked, &conflicts));
    let scans: Vec<ScanId> = scans.into_iter().collect();
    let scans = store::list_scans(tx, &scans).await?;
    let stored = stored_entries(tx, &locked, conflicts).await?;
    let (sender, now) = ((batch.node, batch.venue), app.clock.now());
    Ok(Reconciliation::new(sender, now, locked, stored, scans))
}

/// With the passages that are over, and the shows that begin again.
async fn stored_entries(
    tx: &mut Tx,
    tickets: &[Ticket],
    mut conflicts: BTreeMap<TicketId, Vec<PublishedConflict>>,
) -> DbResult<BTreeMap<TicketId, StoredEntries>> {
    let ids: Vec<TicketId> = tickets.iter().map(|it| it.id).collect();
    let mut ended = store::list_passage_ends(tx, &ids).await?;
    let shows: BTreeSet<PerformanceId> = tickets.iter().map(|it| it.performance_id).collect();
    let shows: Vec<PerformanceId> = shows.into_iter().collect();
    let shows = store::list_performances(tx, &shows).await?;
    let stored = tickets.iter().map(|ticket| {
        let show = shows.get(&ticket.performance_id);
        let stored = StoredEntries {
            conflicts: conflicts.remove(&ticket.id).unwrap_or_default(),
            ended: ended.remove(&ticket.id).unwrap_or_default(),
            restarts_at: show.and_then(Performance::restart),
        };
        (ticket.id, stored)
    });
    Ok(stored.collect())
}

/// The scans of check-ins and conflicts.
fn entries<'a>(
    tickets: &'a [Ticket],
    conflicts: &'a BTreeMap<TicketId, Vec<PublishedConflict>>,
) -> impl Iterator<Item = ScanId> + 'a {
    let check_ins = tickets.iter().filter_map(|ticket| ticket.check_in);
    let conflicts = conflicts.values().flatten().map(|it| it.conflict.entry);
    check_ins.chain(conflicts).map(|entry| entry.scan)
}

async fn write(app: &App, tx: &mut Tx, changes: &Changes) -> DbResult<()> {
    let dissolved: Vec<_> = changes.dissolved.iter().map(|it| it.id).collect();
    store::delete_conflicts(tx, &dissolved).await?;
    let id = || CheckInId(app.clock.new_id());
    store::insert_passage_ends(tx, &changes.ended, id).await?;
    store::replace_check_ins(tx, &changes.tickets, id).await?;
    store::update_tickets(tx, &changes.tickets).await?;
    store::upsert_conflicts(tx, &changes.conflicts, app.clock.now()).await?;
    store::upsert_scans(tx, &changes.scans).await
}

/// Each entry once, in the journals' order: what becomes of it later (another one was earlier, its row comes
/// again) is published as what it is.
async fn publish_entered(app: &App, tx: &mut Tx, mut entered: Vec<Entered>) -> DbResult<()> {
    let scans: Vec<ScanId> = entered.iter().map(|it| it.entry.scan).collect();
    let new = store::mark_told(tx, &scans).await?;
    entered.retain(|it| new.contains_key(&it.entry.scan));
    entered.sort_by_key(|it| (it.entry.at.earliest, row_of(&it.entry)));
    for Entered {
        entry,
        scanner,
        ticket,
    } in entered
    {
        let version = ticket.version;
        let event = TicketCheckedIn {
            check_in_id: new[&entry.scan],
            ticket_id: ticket.ticket_id,
            checked_in_at: date(entry.at.earliest),
            device_id: scanner.map_or_else(String::new, |it| it.to_string()),
            reason: None,
            from_journal: true,
            ticket,
        };
        tx.publish(app.clock.new_id(), version, &event);
    }
    Ok(())
}

fn row_of(entry: &CheckIn) -> Option<u64> {
    match entry.evidence {
        Evidence::Journal(row) | Evidence::Override(row) => Some(row.seq),
        Evidence::Unconfirmed | Evidence::Api => None,
    }
}

fn publish(
    app: &App,
    tx: &mut Tx,
    batch: &Batch,
    outcomes: Vec<RowOutcome>,
    changes: &Changes,
) -> DbResult<()> {
    // A supervisor's own word is nothing that somebody has to look at.
    let is_known = |it: &&PublishedConflict| it.conflict.kind == ConflictKind::Override;
    for conflict in changes.conflicts.iter().filter(|it| !is_known(it)) {
        tx.publish(app.clock.new_id(), conflict.version, &conflict.event(false));
    }
    for conflict in changes.dissolved.iter().filter(|it| !is_known(it)) {
        tx.publish(app.clock.new_id(), conflict.version, &conflict.event(true));
    }
    for (version, admitted) in &changes.refunded {
        tx.publish(app.clock.new_id(), *version, admitted);
    }
    let tickets = changes.tickets.iter().chain(&changes.unchanged);
    let event = JournalApplied {
        node_id: batch.node,
        incarnation: batch.incarnation,
        from: batch.from,
        through: batch.through,
        outcomes,
        tickets: tickets.map(Ticket::facts).collect(),
    };
    let version = i32::try_from(batch.through).map_err(DbError::impossible_row)?;
    tx.publish(app.clock.new_id(), version, &event);
    Ok(())
}
