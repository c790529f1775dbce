//! Pure decisions about an order: what payment events change, and what can be refunded.

use eventify_protocol::ids::{RefundId, TicketId};

mod permission;
mod refund;
mod state;
#[cfg(test)]
mod tests;

pub(super) use permission::{Permission, permission};
pub(super) use refund::{CustomerPolicy, PaidTicket, Performance, RefundPlan};
pub(super) use state::{Captured, Order, State};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{}", wrong_state(*.0))]
    WrongState(State),
    #[error("the tickets of this order are being issued; try again in a moment")]
    NotIssuedYet,
    #[error("ticket {0} does not belong to this order")]
    ForeignTicket(TicketId),
    #[error("ticket {0} is in refund {1} already")]
    AlreadyRefunded(TicketId, RefundId),
    #[error(
        "what is known here of this order's performances is not complete; try again in a moment"
    )]
    PerformanceNotKnown,
    #[error("there is nothing left to refund")]
    NothingLeft,
    #[error("somebody was admitted with ticket {0}; its organiser may still pay it back")]
    Used(TicketId),
    #[error("ticket {0} was revoked; ask its organiser")]
    Revoked(TicketId),
    #[error(
        "tickets can be given back until 24 hours before the doors open or the performance starts"
    )]
    WindowClosed,
}

fn wrong_state(state: State) -> &'static str {
    match state {
        State::Pending | State::Processing => "the order is not paid: there is nothing to refund",
        State::Paid { .. } | State::PartiallyRefunded { .. } => "the order is paid",
        State::Refunded { .. } => "the money of this order went back already",
        State::Cancelled(_) => "the order is cancelled already",
    }
}

impl Refusal {
    /// As on the wire.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::WrongState(_) => "order_state",
            Self::NotIssuedYet => "tickets_not_issued",
            Self::ForeignTicket(_) => "foreign_ticket",
            Self::AlreadyRefunded(..) => "already_refunded",
            Self::PerformanceNotKnown => "performance_not_known",
            Self::NothingLeft => "nothing_to_refund",
            Self::Used(_) => "ticket_used",
            Self::Revoked(_) => "ticket_revoked",
            Self::WindowClosed => "refund_window_closed",
        }
    }
}
