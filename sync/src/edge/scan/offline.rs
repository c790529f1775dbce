//! A scan that this node decides alone, from its overlay and its replica (`ADMISSION` 3.6 to 3.8).

use eventify_protocol::{
    ids::{GateId, ScanId},
    sync::{GateEntry, PerformanceEntry, Position, TicketEntry, TicketState, UsedBy},
    time::CoreInterval,
    verdict::{FirstEntry, Mode, Verdict},
};

use super::{
    super::{Alarm, Machine, Now, ReplicaOutput, overlay::Admission},
    Conclusion, Progress,
};
use crate::{
    rules::Entitlement,
    token::{SignedTicket, TokenCheck},
};

impl Machine {
    /// Decides what depends on no ticket; else the ticket's row is read first.
    pub(super) fn decide_alone(&mut self, scan: ScanId, mode: Mode, now: Now) {
        let Some(pending) = self.scans.pending.get_mut(&scan) else {
            return;
        };
        let verdict = match (&pending.checked, mode) {
            (_, Mode::Locked | Mode::Resyncing) => Verdict::ResyncRequired,
            // Refused where it arrived.
            (TokenCheck::Unreadable { .. }, _) => Verdict::Unreadable,
            (TokenCheck::Forged { .. }, _) => Verdict::Forged,
            (TokenCheck::UnknownKey { .. } | TokenCheck::Code { ticket: None, .. }, _) => {
                Verdict::UnknownOffline
            }
            (
                TokenCheck::Signed(signed)
                | TokenCheck::Code {
                    ticket: Some(signed),
                    ..
                },
                _,
            ) => {
                let (ticket, generation) = (signed.ticket(), self.replica.generation());
                pending.progress = Progress::ReadingTicket { generation };
                return self.outputs.push(ReplicaOutput::ReadTicket {
                    scan,
                    ticket,
                    generation,
                });
            }
        };
        self.conclude(scan, Conclusion::by_edge(verdict, mode), now);
    }

    /// The replica's row for a scan that this node decides.
    pub(crate) fn on_ticket_read(
        &mut self,
        scan: ScanId,
        (generation, position): (u32, Position),
        ticket: Option<&TicketEntry>,
        now: Now,
    ) {
        let Some(pending) = self.scans.pending.get(&scan) else {
            return;
        };
        let Progress::ReadingTicket { generation: wanted } = pending.progress else {
            return;
        };
        if generation != wanted {
            return;
        }
        if position < self.replica.applied() {
            // A file that lacks what it reported as applied would be read again for ever.
            self.outputs.alarm(Alarm::ReplicaDamaged);
            return self.discard_replica("its file lacks entries that were applied", now);
        }
        let mode = self.node_state(now).ruling().mode;
        let bounds = self.time.bounds(now);
        let (Mode::Degraded, Some(when), false, Some(signed)) = (
            mode,
            bounds,
            self.journal.is_forking(),
            pending.checked.signed(),
        ) else {
            // The tests no longer hold as they did.
            return self.route(scan, now);
        };
        let unshown = self.scans.list_replaced(signed.ticket(), scan);
        let case = OfflineCase {
            scan,
            at: pending.gate,
            signed,
            overlay: self.overlay.list(signed.ticket()),
            is_over: ticket.is_some_and(|entry| match &entry.state {
                TicketState::Used(by) => self.is_over(by, entry.performance),
                TicketState::Valid | TicketState::Revoked | TicketState::Suspended => false,
            }),
            ticket,
            performance: ticket.and_then(|ticket| self.replica.performance(ticket.performance)),
            gate: self.replica.gate_of(self.node, pending.gate),
            when: &when,
            unshown: &unshown,
        };
        let verdict = case.verdict();
        let is_admitted = verdict == Verdict::Admit;
        let conclusion = Conclusion {
            replaces: if is_admitted { unshown } else { vec![] },
            ..Conclusion::by_edge(verdict, mode)
        };
        self.conclude(scan, conclusion, now);
    }
}

/// Everything that the verdict depends on.
#[derive(Clone, Copy, Debug)]
struct OfflineCase<'a> {
    scan: ScanId,
    at: GateId,
    signed: &'a SignedTicket,
    /// This node's own admissions of the ticket.
    overlay: &'a [Admission],
    /// The entry that the replica shows is over.
    is_over: bool,
    /// The replica's row.
    ticket: Option<&'a TicketEntry>,
    /// The ticket's performance, if the replica has it.
    performance: Option<&'a PerformanceEntry>,
    /// None if this node may not decide for it.
    gate: Option<&'a GateEntry>,
    when: &'a CoreInterval,
    /// Earlier scans for which the core's answer was not shown.
    unshown: &'a [ScanId],
}

impl OfflineCase<'_> {
    fn verdict(&self) -> Verdict {
        let restart = self.performance.and_then(PerformanceEntry::restart);
        let is_of_now = |own: &&Admission| restart.is_none_or(|at| own.first_entry().at >= at);
        let mut own = self.overlay.iter().filter(is_of_now);
        if let Some(first) = own.next() {
            let first_entry = first.first_entry();
            return if first.scan == self.scan || own.any(|own| own.scan == self.scan) {
                Verdict::Admit
            } else {
                Verdict::AlreadyUsed { first: first_entry }
            };
        }
        // A good signature alone admits nobody.
        let Some(ticket) = self.ticket else {
            return Verdict::UnknownOffline;
        };
        match ticket.state {
            TicketState::Revoked | TicketState::Suspended => Verdict::Revoked,
            TicketState::Used(by) if by.scan == self.scan && !self.is_over => Verdict::Admit,
            TicketState::Used(by) if !self.was_never_shown(&by) && !self.is_over => {
                let first = FirstEntry {
                    gate: by.gate,
                    at: by.at,
                    confirmed: by.confirmed,
                };
                let refused = self.entitled(ticket).err();
                refused.unwrap_or(Verdict::AlreadyUsed { first })
            }
            TicketState::Used(_) | TicketState::Valid => {
                self.entitled(ticket).err().unwrap_or(Verdict::Admit)
            }
        }
    }

    /// Whether the ticket is good here and now. A performance that the replica does not have is one
    /// that the venue does not admit to, or one that is still on its way: only the core can tell.
    fn entitled(&self, ticket: &TicketEntry) -> Result<(), Verdict> {
        let performance = self.performance.ok_or(Verdict::UnknownOffline)?;
        Entitlement::from(ticket).admits(self.signed, self.at, self.gate, performance, self.when)
    }

    fn was_never_shown(&self, by: &UsedBy) -> bool {
        !by.confirmed && self.unshown.contains(&by.scan)
    }
}
