//! A ticket and what it says to gates.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{
    BucketId, HoldId, OrderId, PerformanceId, SeatId, TicketId, UserId, VenueId,
};
use eventify_protocol::money::Money;
use eventify_protocol::time::CoreTime;
use eventify_protocol::token::{CategoryCode, Claims, TokenHash};
use eventify_sync::core::{CheckIn, Standing};
use eventify_sync::rules::Entitlement;
use eventify_sync::token::SignedTicket;

use crate::ticketing::events::{TicketFacts, TicketState};

/// One place at one performance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ticketing) struct Ticket {
    pub(in crate::ticketing) id: TicketId,
    pub(in crate::ticketing) order_id: OrderId,
    /// The item's place in the order, and the unit's in the item.
    pub(in crate::ticketing) line: i32,
    pub(in crate::ticketing) unit: i32,
    pub(in crate::ticketing) customer_id: UserId,
    pub(in crate::ticketing) performance_id: PerformanceId,
    pub(in crate::ticketing) venue_id: VenueId,
    pub(in crate::ticketing) seat_id: Option<SeatId>,
    pub(in crate::ticketing) seat_label: Option<String>,
    pub(in crate::ticketing) bucket_id: Option<BucketId>,
    pub(in crate::ticketing) zone: Option<String>,
    pub(in crate::ticketing) category: CategoryCode,
    pub(in crate::ticketing) unit_price: Money,
    pub(in crate::ticketing) hold_id: HoldId,
    pub(in crate::ticketing) state: State,
    pub(in crate::ticketing) passage: i32,
    pub(in crate::ticketing) revision: u32,
    /// The token's text: whoever has it can use the ticket.
    pub(in crate::ticketing) token: String,
    pub(in crate::ticketing) token_hash: TokenHash,
    pub(in crate::ticketing) not_before: i64,
    pub(in crate::ticketing) expiry: i64,
    pub(in crate::ticketing) created_at: DateTime<Utc>,
    pub(in crate::ticketing) updated_at: DateTime<Utc>,
    pub(in crate::ticketing) version: i32,
}

/// Whether a ticket can still be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ticketing) enum State {
    /// Not used yet.
    Valid,
    /// Refunded, cancelled or replaced, and why. A ticket that was used can be revoked too.
    Revoked(String),
    /// Used by this entry.
    Used(CheckIn),
}

/// What can't be done with a ticket in its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::ticketing) enum Refused {
    #[error("the ticket has been revoked")]
    Revoked,
    #[error("the ticket has been used")]
    Used,
}

impl State {
    /// As in the table and in answers.
    pub(in crate::ticketing) fn name(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Revoked(_) => "revoked",
            Self::Used(_) => "used",
        }
    }

    pub(in crate::ticketing) fn revoked_reason(&self) -> Option<&str> {
        match self {
            Self::Revoked(reason) => Some(reason),
            Self::Valid | Self::Used(_) => None,
        }
    }
}

impl Ticket {
    /// The claims of its token.
    pub(in crate::ticketing) fn claims(&self) -> Claims {
        Claims {
            ticket: self.id,
            performance: self.performance_id,
            category: self.category,
            not_before: self.not_before,
            expiry: self.expiry,
            revision: self.revision,
        }
    }

    /// What it entitles to.
    pub(in crate::ticketing) fn entitlement(&self) -> Entitlement {
        Entitlement {
            token: self.token_hash,
            performance: self.performance_id,
            category: self.category,
            not_before: self.not_before,
            expiry: self.expiry,
        }
    }

    /// The ticket itself in place of its token, for a caller who names it.
    pub(in crate::ticketing) fn signed(&self) -> SignedTicket {
        SignedTicket {
            hash: self.token_hash,
            claims: self.claims(),
        }
    }

    /// Takes it back; one that was taken back before stays as it is.
    pub(in crate::ticketing) fn revoke(
        self,
        reason: &str,
        at: DateTime<Utc>,
    ) -> Result<Self, Refused> {
        match self.state {
            State::Revoked(_) => Err(Refused::Revoked),
            State::Valid | State::Used(_) => Ok(Self {
                state: State::Revoked(reason.to_owned()),
                ..self
            }
            .changed(at)),
        }
    }

    /// The next revision, whose token is to be signed.
    pub(in crate::ticketing) fn next_revision(self, at: DateTime<Utc>) -> Result<Self, Refused> {
        match self.state {
            State::Valid => Ok(Self {
                revision: self.revision + 1,
                ..self
            }
            .changed(at)),
            State::Revoked(_) => Err(Refused::Revoked),
            State::Used(_) => Err(Refused::Used),
        }
    }

    /// The ticket after its entries have changed.
    pub(in crate::ticketing) fn with_entries(self, standing: &Standing, at: DateTime<Utc>) -> Self {
        let state = match (self.state, standing.check_in) {
            (State::Revoked(reason), _) => State::Revoked(reason),
            (State::Valid | State::Used(_), Some(check_in)) => State::Used(check_in),
            (State::Valid | State::Used(_), None) => State::Valid,
        };
        Self { state, ..self }.changed(at)
    }

    /// What gates need of it.
    pub(in crate::ticketing) fn facts(&self) -> TicketFacts {
        TicketFacts {
            ticket_id: self.id,
            version: self.version,
            venue_id: self.venue_id,
            performance_id: self.performance_id,
            seat_id: self.seat_id,
            seat_label: self.seat_label.clone(),
            bucket_id: self.bucket_id,
            category: self.category,
            token_hash: self.token_hash.0,
            not_before: self.not_before,
            expiry: self.expiry,
            state: match &self.state {
                State::Valid => TicketState::Valid,
                State::Revoked(_) => TicketState::Revoked,
                State::Used(check_in) => TicketState::Used {
                    scan_id: check_in.scan,
                    gate_id: check_in.gate,
                    at: date(check_in.at.earliest),
                    confirmed: check_in.is_confirmed(),
                },
            },
        }
    }

    fn changed(self, at: DateTime<Utc>) -> Self {
        Self {
            updated_at: at,
            version: self.version + 1,
            ..self
        }
    }
}

/// For people and events. What a node claims can lie beyond any calendar: then its nearer end.
pub(in crate::ticketing) fn date(time: CoreTime) -> DateTime<Utc> {
    const LAST: i64 = 253_402_300_799_000_000;
    CoreTime(time.0.clamp(0, LAST))
        .to_datetime()
        .expect("1970 to 9999 lies in the calendar")
}
