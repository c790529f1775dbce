//! A Stripe-compatible server (`localstripe`, which is not ours), and the customer's browser.
//!
//! One server serves a whole run; each test has its own *account*, which is a secret key. Objects of all
//! accounts are in one store (their ids are random), but webhooks go to the account whose request
//! caused the event, as at Stripe.
//!
//! Differences from Stripe that matter to the core, found by running it:
//! - It refuses unknown parameters (400 `Unexpected …`), among others `description`,
//!   `automatic_payment_methods`, `receipt_email` on intents; `confirm` takes no `payment_method`.
//! - Responses lack `amount_capturable`: read `status` and `amount`.
//! - `/v1/payment_intents/{id}/confirm` with a declined card returns 402 `card_declined` and sends
//!   `payment_intent.payment_failed`; the intent is then `requires_payment_method`.
//! - A webhook is sent once, without retries. `4000 0000 0000 0002`, Stripe's best-known declined card,
//!   is charged: use [`Card::Declined`].
//!
//! `stripe/serve.py` adds accounts, idempotency keys, missing events, and what people and banks do there.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::error::{Result, StackError};
use crate::http;
use crate::ports;
use crate::process::{Program, Server, StopSignal};
use crate::scratch::Scratch;
use crate::tools;

const READY_LIMIT: Duration = Duration::from_secs(60);

/// Test cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    /// 4242 4242 4242 4242.
    Good,
    /// 4000 0000 0000 0341: the charge is declined.
    Declined,
    /// 4000 0025 0000 3155: asks for 3-D Secure, then is accepted.
    ThreeDSecure,
    /// 4000 0082 6000 3178: asks for 3-D Secure, then is declined.
    ThreeDSecureThenDeclined,
}

impl Card {
    fn number(self) -> &'static str {
        match self {
            Self::Good => "4242424242424242",
            Self::Declined => "4000000000000341",
            Self::ThreeDSecure => "4000002500003155",
            Self::ThreeDSecureThenDeclined => "4000008260003178",
        }
    }
}

/// A payment as the customer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payment {
    /// The intent's status, for example `requires_capture` (authorised) or `requires_action`.
    Status(String),
    /// The card was refused; the code is Stripe's, for example `card_declined`.
    Refused { code: String },
}

impl Payment {
    /// Authorised; the core captures.
    #[must_use]
    pub fn is_authorised(&self) -> bool {
        matches!(self, Self::Status(status) if status == "requires_capture" || status == "succeeded")
    }

    /// The customer's 3-D Secure step is missing.
    #[must_use]
    pub fn needs_authentication(&self) -> bool {
        matches!(self, Self::Status(status) if status == "requires_action")
    }
}

/// An account at the run's Stripe-compatible server.
#[derive(Debug, Clone)]
pub struct Stripe {
    /// Replaces `https://api.stripe.com`.
    pub base_url: String,
    /// `sk_test_…`; it is the account.
    pub secret_key: String,
    /// `whsec_…`; signs webhooks.
    pub webhook_secret: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StripeServer {
    base_url: String,
}

impl StripeServer {
    pub(crate) fn account(&self) -> Stripe {
        Stripe {
            base_url: self.base_url.clone(),
            secret_key: format!("sk_test_{}", clock::random_name::<12>()),
            webhook_secret: format!("whsec_{}", clock::random_name::<16>()),
        }
    }
}

#[derive(Deserialize)]
struct Identified {
    id: String,
}

#[derive(Deserialize)]
struct IntentResponse {
    status: Option<String>,
    error: Option<ErrorObject>,
}

#[derive(Deserialize)]
struct ErrorObject {
    code: Option<String>,
}

impl Stripe {
    /// Sends this account's events to `url` from now on; an account has one URL.
    pub async fn register_webhook(&self, url: &str) -> Result<()> {
        let form = [("url", url), ("secret", &self.webhook_secret)];
        let path = format!("/_config/webhooks/{}", self.secret_key);
        self.configure(&path, &form).await
    }

    /// The customer enters a card in the payment form and confirms. `client_secret` is from the core's
    /// response to `POST /payments/intents`; it begins with the intent's id.
    pub async fn pay(&self, client_secret: &str, card: Card) -> Result<Payment> {
        let intent = intent_of(client_secret)?;
        let form = [
            ("type", "card"),
            ("card[number]", card.number()),
            ("card[exp_month]", "12"),
            ("card[exp_year]", "2039"),
            ("card[cvc]", "123"),
        ];
        let method = self
            .post("/v1/payment_methods", &form)
            .await?
            .error_for_status()?;
        let method: Identified = method.json().await?;
        let path = format!("/v1/payment_intents/{intent}");
        self.post(&path, &[("payment_method", &method.id)])
            .await?
            .error_for_status()?;
        self.outcome(&format!("/v1/payment_intents/{intent}/confirm"), &[])
            .await
    }

