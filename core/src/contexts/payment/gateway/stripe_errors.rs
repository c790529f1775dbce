//! What an error of Stripe means: <https://docs.stripe.com/api/errors>.
//!
//! The one place that decides between "the customer's bank says no", "we are not let in", "slower"
//! and "not like this". Only a `card_error` is a decline: a customer whose card nobody has asked must
//! never read that it was declined.

use chrono::TimeDelta;
use serde::Deserialize;

use super::stripe_texts::code;
use super::{Decline, GatewayError};

#[derive(Debug, Deserialize)]
pub(super) struct ErrorAnswer {
    error: Problem,
}

#[derive(Debug, Default, Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    decline_code: Option<String>,
}

/// The codes of requests that came too late: the object shows what happened instead.
const MOVED_ON: [&str; 4] = [
    "charge_already_refunded",
    "charge_already_captured",
    "payment_intent_unexpected_state",
    "idempotency_error",
];

/// An answer that is no success.
pub(super) fn classify(
    status: u16,
    retry_after: Option<TimeDelta>,
    answer: Option<ErrorAnswer>,
) -> GatewayError {
    let problem = answer.map(|it| it.error).unwrap_or_default();
    let kind = problem.kind.clone().unwrap_or_default();
    let decline = decline(problem.decline_code.as_deref().or(problem.code.as_deref()));
    let code = problem.code();
    match (status, kind.as_str()) {
        (400..500, "card_error") => GatewayError::Declined(decline),
        (401 | 403, _) => GatewayError::KeyRejected(code.unwrap_or_else(|| status.to_string())),
        (404, _) => GatewayError::Missing(code.unwrap_or_else(|| status.to_string())),
        (429, _) | (400..500, "rate_limit_error") => GatewayError::SlowDown(retry_after),
        // Kept for the key, and answered to it again: <https://docs.stripe.com/api/idempotent_requests>.
        (500, _) => GatewayError::Failed,
        // 409: another request with this idempotency key is being processed.
        (408 | 409, _) | (_, "api_error") => GatewayError::Unavailable(status.to_string()),
        (400..500, "idempotency_error") => GatewayError::MovedOn(kind),
        (400..500, "invalid_request_error") => match code {
            Some(code) if MOVED_ON.contains(&code.as_str()) => GatewayError::MovedOn(code),
            code => GatewayError::Refused(code.unwrap_or(kind)),
        },
        // A refusal in no words of Stripe's is a gateway's on the way, or nothing that we know.
        _ => GatewayError::Unavailable(status.to_string()),
    }
}

pub(super) fn decline(code: Option<&str>) -> Decline {
    match code {
        Some("insufficient_funds") => Decline::InsufficientFunds,
        Some(_) | None => Decline::Declined,
    }
}

impl Problem {
    /// The most specific code; never the message, which can contain personal data.
    fn code(self) -> Option<String> {
        code(self.decline_code.or(self.code))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(status: u16, error: &Value) -> GatewayError {
        let answer = serde_json::from_value(json!({ "error": error })).ok();
        classify(status, Some(TimeDelta::seconds(7)), answer)
    }

    fn typed(kind: &str, code: &str) -> Value {
        json!({ "type": kind, "code": code })
    }

    /// C03: everything that is about us, and nothing of it, is a decline.
    #[test]
    fn only_the_customers_bank_declines() {
        let card = json!({ "type": "card_error", "code": "card_declined",
            "decline_code": "insufficient_funds" });
        let declined = GatewayError::Declined(Decline::InsufficientFunds);
        assert_eq!(of(402, &card), declined);
        let invalid = "invalid_request_error";
        for (status, code) in [
            (401, "api_key_expired"),
            (403, "secret_key_required"),
            (401, "card_declined"),
        ] {
            let rejected = GatewayError::KeyRejected(code.to_owned());
            assert_eq!(of(status, &typed(invalid, code)), rejected);
        }
        assert_eq!(
            of(404, &typed(invalid, "resource_missing")),
            GatewayError::Missing("resource_missing".to_owned())
        );
        assert_eq!(of(500, &typed("api_error", "")), GatewayError::Failed);
        assert_eq!(classify(500, None, None), GatewayError::Failed);
        for (status, kind) in [(502, "api_error"), (503, ""), (409, invalid), (302, "")] {
            let error = of(status, &typed(kind, "lock_timeout"));
            assert!(
                matches!(error, GatewayError::Unavailable(_)),
                "{status} {error:?}"
            );
        }
        assert_eq!(
            of(400, &typed(invalid, "amount_too_small")),
            GatewayError::Refused("amount_too_small".to_owned())
        );
        assert_eq!(
            of(400, &json!({ "type": invalid })),
            GatewayError::Refused(invalid.to_owned())
        );
        let foreign = classify(400, None, None);
        assert!(
            matches!(foreign, GatewayError::Unavailable(_)),
            "{foreign:?}"
        );
    }

    /// C38
    #[test]
    fn slower_is_neither_an_outage_nor_a_refusal() {
        let asked = GatewayError::SlowDown(Some(TimeDelta::seconds(7)));
        assert_eq!(
            of(429, &typed("invalid_request_error", "rate_limit")),
            asked
        );
        assert_eq!(of(400, &typed("rate_limit_error", "lock_timeout")), asked);
    }

    /// C06
    #[test]
    fn what_has_happened_already_is_no_refusal() {
        for error in [
            typed("invalid_request_error", "charge_already_refunded"),
            typed("invalid_request_error", "payment_intent_unexpected_state"),
            typed("idempotency_error", "any"),
        ] {
            let error = of(400, &error);
            assert!(matches!(error, GatewayError::MovedOn(_)), "{error:?}");
        }
    }
}
