//! Stripe's HTTP API: form-encoded requests, JSON answers, `Idempotency-Key` on every POST.
//!
//! <https://docs.stripe.com/api>: payment intents (create, retrieve, capture, cancel) and refunds
//! (create, retrieve, list), disputes (retrieve, list). After a refused capture or cancellation the
//! intent is retrieved, and its status decides.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use eventify_protocol::ids::RefundId;
use futures_util::FutureExt;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::stripe_errors::classify;
use super::stripe_objects::{
    self as objects, ATTEMPT, Dispute, INSTALLATION, List, ORDER_ID, PAYMENT_ID, PaymentIntent,
    REFUND_ID, Refund,
};
use super::{
    DisputeUpdate, GatewayCall, GatewayError, IntentUpdate, Listed, Listing, Made, NewIntent,
    NewRefund, PaymentGateway, RefundUpdate, WebhookError, WebhookEvent, signature,
};
use crate::contexts::payment::model;

/// Objects of one page.
const PAGE: &str = "100";

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

    async fn retrieve(&self, reference: &str) -> Result<IntentUpdate, GatewayError> {
        let intent = answer::<PaymentIntent>(self.get(&format!("payment_intents/{reference}")));
        Ok(intent.await?.update())
    }

    async fn act(
        &self,
        reference: &str,
        (verb, key): (&str, Uuid),
    ) -> Result<IntentUpdate, GatewayError> {
        let path = format!("payment_intents/{reference}/{verb}");
        // Its state lets an intent be captured once and cancelled once. A key that never changed would
        // repeat an internal error of the provider for a day.
        let key = format!("{verb}/{reference}/{key}");
        match answer::<PaymentIntent>(self.post(&path, &key, &[])).await {
            Ok(intent) => Ok(intent.update()),
            Err(
                error @ (GatewayError::Refused(_)
                | GatewayError::MovedOn(_)
                | GatewayError::Declined(_)),
            ) => {
                tracing::info!(
                    code = "payment.action_refused",
                    provider_ref = reference,
                    action = verb,
                    reason = %error,
                    "the provider refused an action; its intent is retrieved"
                );
                self.retrieve(reference).await
            }
            Err(error) => Err(error),
        }
    }
}

impl PaymentGateway for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn create_intent(&self, new: NewIntent) -> GatewayCall<IntentUpdate> {
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
                metadata(INSTALLATION, new.installation),
            ];
            let key = intent_key(&new);
            let request = this.post("payment_intents", &key, &form);
            Ok(answer::<PaymentIntent>(request).await?.update())
        }
        .boxed()
    }

    fn retrieve_intent(&self, reference: String) -> GatewayCall<IntentUpdate> {
        let this = self.clone();
        async move { this.retrieve(&reference).await }.boxed()
    }

    fn capture_intent(&self, reference: String, key: Uuid) -> GatewayCall<IntentUpdate> {
        let this = self.clone();
        async move { this.act(&reference, ("capture", key)).await }.boxed()
    }

    fn cancel_intent(&self, reference: String, key: Uuid) -> GatewayCall<IntentUpdate> {
        let this = self.clone();
        async move { this.act(&reference, ("cancel", key)).await }.boxed()
    }

    fn create_refund(&self, new: NewRefund) -> GatewayCall<RefundUpdate> {
        let this = self.clone();
        async move {
            let mut form = vec![
                ("payment_intent".to_owned(), new.intent),
                ("amount".to_owned(), new.amount.minor().to_string()),
                metadata(REFUND_ID, new.refund_id),
            ];
            if new.attempt > 1 {
                form.push(metadata(ATTEMPT, new.attempt));
            }
            let key = refund_key(new.refund_id, (new.attempt, new.request));
            let request = this.post("refunds", &key, &form);
            Ok(answer::<Refund>(request).await?.update())
        }
        .boxed()
    }

    fn retrieve_refund(&self, reference: String) -> GatewayCall<RefundUpdate> {
        let this = self.clone();
        async move {
            let request = this.get(&format!("refunds/{reference}"));
            Ok(answer::<Refund>(request).await?.update())
        }
        .boxed()
    }

    fn list_refunds(&self, intent: String) -> GatewayCall<Vec<RefundUpdate>> {
        let this = self.clone();
        async move {
            let query = [("payment_intent", intent.as_str()), ("limit", PAGE)];
            let refunds = answer::<List<Refund>>(this.get("refunds").query(&query)).await?;
            Ok(refunds.data.into_iter().map(Refund::update).collect())
        }
        .boxed()
    }

    fn list_made(&self, listing: Listing) -> GatewayCall<Listed> {
        let this = self.clone();
        async move {
            let path = match listing.made {
                Made::Intents => "payment_intents",
                Made::Refunds => "refunds",
                Made::Disputes => "disputes",
            };
            let since = listing.since.timestamp().to_string();
            let mut query = vec![("created[gte]", since.as_str()), ("limit", PAGE)];
            if let Some(after) = &listing.after {
                query.push(("starting_after", after));
            }
            let page = answer::<List<Value>>(this.get(path).query(&query)).await?;
            let seen = page.data.len();
            let last = page.data.last();
            let last = last.and_then(|it| it["id"].as_str()).map(str::to_owned);
            let read = |object| objects::subject_of(listing.made, object);
            Ok(Listed {
                seen,
                next: last.filter(|_| page.has_more),
                subjects: page.data.into_iter().map(read).collect(),
            })
        }
        .boxed()
    }

    fn retrieve_dispute(&self, reference: String) -> GatewayCall<DisputeUpdate> {
        let this = self.clone();
        async move {
            let request = this.get(&format!("disputes/{reference}"));
            let dispute = answer::<Dispute>(request).await?.update();
            dispute.ok_or_else(|| GatewayError::Missing("the dispute names no intent".to_owned()))
        }
        .boxed()
    }

    fn read_webhook(
        &self,
        body: &[u8],
        header: &str,
        now: DateTime<Utc>,
    ) -> Result<WebhookEvent, WebhookError> {
        signature::verify(&self.0.config.webhook_secrets, header, body, now)?;
        objects::event(body).ok_or(WebhookError::Malformed)
    }
}

/// Another one than a release had that did not name the installation: the provider refuses a key that
/// comes with another request.
fn intent_key(new: &NewIntent) -> String {
    let NewIntent {
        payment_id,
        attempt,
        installation,
        ..
    } = new;
    format!("intent/{payment_id}/{attempt}/{installation}")
}

fn refund_key(refund: RefundId, (attempt, request): (i32, i32)) -> String {
    match (attempt, request) {
        (..=1, 0) => format!("refund/{refund}"),
        (_, 0) => format!("refund/{refund}/{attempt}"),
        (_, _) => format!("refund/{refund}/{attempt}/{request}"),
    }
}

fn metadata(key: &str, value: impl std::fmt::Display) -> (String, String) {
    (format!("metadata[{key}]"), value.to_string())
}

/// Sends a request. What an answer without success means is decided in `stripe_errors`.
async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, GatewayError> {
    let unavailable = |error: reqwest::Error| GatewayError::Unavailable(kind_of(&error).to_owned());
    let response = request.send().await.map_err(unavailable)?;
    let status = response.status();
    if status.is_success() {
        return response.json().await.map_err(unavailable);
    }
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(|seconds: u32| TimeDelta::seconds(seconds.into()));
    let error = response.json().await.ok();
    Err(classify(status.as_u16(), retry_after, error))
}

/// A description for logs; the error itself would show the URL.
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
