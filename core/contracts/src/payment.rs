//! What payment publishes.

use eventify_protocol::ids::{OrderId, PaymentId, RefundId, TicketId};
use eventify_protocol::money::Money;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
}

/// Money could not be sent back; people must look at it.
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
    RefundFailed: "refund.failed" as "payment.refund.failed" of order_id;
}
