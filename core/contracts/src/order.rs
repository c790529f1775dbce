//! What order publishes. Payloads are self-sufficient: nobody has to ask back.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{OrderId, RefundId, ReservationId, TicketId, UserId};
use eventify_protocol::money::Money;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::reservation::Item;

/// An order exists and waits for its payment; payment remembers those of which nothing is due.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderPlaced {
    /// The order.
    pub order_id: OrderId,
    /// What it was made from.
    pub reservation_id: ReservationId,
    /// Whose.
    pub customer_id: UserId,
    /// The box office that sold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller_id: Option<UserId>,
    /// What is to be paid.
    pub amount: Money,
    /// What is bought.
    pub items: Vec<Item>,
}

/// The money is there; tickets are to be issued.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderPaid {
    /// The order.
    pub order_id: OrderId,
    /// Whose.
    pub customer_id: UserId,
    /// When order learned of the capture.
    pub paid_at: DateTime<Utc>,
    /// What was bought.
    pub items: Vec<Item>,
}

/// The order ended unpaid; its seats are free again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderCancelled {
    /// The order.
    pub order_id: OrderId,
    /// What it was made from.
    pub reservation_id: ReservationId,
    /// Why.
    pub reason: CancelReason,
    /// What is free again.
    pub items: Vec<Item>,
}

/// Tickets are to be given back: ticketing suspends them before any money is asked for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderRefundOpened {
    /// The order.
    pub order_id: OrderId,
    /// The refund.
    pub refund_id: RefundId,
    /// Its tickets, at least one.
    pub ticket_ids: Vec<TicketId>,
    /// Why. A customer's own cancel (`user_request`) takes no ticket that was used or revoked.
    pub reason: RefundReason,
}

/// Nothing goes back: the tickets of the refund are good again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderRefundGivenUp {
    /// The order.
    pub order_id: OrderId,
    /// The refund.
    pub refund_id: RefundId,
    /// Its tickets.
    pub ticket_ids: Vec<TicketId>,
}

/// Payment is to send money back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderRefundRequested {
    /// The order.
    pub order_id: OrderId,
    /// Made by order; the idempotency key of the refund.
    pub refund_id: RefundId,
    /// The tickets that lose their value; empty when none were issued.
    pub ticket_ids: Vec<TicketId>,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: RefundReason,
    /// Why, in the organiser's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The money went back. The named tickets are to be revoked; without any, the items are free again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderRefunded {
    /// The order.
    pub order_id: OrderId,
    /// The refund.
    pub refund_id: RefundId,
    /// Why.
    pub reason: RefundReason,
    /// Why, in the organiser's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The tickets that were refunded.
    pub ticket_ids: Vec<TicketId>,
    /// Whether some of the order stays paid.
    pub partial: bool,
    /// Everything the order was about.
    pub items: Vec<Item>,
}

/// Tickets that somebody decided to revoke can't be: the decision is open again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevocationRefused {
    /// The order.
    pub order_id: OrderId,
    /// Payment's open item.
    pub item_id: Uuid,
    /// A code.
    pub reason: String,
}

/// Why an order ended unpaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Declined.
    PaymentFailed,
    /// Not paid in time.
    PaymentTimeout,
    /// The customer gave it up.
    UserRequest,
    /// The organiser cancelled the performance.
    EventCancelled,
}

/// Why money goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundReason {
    /// The customer cancelled in time.
    UserRequest,
    /// The organiser or an administrator decided so (force majeure).
    OrganiserDecision,
    /// The organiser cancelled the performance.
    EventCancelled,
    /// No tickets could be issued.
    TicketIssueFailed,
    /// The money came when the order had ended.
    LatePayment,
}

impl CancelReason {
    /// As on the wire and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PaymentFailed => "payment_failed",
            Self::PaymentTimeout => "payment_timeout",
            Self::UserRequest => "user_request",
            Self::EventCancelled => "event_cancelled",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::PaymentFailed,
            Self::PaymentTimeout,
            Self::UserRequest,
            Self::EventCancelled,
        ]
        .into_iter()
        .find(|reason| reason.name() == name)
    }
}

impl RefundReason {
    /// As on the wire and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UserRequest => "user_request",
            Self::OrganiserDecision => "organiser_decision",
            Self::EventCancelled => "event_cancelled",
            Self::TicketIssueFailed => "ticket_issue_failed",
            Self::LatePayment => "late_payment",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::UserRequest,
            Self::OrganiserDecision,
            Self::EventCancelled,
            Self::TicketIssueFailed,
            Self::LatePayment,
        ]
        .into_iter()
        .find(|reason| reason.name() == name)
    }
}

eventify_kernel::domain_events! { "order":
    OrderPlaced: "order.placed" as "order.placed" of order_id;
    OrderPaid: "order.paid" as "order.paid" of order_id;
    OrderCancelled: "order.cancelled" as "order.cancelled" of order_id;
    OrderRefundOpened: "order.refund.opened" as "order.refund.opened" of order_id;
    OrderRefundGivenUp: "order.refund.given_up" as "order.refund.given_up" of order_id;
    OrderRefundRequested: "order.refund.requested" as "order.refund.requested" of order_id;
    OrderRefunded: "order.refunded" as "order.refunded" of order_id;
    RevocationRefused: "revocation.refused" as "order.revocation.refused" of order_id;
}
