//! The payment service provider: calls and webhooks, independent of a particular provider.
//!
//! [`PaymentGateway`] is replaced for another provider; only `stripe` knows Stripe's API.
//! Deliberately not here: card data. The customer's browser sends it to the provider, with the
//! client secret of the intent.

use std::fmt;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{OrderId, PaymentId, RefundId};
use eventify_protocol::money::Money;
use futures_util::future::BoxFuture;

mod signature;
mod stripe;
mod stripe_objects;

pub(crate) use stripe::Stripe;

/// A provider. Each method is one call; the caller adds timeouts, retries and the breaker.
pub(crate) trait PaymentGateway: fmt::Debug + Send + Sync {
    /// Stored with each payment.
    fn name(&self) -> &'static str;

    /// Creates an intent with manual capture. The payment's id is the idempotency key.
    fn create_intent(&self, new: NewIntent) -> GatewayCall<IntentUpdate>;

    fn retrieve_intent(&self, reference: String) -> GatewayCall<IntentUpdate>;

    /// Captures the whole authorised amount.
    fn capture_intent(&self, reference: String) -> GatewayCall<IntentUpdate>;

    /// Cancels an intent and releases what was authorised.
    fn cancel_intent(&self, reference: String) -> GatewayCall<IntentUpdate>;

    /// The refund's id is the idempotency key.
    fn create_refund(&self, new: NewRefund) -> GatewayCall<RefundUpdate>;

    fn retrieve_refund(&self, reference: String) -> GatewayCall<RefundUpdate>;

    /// Searches the refunds of an intent for one whose answer was lost.
    fn find_refund(&self, new: NewRefund) -> GatewayCall<Option<RefundUpdate>>;

    /// Reads a webhook, after checking its signature over the raw body.
    ///
    /// # Errors
    /// [`WebhookError`]; the body must not be used then.
    fn read_webhook(
        &self,
        body: &[u8],
        signature: &str,
        now: DateTime<Utc>,
    ) -> Result<WebhookEvent, WebhookError>;
}

pub(crate) type GatewayCall<T> = BoxFuture<'static, Result<T, GatewayError>>;

#[derive(Clone, Debug)]
pub(crate) struct NewIntent {
    /// Idempotency key; it also identifies webhooks that arrive before the call's answer.
    pub(crate) payment_id: PaymentId,
    /// Shown in the provider's dashboard.
    pub(crate) order_id: OrderId,
    pub(crate) amount: Money,
}

#[derive(Clone, Debug)]
pub(crate) struct NewRefund {
    /// Idempotency key; it also identifies refund webhooks.
    pub(crate) refund_id: RefundId,
    /// The provider's id of the intent.
    pub(crate) intent: String,
    pub(crate) amount: Money,
}

/// The provider's object for a payment.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Intent {
    /// The provider's id.
    pub(crate) reference: String,
    /// The customer's browser pays with it.
    pub(crate) client_secret: String,
}

/// Without the secret.
impl fmt::Debug for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Intent({})", self.reference)
    }
}

/// The provider's current data of an intent, from an answer or a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IntentUpdate {
    pub(crate) intent: Intent,
    pub(crate) status: IntentStatus,
    /// Why the last card was declined, if it was.
    pub(crate) declined: Option<Decline>,
    pub(crate) captured: Option<Money>,
    /// Our payment, from the metadata of the intent.
    pub(crate) payment_id: Option<PaymentId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntentStatus {
    /// The provider waits for a card, a confirmation or 3-D Secure.
    AwaitingCustomer,
    Processing,
    /// The money is reserved on the card.
    Authorised,
    /// The money is captured.
    Succeeded,
    Canceled,
}

/// Why a card was declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decline {
    InsufficientFunds,
    /// Any other reason, also a failed 3-D Secure challenge.
    Declined,
}

/// The provider's current data of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefundUpdate {
    /// The provider's id.
    pub(crate) reference: String,
    pub(crate) status: RefundStatus,
    /// Our refund, from the metadata of the provider's.
    pub(crate) refund_id: Option<RefundId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RefundStatus {
    Pending,
    Succeeded,
    /// With the provider's code.
    Failed(String),
}

/// A webhook that has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebhookEvent {
    /// The provider's id of the event, for deduplication.
    pub(crate) id: String,
    /// The provider's event type.
    pub(crate) kind: String,
    pub(crate) subject: Subject,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Intent(IntentUpdate),
    Refund(RefundUpdate),
    /// Refunds of this intent have changed, without details.
    RefundsOf(String),
    /// An event type that has no effect here.
    Ignored,
}

/// A call to the provider failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GatewayError {
    /// No answer, or a temporary one: timeout, transport, 409, 429, 5xx. The result is not known.
    #[error("the payment provider is unavailable: {0}")]
    Unavailable(String),
    /// The provider rejected the request, with this code.
    #[error("the payment provider refused: {0}")]
    Refused(String),
}

/// Why a webhook is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WebhookError {
    #[error("the signature header is missing or malformed")]
    NoSignature,
    #[error("the signature does not match the body")]
    WrongSignature,
    /// Signed too long ago, or in the future.
    #[error("the signature's time is too far from now")]
    OutsideTolerance,
    /// The signature is right, but the body is not an event.
    #[error("the body is not a webhook event")]
    Malformed,
}
