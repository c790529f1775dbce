//! A guest leaves, and may come back where the performance allows it (`ADMISSION` 3.15).

use eventify_protocol::{
    ids::{PerformanceId, ScanId},
    sync::{ActBy, Left, TicketState, UsedBy},
    verdict::Mode,
};

use super::{ActRefusal, ActTicket};
use crate::edge::Machine;

impl Machine {
    /// Only while the core decides: a node that is cut off does not know who is inside.
    pub(super) fn decide_exit(
        &self,
        by: ActBy,
        ticket: Option<&ActTicket>,
    ) -> Result<Left, ActRefusal> {
        if by.mode != Mode::Online {
            return Err(ActRefusal::CoreNeeded);
        }
        let held = ticket.ok_or(ActRefusal::UnknownTicket)?;
        let performance = self.replica.performance(held.entry.performance);
        if !performance.is_some_and(eventify_protocol::sync::PerformanceEntry::allows_reentry) {
            return Err(ActRefusal::NoReentry);
        }
        let is_readable = self.has_complete_replica() && self.replica.is_current(held);
        let entry = self.entry_inside(held).filter(|_| is_readable);
        Ok(Left {
            by,
            ticket: held.ticket,
            performance: held.entry.performance,
            entry: entry.ok_or(ActRefusal::NotInside)?,
        })
    }

    /// The entry of the guest who is inside: this node's own, or as the replica has it.
    fn entry_inside(&self, held: &ActTicket) -> Option<ScanId> {
        let restart = self.restart(held.entry.performance);
        let is_of_now = |own: &&crate::edge::overlay::Admission| {
            restart.is_none_or(|at| own.first_entry().at >= at)
        };
        let own = self.overlay.list(held.ticket).iter().find(is_of_now);
        match (own, held.entry.state) {
            (_, TicketState::Revoked | TicketState::Suspended) | (None, TicketState::Valid) => None,
            (Some(own), TicketState::Valid | TicketState::Used(_)) => Some(own.scan),
            (None, TicketState::Used(by)) => {
                (!self.is_over(&by, held.entry.performance)).then_some(by.scan)
            }
        }
    }

    /// Whether an entry of the replica is over: this node has ended it, or the show was moved since.
    pub(in crate::edge) fn is_over(&self, by: &UsedBy, performance: PerformanceId) -> bool {
        let restart = self.restart(performance);
        self.overlay.is_freed(by.scan) || restart.is_some_and(|at| by.at < at)
    }

    fn restart(&self, performance: PerformanceId) -> Option<eventify_protocol::time::CoreTime> {
        self.replica.performance(performance)?.restart()
    }
}
