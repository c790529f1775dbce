//! Stripe's JSON objects, as far as they are used, and their conversion to the gateway's types.

use chrono::{DateTime, Datelike as _, Utc};
use eventify_protocol::money::{Currency, Money};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::stripe_texts::{Name, code};
use super::{
    DisputeStatus, DisputeUpdate, Intent, IntentStatus, IntentUpdate, Made, Origin, RefundStatus,
    RefundUpdate, Subject, WebhookEvent, stripe_errors,
};

/// Keys of the `metadata` that intents and refunds carry.
pub(super) const PAYMENT_ID: &str = "payment_id";
pub(super) const ORDER_ID: &str = "order_id";
pub(super) const INSTALLATION: &str = "installation";
pub(super) const REFUND_ID: &str = "refund_id";
pub(super) const ATTEMPT: &str = "attempt";

/// What makes an intent one: without these it is nobody's. Each other field is read by itself, here and
/// below: what somebody has put there for their own use must not hide what is ours.
#[derive(Debug, Deserialize)]
pub(super) struct PaymentIntent {
    id: Name,
    client_secret: Name,
    status: String,
    #[serde(default, deserialize_with = "if_known")]
    currency: Option<String>,
    #[serde(default, deserialize_with = "if_known")]
    amount: Option<i64>,
    #[serde(default, deserialize_with = "if_known")]
    amount_received: Option<i64>,
    #[serde(default, deserialize_with = "if_known")]
    last_payment_error: Option<PaymentProblem>,
    #[serde(default, deserialize_with = "if_known")]
    metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
struct PaymentProblem {
    #[serde(default, deserialize_with = "if_known")]
    code: Option<String>,
    #[serde(default, deserialize_with = "if_known")]
    decline_code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    id: Name,
    /// Absent in older answers: the refund is done. Of another shape it is no refund: money is not guessed.
    status: Option<String>,
    #[serde(default, deserialize_with = "if_known")]
    failure_reason: Option<String>,
    #[serde(default, deserialize_with = "if_known")]
    payment_intent: Option<Reference>,
    #[serde(default, deserialize_with = "if_known")]
    amount: Option<i64>,
    #[serde(default, deserialize_with = "if_known")]
    currency: Option<String>,
    #[serde(default, deserialize_with = "if_known")]
    created: Option<i64>,
    #[serde(default, deserialize_with = "if_known")]
    metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dispute {
    id: Name,
    #[serde(default, deserialize_with = "if_known")]
    payment_intent: Option<Reference>,
    #[serde(default, deserialize_with = "if_known")]
    amount: Option<i64>,
    #[serde(default, deserialize_with = "if_known")]
    currency: Option<String>,
    status: String,
    #[serde(default, deserialize_with = "if_known")]
    reason: Option<String>,
    #[serde(default, deserialize_with = "if_known")]
    created: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    pub(super) has_more: bool,
}

/// Written by whoever made the object: another shop on the same account may use the same words for
/// other things, so anything is read, and only ids count.
#[derive(Debug, Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    payment_id: Value,
    #[serde(default)]
    order_id: Value,
    #[serde(default)]
    installation: Value,
    #[serde(default)]
    refund_id: Value,
    #[serde(default)]
    attempt: Value,
}

/// The id of another object, or that object itself.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Reference {
    Id(Name),
    Expanded { id: Name },
}

#[derive(Debug, Deserialize)]
struct Charge {
    #[serde(default, deserialize_with = "if_known")]
    payment_intent: Option<Reference>,
    #[serde(default, deserialize_with = "if_known")]
    amount_refunded: Option<i64>,
    #[serde(default, deserialize_with = "if_known")]
    currency: Option<String>,
}

/// What is signed may be anything: events of other kinds have no `data` (thin ones) or other names.
#[derive(Debug, Default, Deserialize)]
struct Event {
    #[serde(default, deserialize_with = "if_known")]
    id: Option<Name>,
    #[serde(rename = "type", default, deserialize_with = "if_known")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "if_known")]
    data: Option<EventData>,
}

#[derive(Debug, Deserialize)]
struct EventData {
    #[serde(default)]
    object: Value,
}

/// A field as we know it; one of another shape is as absent.
fn if_known<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    field: D,
) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(field)?).ok())
}

impl Reference {
    fn id(self) -> String {
        match self {
            Self::Id(id) | Self::Expanded { id } => id.0,
        }
    }
}

/// An id of ours, where there is one.
fn our_id<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

/// `None` for an amount below zero, or in a currency that is not sold in.
fn money(currency: Option<&str>, minor: Option<i64>) -> Option<Money> {
    let currency = Currency::parse(&currency?.to_ascii_uppercase()).ok()?;
    Money::from_minor(currency, minor?).ok()
}

/// `None` for a time that this provider has never seen.
fn time(seconds: Option<i64>) -> Option<DateTime<Utc>> {
    let time = DateTime::from_timestamp(seconds?, 0)?;
    (1970..10_000).contains(&time.year()).then_some(time)
}

