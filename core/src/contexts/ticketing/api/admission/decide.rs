//! A group of scans in one transaction: lock, look, decide, write, tell.
//!
//! No two scans of a group are about the same ticket or have the same id, so each is decided as if it
//! were alone.

use std::collections::BTreeMap;

use eventify_protocol::ids::{CheckInId, TicketId};
use eventify_protocol::verdict::{DecidedBy, Verdict};
use eventify_sync::core::admission::{self, LockedState, Request, ScanIdReused};
use eventify_sync::core::{Conflict, Effect, ScanRecord};
use eventify_sync::token::TokenCheck;

use super::batches::Outcome;
use super::{Answered, Asked, Checked};
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::api::{Error, keys};
use crate::contexts::ticketing::model::{KnownConflict, Scan, Sight, Ticket};
use crate::contexts::ticketing::store::{Locked, Question};
use crate::contexts::ticketing::{NAME, store};
use eventify_contracts::ticketing::{TicketCheckInChanged, TicketCheckedIn};
use eventify_kernel::db::{DbResult, Tx};

type Conflicts = BTreeMap<TicketId, Vec<KnownConflict>>;

/// What a group has done with one of its scans.
#[derive(Debug)]
pub(super) enum Fate {
    Decided(Result<Outcome, Error>),
    /// Somebody has its ticket locked: the group didn't wait for it.
    Apart,
}

/// A decided scan that leaves a mark.
struct Mark {
    scan: Scan,
    /// The check-in that the ticket has now.
    admission: Option<(CheckInId, Effect, Ticket)>,
}

/// Decides a group. With `patient` it waits for tickets that others have locked.
///
/// An error is the whole group's: nothing was written.
pub(super) async fn decide(
    app: &App,
    group: &[Checked],
    patient: bool,
) -> Result<Vec<Fate>, Error> {
    let Some(first) = group.first() else {
        return Ok(Vec::new());
    };
    let mut tx = app.db.begin(NAME, &first.cause).await?;
    let tickets: Vec<_> = group.iter().filter_map(Checked::ticket).collect();
    let locked = store::lock_for_scans(&mut tx, &tickets, patient).await?;
    let questions: Vec<_> = group.iter().map(Checked::question).collect();
    let sights = store::look(&mut tx, &questions).await?;
    let conflicts = conflicts(&mut tx, group, &sights).await?;
    let mut fates = Vec::with_capacity(group.len());
    let mut marks = Vec::new();
    for (checked, sight) in group.iter().zip(sights) {
        fates.push(if !locked.holds(sight.ticket.as_ref()) {
            Fate::Apart
        } else if sight.keys.is_some_and(|version| version != checked.keys) {
            let in_force = keys::in_force(app, &mut tx).await?;
            Fate::Decided(Ok(Outcome::OtherKeys(in_force)))
        } else {
            Fate::Decided(
                checked
                    .judge(app, sight, &conflicts)
                    .map(|(answered, mark)| {
                        marks.extend(mark.map(|mark| (checked, mark)));
                        Outcome::Answered(Box::new(answered))
                    }),
            )
        });
    }
    write(app, tx, &marks).await?;
    Ok(fates)
}

/// The conflicts of tickets of which a scan may want another's place.
async fn conflicts(tx: &mut Tx, group: &[Checked], sights: &[Sight]) -> DbResult<Conflicts> {
    let tickets: Vec<_> = group
        .iter()
        .zip(sights)
        .filter(|(checked, _)| !checked.asked.replaces.is_empty())
        .filter_map(|(_, sight)| sight.ticket.as_ref())
        .filter(|ticket| ticket.check_in.is_some())
        .map(|ticket| ticket.id)
        .collect();
    if tickets.is_empty() {
        return Ok(Conflicts::new());
    }
    store::conflicts(tx, &tickets).await
}

/// Writes what was decided, and tells it.
async fn write(app: &App, mut tx: Tx, marks: &[(&Checked, Mark)]) -> Result<(), Error> {
    if marks.is_empty() {
        return Ok(());
    }
    let scans: Vec<_> = marks.iter().map(|(_, mark)| &mark.scan).collect();
    let admissions: Vec<_> = marks
        .iter()
        .filter_map(|(_, mark)| mark.admission.as_ref())
        .map(|(id, _, ticket)| (*id, ticket))
        .collect();
    let noted = store::note(&mut tx, &scans, &admissions).await?;
    // An id that somebody has used for something else, since it was looked for.
    if let Some(scan) = scans.iter().find(|scan| !noted.contains(&scan.id)) {
        return Err(ScanIdReused(scan.id).into());
    }
    for (checked, mark) in marks {
        if let Some((id, effect, ticket)) = &mark.admission {
            checked.tell(app, &mut tx, effect, *id, ticket);
        }
    }
    Ok(tx.commit().await?)
}

impl Checked {
    fn question(&self) -> Question {
        Question {
            scan: self.asked.scan,
            ticket: self.ticket(),
            gate: self.asked.gate,
            node: self.asked.node,
        }
    }

