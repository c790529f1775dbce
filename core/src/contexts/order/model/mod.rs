//! Pure decisions about an order: what payment events change, and what can be refunded.

use eventify_protocol::ids::TicketId;

mod refund;
mod state;
#[cfg(test)]
mod tests;

pub(super) use refund::{CustomerPolicy, PaidTicket, Performance, RefundPlan};
pub(super) use state::{Captured, Order, State};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the order is {0} and can't be cancelled")]
    WrongState(&'static str),
    #[error("the tickets of this order are being issued; try again in a moment")]
    NotIssuedYet,
    #[error("ticket {0} does not belong to this order")]
    ForeignTicket(TicketId),
    #[error("ticket {0} is refunded already")]
    AlreadyRefunded(TicketId),
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

impl Refusal {
    /// As on the wire.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::WrongState(_) => "order_state",
            Self::NotIssuedYet => "tickets_pending",
            Self::ForeignTicket(_) => "foreign_ticket",
            Self::AlreadyRefunded(_) => "already_refunded",
            Self::NothingLeft => "nothing_to_refund",
            Self::Used(_) => "ticket_used",
            Self::Revoked(_) => "ticket_revoked",
            Self::WindowClosed => "refund_window_closed",
        }
    }
}
