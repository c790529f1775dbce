//! Stripe, by its HTTP API: form-encoded requests, JSON answers, `Idempotency-Key` on every POST.
//!
//! <https://docs.stripe.com/api>: payment intents (create, retrieve, capture, cancel) and refunds
//! (create, retrieve, list). A refused capture or cancel is not the last word: the intent is
//! looked up, and its status decides.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{PaymentId, RefundId};
use futures_util::FutureExt;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

use super::stripe_words::{
    self as words, ErrorAnswer, List, ORDER_ID, PAYMENT_ID, PaymentIntent, REFUND_ID, Refund,
};
use super::{
    Asked, IntentSeen, NewIntent, NewRefund, PaymentGateway, PspError, PspEvent, RefundSeen,
    WebhookError, signature,
};
use crate::contexts::payment::model;

/// Refunds of one intent that are looked through.
const MAX_REFUNDS_LISTED: &str = "100";

/// The client. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Stripe(Arc<Inner>);

struct Inner {
    http: Client,
    config: model::StripeSettings,
}

/// Without the secrets.
impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stripe")
            .field("api_url", &self.config.api_url)
            .finish_non_exhaustive()
    }
}

impl Stripe {
    /// A client for `[payment.stripe]`.
    ///
    /// # Errors
    /// The TLS library could not be set up.
    pub(crate) fn new(config: model::StripeSettings) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .timeout(config.request_timeout())
            .user_agent("eventify-core")
            .build()?;
        Ok(Self(Arc::new(Inner { http, config })))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.0
            .http
            .get(self.url(path))
            .bearer_auth(&self.0.config.secret_key)
    }

    fn post(&self, path: &str, key: &str, form: &[(String, String)]) -> RequestBuilder {
        self.0
            .http
            .post(self.url(path))
            .bearer_auth(&self.0.config.secret_key)
            .header("Idempotency-Key", key)
            .form(form)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.0.config.api_url)
    }

    async fn look_up(&self, reference: &str) -> Result<IntentSeen, PspError> {
        let intent = answer::<PaymentIntent>(self.get(&format!("payment_intents/{reference}")));
        Ok(intent.await?.seen())
    }

    async fn act(&self, reference: &str, verb: &str) -> Result<IntentSeen, PspError> {
        let path = format!("payment_intents/{reference}/{verb}");
        // An act has the same key for ever: an intent is captured once, and closed once.
        match answer::<PaymentIntent>(self.post(&path, &format!("{verb}/{reference}"), &[])).await {
            Ok(intent) => Ok(intent.seen()),
            Err(PspError::Refused(code)) => {
                tracing::info!(reference, verb, code, "refused; looking the intent up");
                self.look_up(reference).await
            }
            Err(error) => Err(error),
        }
    }
}

impl PaymentGateway for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn create_intent(&self, new: NewIntent) -> Asked<IntentSeen> {
        let this = self.clone();
        async move {
            let form = [
                ("amount".to_owned(), new.amount.minor().to_string()),
                (
                    "currency".to_owned(),
                    new.amount.currency().code().to_ascii_lowercase(),
                ),
                ("capture_method".to_owned(), "manual".to_owned()),
                ("payment_method_types[]".to_owned(), "card".to_owned()),
                metadata(PAYMENT_ID, new.payment_id),
                metadata(ORDER_ID, new.order_id),
            ];
            let key = intent_key(new.payment_id);
            let request = this.post("payment_intents", &key, &form);
            Ok(answer::<PaymentIntent>(request).await?.seen())
        }
        .boxed()
    }

    fn intent(&self, reference: String) -> Asked<IntentSeen> {
        let this = self.clone();
        async move { this.look_up(&reference).await }.boxed()
    }

    fn capture(&self, reference: String) -> Asked<IntentSeen> {
        let this = self.clone();
        async move { this.act(&reference, "capture").await }.boxed()
    }

    fn cancel(&self, reference: String) -> Asked<IntentSeen> {
        let this = self.clone();
        async move { this.act(&reference, "cancel").await }.boxed()
    }

    fn refund(&self, new: NewRefund) -> Asked<RefundSeen> {
        let this = self.clone();
        async move {
            let form = [
                ("payment_intent".to_owned(), new.intent),
                ("amount".to_owned(), new.amount.minor().to_string()),
                metadata(REFUND_ID, new.refund_id),
            ];
            let request = this.post("refunds", &refund_key(new.refund_id), &form);
            Ok(answer::<Refund>(request).await?.seen())
        }
        .boxed()
    }

    fn refund_state(&self, reference: String) -> Asked<RefundSeen> {
        let this = self.clone();
        async move {
            let request = this.get(&format!("refunds/{reference}"));
            Ok(answer::<Refund>(request).await?.seen())
        }
        .boxed()
    }

    fn find_refund(&self, new: NewRefund) -> Asked<Option<RefundSeen>> {
        let this = self.clone();
        async move {
            let query = [
                ("payment_intent", new.intent.as_str()),
                ("limit", MAX_REFUNDS_LISTED),
            ];
            let refunds = answer::<List<Refund>>(this.get("refunds").query(&query)).await?;
            let mut seen = refunds.data.into_iter().map(Refund::seen);
            Ok(seen.find(|refund| refund.refund_id == Some(new.refund_id)))
        }
        .boxed()
    }

    fn read_webhook(
        &self,
        body: &[u8],
        header: &str,
        now: DateTime<Utc>,
    ) -> Result<PspEvent, WebhookError> {
        signature::verify(&self.0.config.webhook_secrets, header, body, now)?;
        words::event(body).ok_or(WebhookError::Malformed)
    }
}

fn intent_key(payment: PaymentId) -> String {
    format!("intent/{payment}")
}

fn refund_key(refund: RefundId) -> String {
    format!("refund/{refund}")
}

fn metadata(key: &str, value: impl std::fmt::Display) -> (String, String) {
    (format!("metadata[{key}]"), value.to_string())
}

/// Sends and reads: 2xx is the answer, 4xx a refusal, everything else leaves the outcome open.
async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, PspError> {
    let unavailable = |error: reqwest::Error| PspError::Unavailable(kind_of(&error).to_owned());
    let response = request.send().await.map_err(unavailable)?;
    let status = response.status();
    if status.is_success() {
        return response.json().await.map_err(unavailable);
    }
    // 409: another request with this idempotency key is under way.
    let later = [
        StatusCode::CONFLICT,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::REQUEST_TIMEOUT,
    ];
    if !status.is_client_error() || later.contains(&status) {
        return Err(PspError::Unavailable(status.to_string()));
    }
    let code = response
        .json::<ErrorAnswer>()
        .await
        .map_or_else(|_| status.to_string(), ErrorAnswer::code);
    Err(PspError::Refused(code))
}

/// A word for the log; the error itself shows the URL.
fn kind_of(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "no connection"
    } else if error.is_decode() || error.is_body() {
        "unreadable answer"
    } else {
        "transport error"
    }
}