impl PaymentIntent {
    /// An unknown status counts as processing.
    pub(super) fn update(self) -> IntentUpdate {
        let status = match self.status.as_str() {
            "requires_payment_method" | "requires_confirmation" | "requires_action" => {
                IntentStatus::AwaitingCustomer
            }
            "requires_capture" => IntentStatus::Authorised,
            "succeeded" => IntentStatus::Succeeded,
            "canceled" => IntentStatus::Canceled,
            _ => IntentStatus::Processing,
        };
        // With another card, the last problem is no longer the current one.
        let problem = self
            .last_payment_error
            .filter(|_| self.status == "requires_payment_method");
        let of_problem = |it: PaymentProblem| it.decline_code.or(it.code);
        let metadata = self.metadata.unwrap_or_default();
        IntentUpdate {
            intent: Intent {
                reference: self.id.0,
                client_secret: self.client_secret.0,
            },
            status,
            declined: problem.map(|it| stripe_errors::decline(of_problem(it).as_deref())),
            amount: money(self.currency.as_deref(), self.amount),
            captured: money(self.currency.as_deref(), self.amount_received),
            payment_id: our_id(&metadata.payment_id),
            origin: metadata.origin(),
        }
    }
}

impl Metadata {
    fn origin(&self) -> Option<Origin> {
        Some(Origin {
            installation: our_id(&self.installation)?,
            payment_id: our_id(&self.payment_id)?,
            order_id: our_id(&self.order_id)?,
        })
    }
}

impl Charge {
    fn refunds(self) -> Option<Subject> {
        Some(Subject::RefundsOf {
            refunded: money(self.currency.as_deref(), self.amount_refunded),
            intent: self.payment_intent?.id(),
        })
    }
}

impl Refund {
    pub(super) fn update(self) -> RefundUpdate {
        let status = match self.status.as_deref() {
            Some("succeeded") | None => RefundStatus::Succeeded,
            Some(end @ ("failed" | "canceled")) => {
                RefundStatus::Failed(code(self.failure_reason).unwrap_or_else(|| end.to_owned()))
            }
            Some("requires_action") => RefundStatus::NeedsCustomer,
            Some(_) => RefundStatus::Pending,
        };
        let metadata = self.metadata.unwrap_or_default();
        let attempt = metadata.attempt.as_str().and_then(|it| it.parse().ok());
        RefundUpdate {
            reference: self.id.0,
            status,
            intent: self.payment_intent.map(Reference::id),
            amount: money(self.currency.as_deref(), self.amount),
            refund_id: our_id(&metadata.refund_id),
            attempt: attempt.unwrap_or(1),
            made_at: time(self.created),
        }
    }
}

impl Dispute {
    /// `None` for a dispute about no intent, as older charges have.
    pub(super) fn update(self) -> Option<DisputeUpdate> {
        let status = match self.status.as_str() {
            "lost" => DisputeStatus::Lost,
            // A warning that was closed took no money.
            "won" | "warning_closed" | "prevented" => DisputeStatus::Won,
            _ => DisputeStatus::Open,
        };
        Some(DisputeUpdate {
            reference: self.id.0,
            intent: self.payment_intent?.id(),
            amount: money(self.currency.as_deref(), self.amount),
            status,
            reason: code(self.reason).unwrap_or_else(|| "unknown".to_owned()),
            made_at: time(self.created),
        })
    }
}

/// What an object of a list is about. Nothing that is shaped otherwise can be ours.
pub(super) fn subject_of(made: Made, object: Value) -> Subject {
    let subject = match made {
        Made::Intents => read::<PaymentIntent>(object).map(|it| Subject::Intent(it.update())),
        Made::Refunds => read::<Refund>(object).map(|it| Subject::Refund(it.update())),
        Made::Disputes => read::<Dispute>(object)
            .and_then(Dispute::update)
            .map(Subject::Dispute),
    };
    subject.unwrap_or(Subject::Ignored)
}

fn read<T: DeserializeOwned>(object: Value) -> Option<T> {
    serde_json::from_value(object).ok()
}

/// `None` when the body is no JSON. Whatever else it is, was signed for us, and what is not ours has no
/// effect: one account may serve several shops, and each sees the events of all.
pub(super) fn event(body: &[u8]) -> Option<WebhookEvent> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let Event { id, kind, data } = read(body).unwrap_or_default();
    let kind = code(kind);
    let subject = match (&id, &kind, data) {
        (Some(_), Some(kind), Some(data)) => Some(about(kind, data.object)),
        _ => None,
    };
    Some(WebhookEvent {
        id: id.filter(|_| subject.is_some()).map(|id| id.0),
        kind: kind.unwrap_or_else(|| "unknown".to_owned()),
        subject: subject.unwrap_or(Subject::Ignored),
    })
}

fn about(kind: &str, object: Value) -> Subject {
    match kind {
        "payment_intent.amount_capturable_updated"
        | "payment_intent.succeeded"
        | "payment_intent.payment_failed"
        | "payment_intent.canceled"
        | "payment_intent.processing"
        | "payment_intent.requires_action" => subject_of(Made::Intents, object),
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            subject_of(Made::Refunds, object)
        }
        "charge.dispute.created"
        | "charge.dispute.updated"
        | "charge.dispute.funds_withdrawn"
        | "charge.dispute.funds_reinstated"
        | "charge.dispute.closed" => subject_of(Made::Disputes, object),
        "charge.refunded" => {
            let charge = read::<Charge>(object);
            charge.and_then(Charge::refunds).unwrap_or(Subject::Ignored)
        }
        _ => Subject::Ignored,
    }
}

#[cfg(test)]
mod tests;
