//! The payment service provider: calls and webhooks, independent of a particular provider.
//!
//! [`PaymentGateway`] is replaced for another provider; only `stripe` knows Stripe's API.
//! Deliberately not here: card data. The customer's browser sends it to the provider, with the
//! client secret of the intent.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use eventify_protocol::ids::{OrderId, PaymentId, RefundId};
use eventify_protocol::money::Money;
use futures_util::future::BoxFuture;
use uuid::Uuid;

mod lines;
mod signature;
mod stripe;
mod stripe_errors;
mod stripe_objects;
mod stripe_texts;

pub(crate) use lines::{Calls, Line, Lines};
pub(crate) use stripe::Stripe;

/// A provider. Each method is one call; the caller adds timeouts, retries and the breaker.
pub(crate) trait PaymentGateway: fmt::Debug + Send + Sync {
    /// Stored with each payment.
    fn name(&self) -> &'static str;

    /// Creates an intent with manual capture. Payment and attempt are the idempotency key.
    fn create_intent(&self, new: NewIntent) -> GatewayCall<IntentUpdate>;

    fn retrieve_intent(&self, reference: String) -> GatewayCall<IntentUpdate>;

    /// Captures the whole authorised amount. The key is of this call alone: what has captured once is
    /// captured, and the provider refuses a second time.
    fn capture_intent(&self, reference: String, key: Uuid) -> GatewayCall<IntentUpdate>;

    /// Cancels an intent and releases what was authorised, with a key of this call alone.
    fn cancel_intent(&self, reference: String, key: Uuid) -> GatewayCall<IntentUpdate>;

    /// Refund, attempt and request are the idempotency key.
    fn create_refund(&self, new: NewRefund) -> GatewayCall<RefundUpdate>;

    fn retrieve_refund(&self, reference: String) -> GatewayCall<RefundUpdate>;

    /// The refunds of an intent, ours and others.
    fn list_refunds(&self, intent: String) -> GatewayCall<Vec<RefundUpdate>>;

    /// A page of what the provider has made since a time, for the comparison.
    fn list_made(&self, listing: Listing) -> GatewayCall<Listed>;

    fn retrieve_dispute(&self, reference: String) -> GatewayCall<DisputeUpdate>;

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
    /// From 1: a refused request is made anew under another key.
    pub(crate) attempt: i32,
    /// Shown in the provider's dashboard.
    pub(crate) order_id: OrderId,
    /// Who made it: one account may serve several.
    pub(crate) installation: Uuid,
    pub(crate) amount: Money,
}

#[derive(Clone, Debug)]
pub(crate) struct NewRefund {
    /// Idempotency key; it also identifies refund webhooks.
    pub(crate) refund_id: RefundId,
    /// From 1: what was refused or came back is requested anew under another key.
    pub(crate) attempt: i32,
    /// From 0: the same attempt under another key, after the provider has failed inside.
    pub(crate) request: i32,
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
    /// What is to be paid, in a currency that we know.
    pub(crate) amount: Option<Money>,
    /// As far as the provider says it, in a currency that we know.
    pub(crate) captured: Option<Money>,
    /// Our payment, from the metadata of the intent.
    pub(crate) payment_id: Option<PaymentId>,
    /// Where it was made, if that was a system like this one.
    pub(crate) origin: Option<Origin>,
}

/// What an intent says of who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) installation: Uuid,
    pub(crate) payment_id: PaymentId,
    pub(crate) order_id: OrderId,
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
    /// The provider's id of the intent, if it names one.
    pub(crate) intent: Option<String>,
    /// In a currency that we know.
    pub(crate) amount: Option<Money>,
    /// Our refund and which attempt of it, from the metadata of the provider's.
    pub(crate) refund_id: Option<RefundId>,
    pub(crate) attempt: i32,
    pub(crate) made_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RefundStatus {
    Pending,
    /// The customer has to do something before the money can arrive.
    NeedsCustomer,
    Succeeded,
    /// With the provider's code.
    Failed(String),
}

/// The card's bank takes money back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DisputeUpdate {
    /// The provider's id.
    pub(crate) reference: String,
    /// The provider's id of the intent.
    pub(crate) intent: String,
    pub(crate) amount: Option<Money>,
    pub(crate) status: DisputeStatus,
    /// The bank's reason, a code.
    pub(crate) reason: String,
    pub(crate) made_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DisputeStatus {
    Open,
    Won,
    Lost,
}

/// What a comparison reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    Intents,
    Refunds,
    Disputes,
}

#[derive(Clone, Debug)]
pub(crate) struct Listing {
    pub(crate) made: Made,
    pub(crate) since: DateTime<Utc>,
    /// Where the page before ended.
    pub(crate) after: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) subjects: Vec<Subject>,
    /// Objects of the page, also those that are not ours.
    pub(crate) seen: usize,
    /// Where the next page begins; `None` after the last one.
    pub(crate) next: Option<String>,
}

/// A webhook that has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebhookEvent {
    /// The provider's id of the event, for deduplication; none of what is signed and no event as we know them.
    pub(crate) id: Option<String>,
    /// The provider's event type.
    pub(crate) kind: String,
    pub(crate) subject: Subject,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Intent(IntentUpdate),
    Refund(RefundUpdate),
    /// Refunds of this intent have changed, without details; so much is refunded of it, if the provider
    /// says that.
    RefundsOf {
        intent: String,
        refunded: Option<Money>,
    },
    Dispute(DisputeUpdate),
    /// An event type that has no effect here, or an object that can't be ours.
    Ignored,
}

/// A call to the provider failed. What each means for payments and refunds is decided by its kind;
/// the kind is chosen in `stripe_errors` alone, from the type and status of the provider's error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GatewayError {
    /// No answer, or a temporary one: timeout, transport, 5xx. The result is not known.
    #[error("the payment provider is unavailable: {0}")]
    Unavailable(String),
    /// It failed inside and says so, again and again for the same key. The result is not known either:
    /// what may have been made is looked up before it is requested under another key.
    #[error("the payment provider failed inside")]
    Failed,
    /// The provider doesn't know us: a rolled, expired or restricted key. Nobody was charged or
    /// declined; the work waits.
    #[error("the payment provider doesn't take our key: {0}")]
    KeyRejected(String),
    /// The provider doesn't know an object that it made for us: another account.
    #[error("the payment provider doesn't know what it made for us: {0}")]
    Missing(String),
    /// Fewer calls, please; perhaps for how long.
    #[error("the payment provider asks for fewer calls")]
    SlowDown(Option<TimeDelta>),
    /// The customer's bank says no.
    #[error("the card was declined: {0:?}")]
    Declined(Decline),
    /// The object has moved on without us: whoever asked reads it.
    #[error("the payment provider has done that already: {0}")]
    MovedOn(String),
    /// The provider rejects the request itself, with this code.
    #[error("the payment provider refuses: {0}")]
    Refused(String),
}

impl GatewayError {
    /// The provider's code of a refusal.
    pub(crate) fn code(self) -> String {
        match self {
            Self::Refused(code) | Self::MovedOn(code) => code,
            other @ (Self::Unavailable(_)
            | Self::Failed
            | Self::KeyRejected(_)
            | Self::Missing(_)
            | Self::SlowDown(_)
            | Self::Declined(_)) => other.to_string(),
        }
    }
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
    /// The signature is right, but the body is no JSON.
    #[error("the body is not JSON")]
    Malformed,
}

impl WebhookError {
    /// A code.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NoSignature => "no_signature",
            Self::WrongSignature => "wrong_signature",
            Self::OutsideTolerance => "outside_tolerance",
            Self::Malformed => "malformed",
        }
    }
}