    /// The verdict, and what is to be written of it.
    fn judge(
        &self,
        app: &App,
        sight: Sight,
        conflicts: &Conflicts,
    ) -> Result<(Answered, Option<Mark>), Error> {
        let asked = &self.asked;
        if let Some(id) = asked.node {
            let node = sight.node.as_ref().ok_or(Error::UnknownNode(id))?;
            if node.revoked {
                return Err(Error::RevokedNode(id));
            }
        }
        let named = |ticket: &Ticket| TokenCheck::Signed(ticket.signed());
        let token = match &self.token {
            Some(token) => *token,
            None => sight
                .ticket
                .as_ref()
                .map(named)
                .ok_or(Error::NoSuchTicket)?,
        };
        let gate = sight.gate_for(asked.gate, asked.node.is_some());
        let foreign_gate = asked.node.is_some() && !sight.is_nodes_gate(asked.gate);
        if gate.is_none() {
            tracing::warn!(node = ?asked.node, gate = %asked.gate, "scan at a gate of somebody else");
        }
        let standing = sight
            .ticket
            .as_ref()
            .map(|ticket| ticket.standing(self.known(ticket, &sight, conflicts)));
        let entitlement = sight.ticket.as_ref().map(Ticket::entitlement);
        let decided = admission::decide(
            &asked.request(&token),
            &LockedState {
                scan: sight.scan.as_ref().map(|scan| &scan.record),
                ticket: entitlement.as_ref().zip(standing.as_ref()),
                gate,
                now: sight.now,
            },
        )?;
        let mut answered = Answered {
            verdict: decided.verdict,
            at: sight.now,
            epoch: sight.epoch,
            ticket: sight.ticket,
            foreign_gate,
        };
        let known = sight.scan.is_some_and(|scan| {
            scan.record.shown.is_some() || scan.record.own.as_ref() == Some(&answered.verdict)
        });
        if !answered.verdict.is_final() || (known && decided.effect.is_none()) {
            return Ok((answered, None));
        }
        let scan = self.record(app, &token, &answered.verdict);
        let admission = match (decided.effect, answered.ticket.take()) {
            (Some(effect), Some(ticket)) => {
                let mut standing = ticket.standing(Vec::new());
                standing.apply(&effect);
                let ticket = ticket.entered(&standing, app.clock.now());
                answered.ticket = Some(ticket.clone());
                Some((CheckInId(app.clock.new_id()), effect, ticket))
            }
            (_, ticket) => {
                answered.ticket = ticket;
                None
            }
        };
        Ok((answered, Some(Mark { scan, admission })))
    }

    /// The conflicts that the decision needs: that of the scan, or all if it wants another's place.
    fn known(&self, ticket: &Ticket, sight: &Sight, conflicts: &Conflicts) -> Vec<Conflict> {
        if self.asked.replaces.is_empty() || ticket.check_in.is_none() {
            return sight.conflict.into_iter().collect();
        }
        let all = conflicts.get(&ticket.id).into_iter().flatten();
        all.map(|known| known.conflict).collect()
    }

    fn record(&self, app: &App, token: &TokenCheck, verdict: &Verdict) -> Scan {
        let (asked, now) = (&self.asked, app.clock.now());
        Scan {
            id: asked.scan,
            record: ScanRecord {
                scanner: asked.scanner,
                gate: asked.gate,
                token: token.hash(),
                own: Some(verdict.clone()),
                shown: None,
            },
            own_at: Some(now),
            ticket: self.ticket(),
            node: asked.node,
            device: asked.device.clone(),
            decided_by: DecidedBy::Core,
            point: None,
            created_at: now,
        }
    }

    fn tell(&self, app: &App, tx: &mut Tx, effect: &Effect, id: CheckInId, ticket: &Ticket) {
        let (facts, message) = (ticket.facts(), app.clock.new_id());
        if matches!(effect, Effect::Move { .. }) {
            let event = TicketCheckInChanged {
                ticket_id: ticket.id,
                ticket: facts,
            };
            tx.publish_for(&self.cause, message, ticket.version, &event);
            return;
        }
        let device = self.asked.device.clone();
        let event = TicketCheckedIn {
            check_in_id: id,
            ticket_id: ticket.id,
            checked_in_at: ticket.updated_at,
            device_id: device.unwrap_or_else(|| self.asked.scanner.to_string()),
            ticket: facts,
        };
        tx.publish_for(&self.cause, message, ticket.version, &event);
    }
}

impl Asked {
    fn request<'a>(&'a self, token: &'a TokenCheck) -> Request<'a> {
        Request {
            scan: self.scan,
            scanner: self.scanner,
            gate: self.gate,
            node: self.node,
            token,
            deadline: self.deadline,
            replaces: &self.replaces,
        }
    }
}

impl Locked {
    /// Whether what was seen of a ticket can't change any more.
    fn holds(&self, ticket: Option<&Ticket>) -> bool {
        ticket.is_none_or(|ticket| self.0.contains(&ticket.id))
    }
}
