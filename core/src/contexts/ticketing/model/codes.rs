//! The short code of a ticket, and what a node is told of the ticket that has it.

use eventify_protocol::ids::VenueId;
use eventify_protocol::short_code::{CodeHash, ShortCode};
use eventify_protocol::sync::ScannedTicket;

use super::tickets::Ticket;

/// A code and its hash at the ticket's venue, which is computed once: it takes milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TicketCode {
    /// Whoever has it can use the ticket.
    pub(crate) code: ShortCode,
    pub(crate) hash: CodeHash,
}

impl TicketCode {
    /// Of 50 of these random bits.
    pub(crate) fn new(random: &[u8; 32], venue: VenueId) -> Self {
        let code = ShortCode::from_random(random);
        let hash = code.hash(venue);
        Self { code, hash }
    }
}

impl Ticket {
    /// What a node of its venue needs of it beside a verdict.
    pub(crate) fn scanned(&self) -> ScannedTicket {
        ScannedTicket {
            ticket: self.id,
            token: self.token_hash,
            performance: self.performance_id,
            category: self.category,
            place: self.facts().place(),
        }
    }
}
