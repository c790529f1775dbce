//! What payment publishes.

use eventify_protocol::ids::{OrderId, PaymentId, RefundId, TicketId, UserId};
use eventify_protocol::money::Money;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The money is ours.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentCaptured {
    /// The payment.
    pub payment_id: PaymentId,
    /// What was paid.
    pub order_id: OrderId,
    /// How much.
    pub amount: Money,
}

/// There will be no money.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentFailed {
    /// The payment.
    pub payment_id: PaymentId,
    /// What was to be paid.
    pub order_id: OrderId,
    /// Why.
    pub failure_reason: FailureReason,
}

/// Money went back to the customer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRefunded {
    /// The payment.
    pub payment_id: PaymentId,
    /// The order.
    pub order_id: OrderId,
    /// The refund, as order named it.
    pub refund_id: RefundId,
    /// How much.
    pub amount: Money,
    /// The tickets that were refunded; empty when none were issued.
    pub ticket_ids: Vec<TicketId>,
    /// Everything that was captured has gone back.
    pub in_full: bool,
    /// Who sent it.
    #[serde(default)]
    pub settled_by: SettledBy,
    /// The reference of a payment by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Who sent money back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettledBy {
    /// The provider, at our request.
    #[default]
    Provider,
    /// Somebody at the provider, without us: that money counts for this refund.
    Elsewhere,
    /// Staff, by another way; with a reference.
    Hand,
}

/// The provider refuses a refund. It stands as an open item until somebody has decided.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundParked {
    /// The payment.
    pub payment_id: PaymentId,
    /// The order.
    pub order_id: OrderId,
    /// The refund, as order named it.
    pub refund_id: RefundId,
    /// The tickets that it is about.
    pub ticket_ids: Vec<TicketId>,
    /// A code, no personal data.
    pub reason: String,
}

/// A refund had succeeded, and the money came back: the guest waits for it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundReturned {
    /// The payment.
    pub payment_id: PaymentId,
    /// The order.
    pub order_id: OrderId,
    /// The refund, as order named it.
    pub refund_id: RefundId,
    /// How much came back.
    pub amount: Money,
    /// A code, no personal data.
    pub reason: String,
}

/// Money went back to the customer without us, or such money came back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundedElsewhere {
    /// The payment.
    pub payment_id: PaymentId,
    /// The order.
    pub order_id: OrderId,
    /// All that went back without us, as of this version.
    pub total: Money,
}

/// Somebody decided that tickets lose their value.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevocationRequested {
    /// The payment.
    pub payment_id: PaymentId,
    /// The order.
    pub order_id: OrderId,
    /// Which; empty: all that the order has left.
    pub ticket_ids: Vec<TicketId>,
    /// Why.
    pub cause: RevocationCause,
    /// What went back without us and counts for these tickets.
    pub settled: Money,
    /// Who decided.
    pub decided_by: UserId,
    /// The open item that was decided: a refusal names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_id: Option<Uuid>,
}

/// Why tickets lose their value without a refund of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RevocationCause {
    /// The card's bank took the money back.
    Fraud,
    /// The money went back without us.
    RefundedElsewhere,
}

impl SettledBy {
    /// As on the wire and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Elsewhere => "elsewhere",
            Self::Hand => "hand",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Provider, Self::Elsewhere, Self::Hand]
            .into_iter()
            .find(|it| it.name() == name)
    }
}

/// Somebody decided that no money goes back: the tickets keep their value.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundFailed {
    /// The payment, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<PaymentId>,
    /// The order.
    pub order_id: OrderId,
    /// The refund, as order named it.
    pub refund_id: RefundId,
    /// The tickets that keep their value.
    pub ticket_ids: Vec<TicketId>,
    /// A code, no personal data.
    pub failure_reason: String,
}

/// Why a payment failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The account can't cover it.
    InsufficientFunds,
    /// The bank said no, or the customer failed the 3-D Secure challenge.
    Declined,
    /// Nobody paid, and the provider gave the intent up.
    Timeout,
}

impl FailureReason {
    /// As on the wire and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InsufficientFunds => "insufficient_funds",
            Self::Declined => "declined",
            Self::Timeout => "timeout",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::InsufficientFunds, Self::Declined, Self::Timeout]
            .into_iter()
            .find(|reason| reason.name() == name)
    }
}

eventify_kernel::domain_events! { "payment":
    PaymentCaptured: "payment.captured" as "payment.captured" of payment_id;
    PaymentFailed: "payment.failed" as "payment.failed" of payment_id;
    PaymentRefunded: "payment.refunded" as "payment.refunded" of payment_id;
    RefundParked: "refund.parked" as "payment.refund.parked" of order_id;
    RefundReturned: "refund.returned" as "payment.refund.returned" of order_id;
    RefundedElsewhere: "payment.refunded_elsewhere" as "payment.refunded_elsewhere" of order_id;
    RevocationRequested: "revocation.requested" as "payment.revocation.requested" of order_id;
    RefundFailed: "refund.failed" as "payment.refund.failed" of order_id;
}
