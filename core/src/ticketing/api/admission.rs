//! Deciding a scan: one transaction under the ticket's row lock (ADMISSION 3).

use std::sync::Arc;

use eventify_protocol::ids::{CheckInId, GateId, NodeId, ScanId, ScannerId, TicketId};
use eventify_protocol::keys::KeySet;
use eventify_protocol::sync::Epoch;
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::{DecidedBy, Verdict};
use eventify_sync::core::admission::{self, Decided, Held, Request};
use eventify_sync::core::{Conflict, Effect, ScanRecord};
use eventify_sync::token::{SignedTicket, TokenCheck};

use super::Error;
use crate::app::App;
use crate::cause::Cause;
use crate::db::{DbResult, Tx};
use crate::ticketing::events::{TicketCheckInChanged, TicketCheckedIn};
use crate::ticketing::model::{Scan, Sight, Ticket};
use crate::ticketing::{NAME, api, store};

/// What is asked.
#[derive(Clone, Debug)]
pub(in crate::ticketing) struct Asked {
    pub(in crate::ticketing) scan: ScanId,
    pub(in crate::ticketing) scanner: ScannerId,
    pub(in crate::ticketing) gate: GateId,
    /// None over REST.
    pub(in crate::ticketing) node: Option<NodeId>,
    /// As the caller of the REST API names it.
    pub(in crate::ticketing) device: Option<String>,
    pub(in crate::ticketing) presented: Presented,
    pub(in crate::ticketing) deadline: Option<CoreTime>,
    pub(in crate::ticketing) replaces: Vec<ScanId>,
}

/// What the guest has shown.
#[derive(Clone, Debug)]
pub(in crate::ticketing) enum Presented {
    /// The text that was scanned.
    Text(String),
    /// The caller vouches for the ticket itself.
    Ticket(TicketId),
}

/// What is answered.
#[derive(Clone, Debug)]
pub(in crate::ticketing) struct Answered {
    pub(in crate::ticketing) verdict: Verdict,
    /// When it was decided.
    pub(in crate::ticketing) at: CoreTime,
    /// From which database's rows.
    pub(in crate::ticketing) epoch: Epoch,
    /// The ticket, as it is from now on.
    pub(in crate::ticketing) ticket: Option<Ticket>,
    /// A node asked at a gate that is not one of its own: it is refused, and there is an alarm.
    pub(in crate::ticketing) foreign_gate: bool,
}

/// Decides a scan. The signature is checked before any lock is taken; if it was checked against
/// another key set than the one in force, it is checked again.
pub(in crate::ticketing) async fn decide(
    app: &App,
    cause: &Cause,
    asked: &Asked,
) -> Result<Answered, Error> {
    let mut keys = app.keys.in_force()?;
    loop {
        let token = asked.check(&keys);
        let mut tx = app.db.begin(NAME, cause).await?;
        let ticket = asked.ticket(token.as_ref());
        if let Some(id) = ticket {
            store::lock_ticket(&mut tx, id).await?;
        }
        let sight = store::look(&mut tx, asked.scan, ticket, asked.gate, asked.node).await?;
        if sight.keys.is_some_and(|version| version != keys.version()) {
            keys = api::keys::in_force(app, &mut tx).await?;
            continue;
        }
        return judge(app, tx, asked, token, sight).await;
    }
}

async fn judge(
    app: &App,
    mut tx: Tx,
    asked: &Asked,
    token: Option<TokenCheck>,
    sight: Sight,
) -> Result<Answered, Error> {
    if let Some(id) = asked.node {
        let node = sight.node.as_ref().ok_or(Error::UnknownNode(id))?;
        if node.revoked {
            return Err(Error::RevokedNode(id));
        }
    }
    let named = |ticket: &Ticket| TokenCheck::Signed(ticket.signed());
    let token = token
        .or_else(|| sight.ticket.as_ref().map(named))
        .ok_or(Error::NoSuchTicket)?;
    let gate = sight.gate_for(asked.gate, asked.node.is_some());
    let foreign_gate = asked.node.is_some() && !sight.is_nodes_gate(asked.gate);
    if gate.is_none() {
        tracing::warn!(node = ?asked.node, gate = %asked.gate, "scan at a gate of somebody else");
    }
    let conflicts = conflicts(&mut tx, asked, &sight).await?;
    let standing = sight
        .ticket
        .as_ref()
        .map(|ticket| ticket.standing(conflicts));
    let entitlement = sight.ticket.as_ref().map(Ticket::entitlement);
    let decided = admission::decide(
        &asked.request(&token),
        &Held {
            scan: sight.scan.as_ref().map(|scan| &scan.record),
            ticket: entitlement.as_ref().zip(standing.as_ref()),
            gate,
            now: sight.now,
        },
    )?;
    let answered = carry_out(app, tx, asked, &token, sight, decided).await?;
    Ok(Answered {
        foreign_gate,
        ..answered
    })
}

