//! What ticketing says of tickets whose money goes back.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{GateId, OrderId, PerformanceId, RefundId, TicketId, VenueId};
use eventify_protocol::money::Money;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Admission, TicketFacts};

/// `ticket.suspended`: tickets of an order admit nobody while their money is on its way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketsSuspended {
    /// The order.
    pub order_id: OrderId,
    /// The refund.
    pub refund_id: RefundId,
    /// The suspended ones from now on.
    pub tickets: Vec<TicketFacts>,
    /// Those that a customer's own cancel does not take.
    pub refused: Vec<NotSuspended>,
}

/// A ticket that its customer can't give back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotSuspended {
    /// Which.
    pub ticket_id: TicketId,
    /// Why.
    pub because: NotGood,
}

/// Why a customer can't give a ticket back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotGood {
    /// Somebody was admitted with it.
    Used,
    /// It was revoked without a refund.
    Revoked,
}

/// `ticket.reinstated`: nothing went back, and the tickets are as they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketsReinstated {
    /// The order.
    pub order_id: OrderId,
    /// The refund that was given up.
    pub refund_id: RefundId,
    /// The tickets from now on.
    pub tickets: Vec<TicketFacts>,
}

/// Why the place of a revoked ticket is not sold again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeptBack {
    /// Somebody was admitted with it.
    Used,
    /// Gates admit to its performance, or begin before all of them can have heard of it: somebody may
    /// have been admitted by one that has no connection.
    GatesAdmit,
    /// The card's bank took the money back.
    Fraud,
}

/// Somebody who was admitted with a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Guest {
    /// Where.
    pub gate_id: GateId,
    /// Not before, in core time.
    pub earliest: DateTime<Utc>,
    /// Not after.
    pub latest: DateTime<Utc>,
}

/// `ticketing.refunded.admitted`: somebody was admitted, by a gate without connection, with a ticket
/// that was suspended or revoked. One for each ticket and passage; the newest version is true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundedAdmitted {
    /// Which ticket.
    pub ticket_id: TicketId,
    /// Of which order.
    pub order_id: OrderId,
    /// Whose venue.
    pub venue_id: VenueId,
    /// To what.
    pub performance_id: PerformanceId,
    /// The seat's label, if it is a numbered one.
    pub seat_label: Option<String>,
    /// The zone's name, if it is a place in one.
    pub zone: Option<String>,
    /// What was paid for it.
    pub amount: Money,
    /// The refund, if there is one.
    pub refund_id: Option<RefundId>,
    /// Why it was revoked; none while it is suspended.
    pub revoked: Option<String>,
    /// Who was admitted, where and when.
    pub admission: Admission,
    /// It is none any more: nobody was admitted after all, or nothing went back.
    pub dissolved: bool,
}

impl RefundedAdmitted {
    /// Who was admitted.
    #[must_use]
    pub fn guest(&self) -> Guest {
        Guest {
            gate_id: self.admission.gate_id,
            earliest: self.admission.earliest,
            latest: self.admission.latest,
        }
    }

    /// The seat's label, or the zone's name.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.seat_label.as_deref().or(self.zone.as_deref())
    }

    /// `suspended`, or why the ticket was revoked.
    #[must_use]
    pub fn state(&self) -> &str {
        self.revoked.as_deref().unwrap_or("suspended")
    }
}
