//! Acts of the LAN API on their way to the machine: what journal and replica have of them
//! (`ADMISSION` 3.13).

use eventify_protocol::{
    ids::{ActId, GateId, PersonId, ScanId, ScannerId, TicketId},
    lan::Reason,
};
use eventify_sync::{
    edge::{
        ActKind, ActOutcome, ActRefusal, ActRequest, ActScan, ActTicket, Input, Reply, RequestId,
    },
    token::TokenCheck,
};

use super::{Fatal, Owner, handle::Waiter};

/// An act as a scanner sent it, done by somebody who may.
#[derive(Clone, Debug)]
pub struct Act {
    pub act: ActId,
    /// Proven by the request's signature.
    pub scanner: ScannerId,
    pub gate: GateId,
    pub person: PersonId,
    pub reason: Option<Reason>,
    pub what: What,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum What {
    Override(ScanId),
    Undo(ScanId),
    /// The ticket's token or short code, checked.
    Exit(TokenCheck),
    ChangeGate {
        from: Option<GateId>,
    },
}

/// Why an act has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAct {
    Refused(ActRefusal),
    /// Send it again.
    Busy,
    /// The node is stopping, or could not write its journal.
    Stopping,
}

/// An act on its way to the owner.
pub(super) struct WaitingAct {
    pub(super) act: Act,
    pub(super) waiter: Waiter,
}

/// What the machine said about an act.
pub(super) fn answer(reply: Reply) -> Result<ActOutcome, NoAct> {
    match reply {
        Reply::Act(outcome) => Ok(*outcome),
        Reply::ActRefused(refusal) => Err(NoAct::Refused(refusal)),
        // The others are no answers to an act.
        Reply::Overloaded | Reply::Verdict(_) | Reply::ScanIdReused | Reply::Search(_) => {
            Err(NoAct::Busy)
        }
    }
}

impl Owner {
    /// An act of the LAN API.
    pub(super) fn accept_act(&mut self, waiting: WaitingAct) -> Result<(), Fatal> {
        let WaitingAct { act, waiter } = waiting;
        let previous = self.journal.reader.find_act(act.act)?;
        if previous.is_none()
            && !self.machine.is_acting(act.act)
            && let Some(fault) = self.journal.fault(&self.limits)
        {
            self.journal.log_fault(fault, self.clock.boottime());
            waiter.reply(Reply::Overloaded);
            return Ok(());
        }
        let recent = self.journal.reader.list_acts(act.person)?;
        let kind = match act.what {
            What::Override(scan) => ActKind::Override(self.find_act_scan(scan)?),
            What::Undo(scan) => ActKind::Undo(self.find_act_scan(scan)?),
            What::Exit(checked) => ActKind::Exit(self.find_leaving(&checked)),
            What::ChangeGate { from } => ActKind::ChangeGate { from },
        };
        let request = RequestId(self.next_request);
        self.next_request += 1;
        self.waiting.insert(request, waiter);
        self.step(Input::Act(Box::new(ActRequest {
            request,
            act: act.act,
            scanner: act.scanner,
            gate: act.gate,
            person: act.person,
            reason: act.reason,
            kind,
            previous,
            recent,
        })));
        Ok(())
    }

    fn find_act_scan(&mut self, scan: ScanId) -> Result<ActScan, Fatal> {
        let previous = self.journal.reader.find_decision(scan)?;
        let named = previous.as_ref().and_then(|it| it.decision.ticket);
        Ok(ActScan {
            scan,
            ticket: named.and_then(|ticket| self.find_act_ticket(ticket)),
            previous,
        })
    }

    /// Whose ticket was scanned on the way out. A token that is no longer the ticket's is nobody's.
    fn find_leaving(&mut self, checked: &TokenCheck) -> Option<ActTicket> {
        let found = self.replica.find_scanned(checked).ok()??;
        let checked = checked.with_ticket(&found);
        let held = self.find_act_ticket(found.ticket)?;
        let is_its = checked.code().is_some() || checked.signed()?.hash == held.entry.token;
        is_its.then_some(held)
    }

    fn find_act_ticket(&mut self, ticket: TicketId) -> Option<ActTicket> {
        let Ok((position, entry)) = self.replica.find_ticket(ticket) else {
            self.step(Input::ReplicaFailed);
            return None;
        };
        Some(ActTicket {
            ticket,
            position,
            entry: entry?,
        })
    }
}
