//! The verdict of a node that decides alone, within its limit (`ADMISSION` 3.6 to 3.8).

use eventify_protocol::{
    ids::{GateId, ScanId},
    sync::{GateEntry, TicketEntry, TicketState, UsedBy},
    time::CoreInterval,
    verdict::{FirstEntry, Verdict},
};

use super::overlay::Admission;
use crate::{rules::Entitlement, token::SignedTicket};

/// All that the verdict depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) scan: ScanId,
    pub(super) at: GateId,
    pub(super) signed: &'a SignedTicket,
    /// This node's own admission of the ticket.
    pub(super) overlay: Option<&'a Admission>,
    /// The replica's row.
    pub(super) ticket: Option<&'a TicketEntry>,
    /// The gate, if this node may decide for it.
    pub(super) gate: Option<&'a GateEntry>,
    pub(super) when: &'a CoreInterval,
    /// Scans whose answer of the core was never shown.
    pub(super) forgone: &'a [ScanId],
}

impl Case<'_> {
    pub(super) fn verdict(&self) -> Verdict {
        if let Some(admission) = self.overlay {
            return if admission.scan == self.scan {
                Verdict::Admit
            } else {
                Verdict::AlreadyUsed {
                    first: admission.first_entry(),
                }
            };
        }
        // A good signature alone admits nobody.
        let Some(ticket) = self.ticket else {
            return Verdict::UnknownOffline;
        };
        match ticket.state {
            TicketState::Used(by) if by.scan == self.scan => Verdict::Admit,
            TicketState::Revoked => Verdict::Revoked,
            TicketState::Used(by) if !self.was_never_shown(&by) => self
                .here_and_now(ticket)
                .unwrap_or(Verdict::AlreadyUsed { first: first(&by) }),
            TicketState::Used(_) | TicketState::Valid => {
                self.here_and_now(ticket).unwrap_or(Verdict::Admit)
            }
        }
    }

    fn here_and_now(&self, ticket: &TicketEntry) -> Option<Verdict> {
        Entitlement::from(ticket)
            .admits(self.signed.hash, self.at, self.gate, self.when)
            .err()
    }

    fn was_never_shown(&self, by: &UsedBy) -> bool {
        !by.confirmed && self.forgone.contains(&by.scan)
    }
}

fn first(by: &UsedBy) -> FirstEntry {
    FirstEntry {
        gate: by.gate,
        at: by.at,
        confirmed: by.confirmed,
    }
}
