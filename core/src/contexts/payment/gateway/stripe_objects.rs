//! Stripe's JSON objects, as far as they are used, and their conversion to the gateway's types.

use eventify_protocol::ids::{PaymentId, RefundId};
use eventify_protocol::money::{Currency, Money};
use serde::Deserialize;

use super::{
    Decline, Intent, IntentStatus, IntentUpdate, RefundStatus, RefundUpdate, Subject, WebhookEvent,
};

/// Keys of the `metadata` that intents and refunds carry.
pub(super) const PAYMENT_ID: &str = "payment_id";
pub(super) const ORDER_ID: &str = "order_id";
pub(super) const REFUND_ID: &str = "refund_id";

#[derive(Debug, Deserialize)]
pub(super) struct PaymentIntent {
    id: String,
    client_secret: String,
    status: String,
    currency: String,
    amount_received: Option<i64>,
    last_payment_error: Option<PaymentProblem>,
    #[serde(default)]
    metadata: Metadata,
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
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    payment_id: Option<PaymentId>,
    refund_id: Option<RefundId>,
}

#[derive(Debug, Deserialize)]
struct Charge {
    payment_intent: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ErrorAnswer {
    error: Problem,
}

#[derive(Debug, Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    decline_code: Option<String>,
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
    object: serde_json::Value,
}

impl ErrorAnswer {
    /// The most specific code; never the message, which can contain personal data.
    pub(super) fn code(self) -> String {
        let Problem {
            kind,
            code,
            decline_code,
        } = self.error;
        decline_code
            .or(code)
            .or(kind)
            .unwrap_or_else(|| "unknown".to_owned())
    }
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
        let captured = self
            .amount_received
            .filter(|amount| *amount > 0)
            .and_then(|amount| {
                let currency = Currency::parse(&self.currency.to_ascii_uppercase()).ok()?;
                Money::from_minor(currency, amount).ok()
            });
        IntentUpdate {
            intent: Intent {
                reference: self.id,
                client_secret: self.client_secret,
            },
            status,
            declined: problem.map(PaymentProblem::decline),
            captured,
            payment_id: self.metadata.payment_id,
        }
    }
}

impl PaymentProblem {
    fn decline(self) -> Decline {
        match self.decline_code.or(self.code).as_deref() {
            Some("insufficient_funds") => Decline::InsufficientFunds,
            Some(_) | None => Decline::Declined,
        }
    }
}

impl Refund {
    pub(super) fn update(self) -> RefundUpdate {
        let status = match self.status.as_deref() {
            Some("succeeded") | None => RefundStatus::Succeeded,
            Some(end @ ("failed" | "canceled")) => {
                RefundStatus::Failed(self.failure_reason.unwrap_or_else(|| end.to_owned()))
            }
            Some(_) => RefundStatus::Pending,
        };
        RefundUpdate {
            reference: self.id,
            status,
            refund_id: self.metadata.refund_id,
        }
    }
}

/// `None` when the body is not an event.
pub(super) fn event(body: &[u8]) -> Option<WebhookEvent> {
    let Event { id, kind, data } = serde_json::from_slice(body).ok()?;
    let subject = match kind.as_str() {
        "payment_intent.amount_capturable_updated"
        | "payment_intent.succeeded"
        | "payment_intent.payment_failed"
        | "payment_intent.canceled"
        | "payment_intent.processing"
        | "payment_intent.requires_action" => Subject::Intent(
            serde_json::from_value::<PaymentIntent>(data.object)
                .ok()?
                .update(),
        ),
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            Subject::Refund(serde_json::from_value::<Refund>(data.object).ok()?.update())
        }
        "charge.refunded" => {
            let charge: Charge = serde_json::from_value(data.object).ok()?;
            charge
                .payment_intent
                .map_or(Subject::Ignored, Subject::RefundsOf)
        }
        _ => Subject::Ignored,
    };
    Some(WebhookEvent { id, kind, subject })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
        assert_eq!(
            intent("requires_capture", &json!({"amount_received": 0})).captured,
            None
        );
    }

    #[test]
    fn other_events_are_ignored_and_malformed_ones_rejected() {
        let body = json!({"id": "evt_1", "type": "customer.created", "data": {"object": {}}});
        let event_1 = event(body.to_string().as_bytes()).unwrap();
        assert_eq!(
            (event_1.id.as_str(), event_1.subject),
            ("evt_1", Subject::Ignored)
        );
        let body =
            json!({"id": "evt_2", "type": "payment_intent.succeeded", "data": {"object": {}}});
        assert_eq!(event(body.to_string().as_bytes()), None);
        assert_eq!(event(b"[]"), None);
        let body = json!({"id": "evt_3", "type": "charge.refunded",
            "data": {"object": {"payment_intent": "pi_1"}}});
        let event_3 = event(body.to_string().as_bytes()).unwrap();
        assert_eq!(event_3.subject, Subject::RefundsOf("pi_1".to_owned()));
    }
}
