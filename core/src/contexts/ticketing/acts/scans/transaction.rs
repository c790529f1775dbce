//! One transaction for a group of scans: lock, read, decide, write, publish.
//!
//! No two scans of a group have the same ticket or the same id, so each is decided as if it were
//! alone.

use std::sync::Arc;

use eventify_contracts::ticketing::{TicketCheckInChanged, TicketCheckedIn};
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::CheckInId;
use eventify_protocol::keys::KeySet;
use eventify_sync::core::Effect;
use eventify_sync::core::admission::ScanIdReused;

use super::Queued;
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::acts::{Error, keys};
use crate::contexts::ticketing::model::{ScanAnswer, Snapshot, Ticket};
use crate::contexts::ticketing::{NAME, store};

/// What the transaction did with one scan.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered(Box<ScanAnswer>),
    /// The token is to be verified with the key set that is in force now.
    KeysChanged(Arc<KeySet>),
    /// Another transaction has locked the ticket, and this one did not wait.
    TicketLocked,
}

/// Decides a group. `waits`: for tickets that other transactions have locked.
///
/// An error is the whole group's: nothing was written.
pub(super) async fn run(
    app: &App,
    group: &[Queued],
    waits: bool,
) -> Result<Vec<Result<Outcome, Error>>, Error> {
    let Some(first) = group.first() else {
        return Ok(Vec::new());
    };
    let mut tx = app.db.begin(NAME, &first.cause).await?;
    let tickets: Vec<_> = group.iter().filter_map(|it| it.request.ticket()).collect();
    let locked = store::lock_tickets_of_scans(&mut tx, &tickets, waits).await?;
    let snapshots = snapshots(&mut tx, group).await?;
    let mut outcomes = Vec::with_capacity(group.len());
    for (Queued { request, .. }, snapshot) in group.iter().zip(snapshots) {
        let ticket = snapshot.ticket.as_ref();
        outcomes.push(if ticket.is_some_and(|it| !locked.contains(&it.id)) {
            Ok(Outcome::TicketLocked)
        } else if request.is_outdated(snapshot.keys) {
            Ok(Outcome::KeysChanged(keys::in_force(app, &mut tx).await?))
        } else {
            let answer = request.evaluate(snapshot, app.clock.now());
            answer
                .map(|answer| Outcome::Answered(Box::new(answer)))
                .map_err(Error::from)
        });
    }
    write(app, tx, group, &outcomes).await?;
    Ok(outcomes)
}

async fn snapshots(tx: &mut Tx, group: &[Queued]) -> DbResult<Vec<Snapshot>> {
    let requests: Vec<_> = group.iter().map(|queued| &queued.request).collect();
    let mut snapshots = store::find_snapshots(tx, &requests).await?;
    let replaceable: Vec<_> = requests
        .iter()
        .zip(&snapshots)
        .filter_map(|(request, snapshot)| request.may_replace(snapshot))
        .collect();
    if replaceable.is_empty() {
        return Ok(snapshots);
    }
    let mut conflicts = store::list_conflicts(tx, &replaceable).await?;
    for (request, snapshot) in requests.iter().zip(&mut snapshots) {
        if let Some(ticket) = request.may_replace(snapshot) {
            let all = conflicts.remove(&ticket).unwrap_or_default();
            snapshot.conflicts = all.into_iter().map(|it| it.conflict).collect();
        }
    }
    Ok(snapshots)
}

async fn write(
    app: &App,
    mut tx: Tx,
    group: &[Queued],
    outcomes: &[Result<Outcome, Error>],
) -> Result<(), Error> {
    let (mut scans, mut check_ins, mut entered) = (Vec::new(), Vec::new(), Vec::new());
    for (queued, outcome) in group.iter().zip(outcomes) {
        let Ok(Outcome::Answered(answer)) = outcome else {
            continue;
        };
        scans.extend(&answer.record);
        if let (Some(effect), Some(ticket)) = (&answer.effect, &answer.ticket) {
            check_ins.push((CheckInId(app.clock.new_id()), ticket));
            entered.push((queued, effect));
        }
    }
    if scans.is_empty() {
        return Ok(());
    }
    let written = store::upsert_decided(&mut tx, &scans, &check_ins).await?;
    // Another transaction has used the id for something else since it was read.
    if let Some(scan) = scans.iter().find(|scan| !written.contains(&scan.id)) {
        return Err(ScanIdReused(scan.id).into());
    }
    for ((id, ticket), (queued, effect)) in check_ins.into_iter().zip(entered) {
        publish(app, &mut tx, queued, effect, (id, ticket));
    }
    Ok(tx.commit().await?)
}

fn publish(
    app: &App,
    tx: &mut Tx,
    Queued { request, cause, .. }: &Queued,
    effect: &Effect,
    (check_in_id, ticket): (CheckInId, &Ticket),
) {
    let message = app.clock.new_id();
    if matches!(effect, Effect::Move { .. }) {
        let event = TicketCheckInChanged {
            ticket_id: ticket.id,
            ticket: ticket.facts(),
        };
        tx.publish_for(cause, message, ticket.version, &event);
        return;
    }
    let device = request.device.clone();
    let event = TicketCheckedIn {
        check_in_id,
        ticket_id: ticket.id,
        checked_in_at: ticket.updated_at,
        device_id: device.unwrap_or_else(|| request.scanner.to_string()),
        reason: request.out_of_hours.clone(),
        from_journal: false,
        ticket: ticket.facts(),
    };
    tx.publish_for(cause, message, ticket.version, &event);
}
