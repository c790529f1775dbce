//! Applying the nodes' journals: each file's rows in their order, whatever order its batches come
//! in (ADMISSION 4, 7).

use std::collections::{BTreeMap, BTreeSet};

use eventify_protocol::ids::{CheckInId, ScanId, TicketId};
use eventify_protocol::sync::{JournalEntry, SealedRow};

use super::Error;
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::model::{Batch, Changes, KnownConflict, Ledger, Ticket};
use crate::contexts::ticketing::store;
use eventify_contracts::ticketing::{JournalApplied, RowOutcome};
use eventify_kernel::db::{DbError, DbResult, Tx};

/// Applies a batch, and those that waited for it; one that comes before its turn is kept.
pub(crate) async fn accept(app: &App, tx: &mut Tx, batch: &Batch) -> Result<(), Error> {
    let (node, incarnation) = (batch.node, batch.incarnation);
    let mut through = store::lock_journal(tx, node, incarnation).await?;
    if batch.from > through {
        store::keep_batch(tx, batch).await?;
    }
    while let Some(next) = store::take_batch(tx, node, incarnation, through + 1).await? {
        apply(app, tx, &next).await?;
        store::applied(tx, &next).await?;
        through = next.through;
    }
    Ok(())
}

async fn apply(app: &App, tx: &mut Tx, batch: &Batch) -> Result<(), Error> {
    let rows = batch.rows.iter().map(|bytes| SealedRow::read(bytes));
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let mut ledger = open(app, tx, batch, &rows).await?;
    let outcomes: Vec<_> = rows
        .iter()
        .filter_map(|row| ledger.apply(row, || app.clock.new_id()))
        .collect();
    let changes = ledger.close();
    write(app, tx, &changes).await?;
    Ok(tell(app, tx, batch, outcomes, &changes)?)
}

/// Locks the tickets that the rows are about, and reads what is known of them and their scans.
async fn open(app: &App, tx: &mut Tx, batch: &Batch, rows: &[SealedRow]) -> DbResult<Ledger> {
    let (mut tickets, mut voided, mut scans) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for row in rows {
        match &row.row().entry {
            JournalEntry::Opened { .. } => {}
            JournalEntry::Decision(decision) => {
                tickets.extend(decision.ticket);
                scans.insert(decision.scan);
            }
            JournalEntry::Voided { scan, .. } => voided.push(*scan),
        }
    }
    let known = store::scans(tx, &voided).await?;
    tickets.extend(known.values().filter_map(|scan| scan.ticket));
    scans.extend(voided);
    let tickets: Vec<TicketId> = tickets.into_iter().collect();
    let locked = store::lock_tickets(tx, &tickets).await?;
    let conflicts = store::conflicts(tx, &tickets).await?;
    scans.extend(entries(&locked, &conflicts));
    let scans: Vec<ScanId> = scans.into_iter().collect();
    let scans = store::scans(tx, &scans).await?;
    let now = app.clock.now();
    Ok(Ledger::new(
        batch.node,
        batch.venue,
        now,
        locked,
        conflicts,
        scans,
    ))
}

/// The scans behind check-ins and conflicts.
fn entries<'a>(
    tickets: &'a [Ticket],
    conflicts: &'a BTreeMap<TicketId, Vec<KnownConflict>>,
) -> impl Iterator<Item = ScanId> + 'a {
    let of_tickets = tickets
        .iter()
        .filter_map(|ticket| ticket.check_in.map(|entry| entry.scan));
    let of_conflicts = conflicts
        .values()
        .flatten()
        .map(|known| known.conflict.entry.scan);
    of_tickets.chain(of_conflicts)
}

async fn write(app: &App, tx: &mut Tx, changes: &Changes) -> DbResult<()> {
    let gone: Vec<_> = changes.dissolved.iter().map(|known| known.id).collect();
    store::drop_conflicts(tx, &gone).await?;
    store::save_check_ins(tx, &changes.tickets, || CheckInId(app.clock.new_id())).await?;
    store::save_tickets(tx, &changes.tickets).await?;
    for known in &changes.conflicts {
        store::save_conflict(tx, known, app.clock.now()).await?;
    }
    store::save_scans(tx, &changes.scans).await
}

fn tell(
    app: &App,
    tx: &mut Tx,
    batch: &Batch,
    outcomes: Vec<RowOutcome>,
    changes: &Changes,
) -> DbResult<()> {
    for known in &changes.conflicts {
        tx.publish(app.clock.new_id(), known.version, &known.event(false));
    }
    for known in &changes.dissolved {
        tx.publish(app.clock.new_id(), known.version, &known.event(true));
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
