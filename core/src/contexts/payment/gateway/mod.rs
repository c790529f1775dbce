//! The payment service provider: what the core asks of it and what it says, in our words.
//!
//! [`PaymentGateway`] is replaced where the provider is another; everything that knows Stripe's
//! words stands in `stripe`. Deliberately not here: card data. The customer's browser gives it to
//! the provider, with the client secret of the intent.

use std::fmt;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{OrderId, PaymentId, RefundId};
use eventify_protocol::money::Money;
use futures_util::future::BoxFuture;

mod signature;
mod stripe;
mod stripe_words;

pub(crate) use stripe::Stripe;

/// A provider. Calls are made once; timeouts, retries and the breaker are around them.
pub(crate) trait PaymentGateway: fmt::Debug + Send + Sync {
    /// `stripe`; stored with each payment.
    fn name(&self) -> &'static str;

    /// Opens an intent that is captured by hand. The payment's id is the idempotency key.
    fn create_intent(&self, new: NewIntent) -> Asked<IntentSeen>;

    /// How an intent stands.
    fn intent(&self, reference: String) -> Asked<IntentSeen>;

    /// Takes the whole authorised amount.
    fn capture(&self, reference: String) -> Asked<IntentSeen>;

    /// Closes an intent and lets go of what was authorised.
    fn cancel(&self, reference: String) -> Asked<IntentSeen>;

    /// Sends money back. The refund's id is the idempotency key.
    fn refund(&self, new: NewRefund) -> Asked<RefundSeen>;

    /// How a refund stands.
    fn refund_state(&self, reference: String) -> Asked<RefundSeen>;

    /// Looks for a refund whose answer was lost, among those of its intent.
    fn find_refund(&self, new: NewRefund) -> Asked<Option<RefundSeen>>;

    /// Reads a webhook, after checking its signature over the raw body.
    ///
    /// # Errors
    /// [`WebhookError`]; nothing in the body may be believed then.
    fn read_webhook(
        &self,
        body: &[u8],
        signature: &str,
        now: DateTime<Utc>,
    ) -> Result<PspEvent, WebhookError>;
}

/// A call to the provider.
pub(crate) type Asked<T> = BoxFuture<'static, Result<T, PspError>>;

/// What is to be paid.
#[derive(Clone, Debug)]
pub(crate) struct NewIntent {
    /// Idempotency key, and how webhooks are recognised that overtake the answer.
    pub(crate) payment_id: PaymentId,
    /// For people who look at the provider's dashboard.
    pub(crate) order_id: OrderId,
    /// How much.
    pub(crate) amount: Money,
}

/// What is to go back.
#[derive(Clone, Debug)]
pub(crate) struct NewRefund {
    /// Idempotency key, and how refund events are recognised.
    pub(crate) refund_id: RefundId,
    /// The provider's id of the intent.
    pub(crate) intent: String,
    /// How much.
    pub(crate) amount: Money,
}

/// The provider's side of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Intent {
    /// The provider's id.
    pub(crate) reference: String,
    /// With this the customer's browser pays.
    pub(crate) client_secret: String,
}

/// How an intent stands, from an answer or a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IntentSeen {
    /// Which.
    pub(crate) intent: Intent,
    /// Its status.
    pub(crate) status: IntentStatus,
    /// Why the last card was refused, if it was.
    pub(crate) declined: Option<Decline>,
    /// What was captured, where the provider says so.
    pub(crate) received: Option<Money>,
    /// Our payment, as given when the intent was made.
    pub(crate) payment_id: Option<PaymentId>,
}

/// The states of an intent that make a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntentStatus {
    /// A card, a confirmation or 3-D Secure is awaited.
    AwaitingCustomer,
    /// The provider is at work.
    Processing,
    /// The money is reserved on the card.
    Authorised,
    /// The money is ours.
    Succeeded,
    /// Closed.
    Canceled,
}

/// Why a card was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decline {
    /// The account can't cover it.
    InsufficientFunds,
    /// Anything else, a failed 3-D Secure challenge too.
    Declined,
}

/// How a refund stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefundSeen {
    /// The provider's id.
    pub(crate) reference: String,
    /// Its status.
    pub(crate) status: RefundStatus,
    /// Our refund, as given when it was made.
    pub(crate) refund_id: Option<RefundId>,
}

/// The states of a refund that make a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RefundStatus {
    /// On its way.
    Pending,
    /// Done.
    Succeeded,
    /// It will not happen; the provider's code.
    Failed(String),
}

/// A webhook that has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PspEvent {
    /// The provider's id of the event: each has its effect once.
    pub(crate) id: String,
    /// The provider's name of what happened.
    pub(crate) kind: String,
    /// What it is about.
    pub(crate) about: About,
}

/// What a webhook is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// An intent.
    Intent(IntentSeen),
    /// A refund.
    Refund(RefundSeen),
    /// Refunds of this intent have changed; ask about them.
    RefundsOf(String),
    /// Nothing that matters here.
    Nothing,
}

/// The provider didn't do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PspError {
    /// No answer, or one that says "later": timeout, transport, 409, 429, 5xx. The outcome is not
    /// known.
    #[error("the payment provider is unavailable: {0}")]
    Unavailable(String),
    /// An answer: no. The provider's code.
    #[error("the payment provider refused: {0}")]
    Refused(String),
}

/// Why a webhook is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WebhookError {
    /// No header, or one of another form.
    #[error("the signature header is missing or malformed")]
    NoSignature,
    /// None of the signatures fits the body.
    #[error("the signature does not fit the body")]
    WrongSignature,
    /// Signed more than the tolerance ago, or ahead.
    #[error("the signature's time is too far from now")]
    OutsideTolerance,
    /// Signed, but not what a webhook looks like.
    #[error("the body is no webhook event")]
    Malformed,
}