/// The conflicts that the decision needs: that of the scan, or all if it wants another's place.
async fn conflicts(tx: &mut Tx, asked: &Asked, sight: &Sight) -> DbResult<Vec<Conflict>> {
    match &sight.ticket {
        Some(ticket) if !asked.replaces.is_empty() && ticket.check_in.is_some() => {
            let known = store::conflicts(tx, &[ticket.id]).await?;
            let known = known.into_values().flatten();
            Ok(known.map(|known| known.conflict).collect())
        }
        Some(_) | None => Ok(sight.conflict.into_iter().collect()),
    }
}

/// Writes what was decided, and tells it.
async fn carry_out(
    app: &App,
    mut tx: Tx,
    asked: &Asked,
    token: &TokenCheck,
    sight: Sight,
    decided: Decided,
) -> Result<Answered, Error> {
    let at = sight.now;
    let mut answer = Answered {
        verdict: decided.verdict,
        at,
        epoch: sight.epoch,
        ticket: sight.ticket,
        foreign_gate: false,
    };
    let record = sight.scan.as_ref().map(|scan| &scan.record);
    let known = record.is_some_and(|record| {
        record.shown.is_some() || record.own.as_ref() == Some(&answer.verdict)
    });
    if !answer.verdict.is_final() || (known && decided.effect.is_none()) {
        return Ok(answer);
    }
    let scan = asked.record(app, token, &answer.verdict);
    let noted = match (decided.effect, answer.ticket.take()) {
        (Some(effect), Some(ticket)) => {
            let mut standing = ticket.standing(Vec::new());
            standing.apply(&effect);
            let ticket = ticket.entered(&standing, app.clock.now());
            let id = CheckInId(app.clock.new_id());
            let noted = store::note_admission(&mut tx, &scan, id, &ticket).await?;
            tell(app, &mut tx, asked, &effect, id, &ticket);
            answer.ticket = Some(ticket);
            noted
        }
        (_, ticket) => {
            answer.ticket = ticket;
            store::note_verdict(&mut tx, &scan).await?
        }
    };
    if !noted {
        return Err(admission::ScanIdReused(asked.scan).into());
    }
    tx.commit().await?;
    Ok(answer)
}

fn tell(app: &App, tx: &mut Tx, asked: &Asked, effect: &Effect, id: CheckInId, ticket: &Ticket) {
    let facts = ticket.facts();
    if matches!(effect, Effect::Move { .. }) {
        let event = TicketCheckInChanged {
            ticket_id: ticket.id,
            ticket: facts,
        };
        tx.publish(app.clock.new_id(), ticket.version, &event);
        return;
    }
    let event = TicketCheckedIn {
        check_in_id: id,
        ticket_id: ticket.id,
        checked_in_at: ticket.updated_at,
        device_id: asked
            .device
            .clone()
            .unwrap_or_else(|| asked.scanner.to_string()),
        ticket: facts,
    };
    tx.publish(app.clock.new_id(), ticket.version, &event);
}

impl Asked {
    fn check(&self, keys: &Arc<KeySet>) -> Option<TokenCheck> {
        match &self.presented {
            Presented::Text(text) => Some(TokenCheck::of(text, keys)),
            Presented::Ticket(_) => None,
        }
    }

    fn ticket(&self, token: Option<&TokenCheck>) -> Option<TicketId> {
        match &self.presented {
            Presented::Ticket(id) => Some(*id),
            Presented::Text(_) => token?.signed().map(SignedTicket::ticket),
        }
    }

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

    fn record(&self, app: &App, token: &TokenCheck, verdict: &Verdict) -> Scan {
        let now = app.clock.now();
        Scan {
            id: self.scan,
            record: ScanRecord {
                scanner: self.scanner,
                gate: self.gate,
                token: token.hash(),
                own: Some(verdict.clone()),
                shown: None,
            },
            own_at: Some(now),
            ticket: self.ticket(Some(token)),
            node: self.node,
            device: self.device.clone(),
            decided_by: DecidedBy::Core,
            point: None,
            created_at: now,
        }
    }
}