    /// The customer passes (or fails) the 3-D Secure step.
    pub async fn authenticate(&self, client_secret: &str, success: bool) -> Result<Payment> {
        let intent = intent_of(client_secret)?;
        let success = if success { "true" } else { "false" };
        let form = [("client_secret", client_secret), ("success", success)];
        self.outcome(
            &format!("/v1/payment_intents/{intent}/_authenticate"),
            &form,
        )
        .await
    }

    /// Somebody rolls the account's key: every request of it is a 401 until it is rolled back.
    pub async fn roll_key(&self, rolled: bool) -> Result<()> {
        let path = format!("/_config/rolled/{}", self.secret_key);
        self.configure(&path, &[("rolled", if rolled { "1" } else { "0" })])
            .await
    }

    /// Of so many requests for a refund, one is a 429; 0: none.
    pub async fn be_busy(&self, every: u32) -> Result<()> {
        let path = format!("/_config/busy/{}", self.secret_key);
        self.configure(&path, &[("refunds", &every.to_string())])
            .await
    }

    /// The guest's bank sends a refund back.
    pub async fn send_back(&self, refund: &str) -> Result<()> {
        self.configure(&format!("/_config/returned/{refund}"), &[])
            .await
    }

    /// The card's bank takes the money of an intent, or decides: `won`, `lost`.
    pub async fn dispute(&self, client_secret: &str, decision: Option<&str>) -> Result<()> {
        let intent = intent_of(client_secret)?;
        let path = match decision {
            None => format!("/_config/disputed/{intent}"),
            Some(decision) => format!("/_config/disputed/{intent}/{decision}"),
        };
        self.configure(&path, &[]).await
    }

    async fn configure(&self, path: &str, form: &[(&str, &str)]) -> Result<()> {
        self.post(path, form).await?.error_for_status()?;
        Ok(())
    }

    async fn outcome(&self, path: &str, form: &[(&str, &str)]) -> Result<Payment> {
        let response = self.post(path, form).await?;
        let (status, body) = (response.status().as_u16(), response.text().await?);
        match serde_json::from_str(&body) {
            Ok(IntentResponse {
                status: Some(status),
                error: None,
            }) => Ok(Payment::Status(status)),
            Ok(IntentResponse {
                error: Some(ErrorObject { code: Some(code) }),
                ..
            }) if status == 402 => Ok(Payment::Refused { code }),
            Ok(_) | Err(_) => Err(StackError::Refused {
                action: path.to_owned(),
                status,
                body,
            }),
        }
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<reqwest::Response> {
        let request = http::client().post(format!("{}{path}", self.base_url));
        Ok(request
            .bearer_auth(&self.secret_key)
            .form(form)
            .send()
            .await?)
    }
}

/// `pi_123_secret_456` → `pi_123`.
fn intent_of(client_secret: &str) -> Result<&str> {
    let intent = client_secret
        .split_once("_secret_")
        .map(|(intent, _)| intent);
    intent.ok_or_else(|| StackError::Missing {
        missing: format!("a payment intent in the client secret {client_secret:?}"),
        remedy: "pass the `clientSecret` from the core's response unchanged",
    })
}

pub(crate) async fn start(scratch: &Scratch) -> Result<(StripeServer, Server)> {
    let port = ports::free()?;
    let server_address = StripeServer {
        base_url: format!("http://127.0.0.1:{port}"),
    };
    let script = tools::home().join("stripe/serve.py");
    let mut server = Server::start(Program {
        name: "the Stripe-compatible server",
        executable: &tools::python(),
        arguments: vec![
            script.display().to_string(),
            "--port".into(),
            port.to_string(),
        ],
        environment: Vec::new(),
        stop: StopSignal::Kill,
        user: None,
        log: scratch.path().join("stripe.log"),
    })?;
    let account = server_address.account();
    server
        .ready(READY_LIMIT, || async {
            let request = http::client().get(format!("{}/v1/balance", account.base_url));
            let response = request.bearer_auth(&account.secret_key).send().await;
            response
                .and_then(reqwest::Response::error_for_status)
                .map_err(|e| e.to_string())
        })
        .await?;
    Ok((server_address, server))
}
