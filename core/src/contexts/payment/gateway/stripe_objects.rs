//! Stripe's JSON objects, as far as they are used, and their conversion to the gateway's types.

use chrono::{DateTime, Utc};
use eventify_protocol::money::{Currency, Money};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

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

#[derive(Debug, Deserialize)]
pub(super) struct PaymentIntent {
    id: String,
    client_secret: String,
    status: String,
    currency: String,
    amount: Option<i64>,
    amount_received: Option<i64>,
    last_payment_error: Option<PaymentProblem>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
struct PaymentProblem {
    code: Option<String>,
    decline_code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    id: String,
    /// Absent in older answers: the refund is done.
    status: Option<String>,
    failure_reason: Option<String>,
    payment_intent: Option<Reference>,
    amount: Option<i64>,
    currency: Option<String>,
    created: Option<i64>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dispute {
    id: String,
    payment_intent: Option<Reference>,
    amount: Option<i64>,
    currency: Option<String>,
    status: String,
    reason: Option<String>,
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
    Id(String),
    Expanded { id: String },
}

#[derive(Debug, Deserialize)]
struct Charge {
    payment_intent: Option<Reference>,
    amount_refunded: Option<i64>,
    currency: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: EventData,
}

#[derive(Debug, Deserialize)]
struct EventData {
    object: Value,
}

impl Reference {
    fn id(self) -> String {
        match self {
            Self::Id(id) | Self::Expanded { id } => id,
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

fn time(seconds: Option<i64>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds?, 0)
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
        let code = |it: PaymentProblem| it.decline_code.or(it.code);
        let metadata = self.metadata.unwrap_or_default();
        IntentUpdate {
            intent: Intent {
                reference: self.id,
                client_secret: self.client_secret,
            },
            status,
            declined: problem.map(|it| stripe_errors::decline(code(it).as_deref())),
            amount: money(Some(&self.currency), self.amount),
            captured: money(Some(&self.currency), self.amount_received),
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
                RefundStatus::Failed(self.failure_reason.unwrap_or_else(|| end.to_owned()))
            }
            Some("requires_action") => RefundStatus::NeedsCustomer,
            Some(_) => RefundStatus::Pending,
        };
        let metadata = self.metadata.unwrap_or_default();
        let attempt = metadata.attempt.as_str().and_then(|it| it.parse().ok());
        RefundUpdate {
            reference: self.id,
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
            reference: self.id,
            intent: self.payment_intent?.id(),
            amount: money(self.currency.as_deref(), self.amount),
            status,
            reason: self.reason.unwrap_or_else(|| "unknown".to_owned()),
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

/// `None` when the body is no event at all. One of another shop on the same account is an event, and
/// is ignored.
pub(super) fn event(body: &[u8]) -> Option<WebhookEvent> {
    let Event { id, kind, data } = serde_json::from_slice(body).ok()?;
    let subject = match kind.as_str() {
        "payment_intent.amount_capturable_updated"
        | "payment_intent.succeeded"
        | "payment_intent.payment_failed"
        | "payment_intent.canceled"
        | "payment_intent.processing"
        | "payment_intent.requires_action" => subject_of(Made::Intents, data.object),
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            subject_of(Made::Refunds, data.object)
        }
        "charge.dispute.created"
        | "charge.dispute.updated"
        | "charge.dispute.funds_withdrawn"
        | "charge.dispute.funds_reinstated"
        | "charge.dispute.closed" => subject_of(Made::Disputes, data.object),
        "charge.refunded" => {
            let charge = read::<Charge>(data.object);
            charge.and_then(Charge::refunds).unwrap_or(Subject::Ignored)
        }
        _ => Subject::Ignored,
    };
    Some(WebhookEvent { id, kind, subject })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Decline;
    use super::*;

    fn intent(status: &str, more: &serde_json::Value) -> IntentUpdate {
        let mut object = json!({
            "id": "pi_1", "object": "payment_intent", "client_secret": "pi_1_secret_2",
            "status": status, "amount": 3900, "currency": "eur",
            "metadata": {"payment_id": "0198a000-0000-7000-8000-000000000001"},
        });
        for (key, value) in more.as_object().unwrap() {
            object[key] = value.clone();
        }
        serde_json::from_value::<PaymentIntent>(object)
            .unwrap()
            .update()
    }

    #[test]
    fn statuses_are_translated() {
        for (status, meaning) in [
            ("requires_payment_method", IntentStatus::AwaitingCustomer),
            ("requires_confirmation", IntentStatus::AwaitingCustomer),
            ("requires_action", IntentStatus::AwaitingCustomer),
            ("processing", IntentStatus::Processing),
            ("requires_capture", IntentStatus::Authorised),
            ("succeeded", IntentStatus::Succeeded),
            ("canceled", IntentStatus::Canceled),
            ("a_new_one", IntentStatus::Processing),
        ] {
            assert_eq!(intent(status, &json!({})).status, meaning, "{status}");
        }
    }

    #[test]
    fn a_decline_counts_only_while_no_card_is_left() {
        let funds = json!({"last_payment_error":
            {"code": "card_declined", "decline_code": "insufficient_funds"}});
        let declined = intent("requires_payment_method", &funds).declined;
        assert_eq!(declined, Some(Decline::InsufficientFunds));
        assert_eq!(
            intent("requires_action", &funds).declined,
            None,
            "a new card is in 3-D Secure"
        );
        let failed_challenge = json!({"last_payment_error":
            {"code": "payment_intent_authentication_failure"}});
        let declined = intent("requires_payment_method", &failed_challenge).declined;
        assert_eq!(declined, Some(Decline::Declined));
        assert_eq!(intent("requires_payment_method", &json!({})).declined, None);
    }

    #[test]
    fn the_captured_amount_is_money() {
        let captured = intent("succeeded", &json!({"amount_received": 3900})).captured;
        assert_eq!(captured.unwrap().to_string(), "39.00 EUR");
        let nothing = intent("requires_capture", &json!({"amount_received": 0})).captured;
        assert_eq!(nothing.unwrap().to_string(), "0.00 EUR");
        for unknown in [
            json!({}),
            json!({"amount_received": -1}),
            json!({"amount_received": 3900, "currency": "kwd"}),
        ] {
            assert_eq!(intent("succeeded", &unknown).captured, None, "{unknown}");
        }
    }

    /// C02: one account serves several shops.
    #[test]
    fn other_events_are_ignored_and_malformed_ones_rejected() {
        let body = json!({"id": "evt_1", "type": "customer.created", "data": {"object": {}}});
        let event_1 = event(body.to_string().as_bytes()).unwrap();
        assert_eq!(
            (event_1.id.as_str(), event_1.subject),
            ("evt_1", Subject::Ignored)
        );
        for object in [
            json!({}),
            json!({"id": "pi_1", "status": "succeeded", "currency": "eur", "metadata": null}),
        ] {
            let body = json!({"id": "evt_2", "type": "payment_intent.succeeded", "data": {"object": object}});
            let subject = event(body.to_string().as_bytes()).unwrap().subject;
            assert_eq!(subject, Subject::Ignored, "{body}");
        }
        let foreign = intent("succeeded", &json!({"metadata": {"payment_id": 42}}));
        assert_eq!((foreign.payment_id, foreign.origin), (None, None));
        let foreign = json!({"id": "re_1", "amount": 100, "currency": "eur",
            "payment_intent": {"id": "pi_9"}, "metadata": {"refund_id": "R-7"}});
        let foreign = serde_json::from_value::<Refund>(foreign).unwrap().update();
        assert_eq!(
            (foreign.refund_id, foreign.intent.as_deref()),
            (None, Some("pi_9"))
        );
        assert_eq!(event(b"[]"), None);
        let body = json!({"id": "evt_3", "type": "charge.refunded",
            "data": {"object": {"payment_intent": "pi_1"}}});
        let event_3 = event(body.to_string().as_bytes()).unwrap();
        assert_eq!(
            event_3.subject,
            Subject::RefundsOf {
                intent: "pi_1".to_owned(),
                refunded: None,
            }
        );
    }
}
