//! A double of Stripe for what the Stripe-compatible server of the stack lacks: idempotency keys,
//! `amount_capturable_updated` and refund events, and trouble on demand.
//!
//! Webhooks are not sent but kept: the test takes them and delivers them when, as often and as
//! damaged as it likes.

mod lists;
mod office;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

/// Stands in the core's configuration.
pub const WEBHOOK_SECRET: &str = "whsec_of_the_double_0123456789";

type Fields = BTreeMap<String, String>;

/// The server.
#[derive(Debug)]
pub struct StripeDouble {
    url: String,
    world: Shared,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Clone, Debug, Default)]
struct Shared {
    world: Arc<Mutex<World>>,
    /// Answers to refunds pass while nobody writes.
    gate: Arc<RwLock<()>>,
}

#[derive(Debug, Default)]
struct World {
    intents: BTreeMap<String, Value>,
    refunds: BTreeMap<String, Value>,
    /// Idempotency key → the first answer.
    answers: BTreeMap<String, (u16, Value)>,
    disputes: BTreeMap<String, Value>,
    events: Vec<Value>,
    down: bool,
    /// The account doesn't know the key, or what it made: status and code.
    stranger: Option<(u16, &'static str)>,
    /// Every second request for a refund is one too many.
    busy: bool,
    asked: usize,
    least: i64,
    lose_answers: usize,
    /// The next new key gets a 500 for good, and perhaps its effect.
    fails_inside: Option<bool>,
    refuse_refunds: bool,
    pending_refunds: bool,
    requests: usize,
    made: usize,
}

/// What the customer holds out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Card {
    Good,
    Declined,
    InsufficientFunds,
    /// The bank asks back.
    ThreeDSecure,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no test panics while holding it")
    }
}

impl StripeDouble {
    pub async fn start() -> Self {
        let world = Shared::default();
        let router = Router::new()
            .route(
                "/v1/payment_intents",
                post(create_intent).get(lists::intents),
            )
            .route("/v1/disputes", get(lists::disputes))
            .route("/v1/disputes/{id}", get(lists::show_dispute))
            .route("/v1/payment_intents/{id}", get(show_intent))
            .route("/v1/payment_intents/{id}/{verb}", post(act_on_intent))
            .route("/v1/refunds", post(create_refund).get(lists::refunds))
            .route("/v1/refunds/{id}", get(show_refund))
            .with_state(world.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("the double serves");
        });
        Self {
            url,
            world,
            serving,
        }
    }

    /// Points a core at this double.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("payment.stripe.api_url", self.url.clone()),
            ("payment.stripe.secret_key", "sk_test_double".to_owned()),
            (
                "payment.stripe.webhook_secrets",
                format!("[\"{WEBHOOK_SECRET}\"]"),
            ),
        ]
    }

    /// The customer's browser confirms the intent with a card; answers its new status.
    pub fn pay(&self, client_secret: &str, card: Card) -> String {
        let mut world = self.world.lock();
        let intent = world.by_secret(client_secret);
        assert_eq!(intent["status"], "requires_payment_method", "{intent}");
        match card {
            Card::Good => world.authorise(&intent),
            Card::Declined => world.decline(&intent, "generic_decline"),
            Card::InsufficientFunds => world.decline(&intent, "insufficient_funds"),
            Card::ThreeDSecure => {
                world.change(&intent, &[("status", json!("requires_action"))]);
                world.tell("payment_intent.requires_action", &intent);
            }
        }
        world.status(&intent)
    }

    /// The customer answers the bank's question.
    pub fn authenticate(&self, client_secret: &str, passes: bool) -> String {
        let mut world = self.world.lock();
        let intent = world.by_secret(client_secret);
        assert_eq!(intent["status"], "requires_action", "{intent}");
        if passes {
            world.authorise(&intent);
        } else {
            world.decline(&intent, "authentication_required");
        }
        world.status(&intent)
    }

    /// Webhooks since the last call.
    pub fn take_events(&self) -> Vec<Value> {
        std::mem::take(&mut self.world.lock().events)
    }

    /// Answers 500 to everything, or no longer.
    pub fn go_down(&self, down: bool) {
        self.world.lock().down = down;
    }

    /// Does what it is asked, but answers 500, so many times.
    pub fn lose_answers(&self, count: usize) {
        self.world.lock().lose_answers = count;
    }

    /// Makes refunds, but answers only when the guard is dropped.
    pub async fn hold_refund_answers(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.world.gate).write_owned().await
    }

    /// Forgets idempotency keys, as providers do after a day.
    pub fn forget_keys(&self) {
        self.world.lock().answers.clear();
    }

    /// Refuses refunds with a 400.
    pub fn refuse_refunds(&self) {
        self.world.lock().refuse_refunds = true;
    }

    /// Makes them again.
    pub fn make_refunds(&self) {
        self.world.lock().refuse_refunds = false;
    }

    /// Refunds are on their way until [`finish_refunds`](Self::finish_refunds).
    pub fn hold_refunds(&self) {
        self.world.lock().pending_refunds = true;
    }

    /// Pending refunds succeed, and their events wait to be taken.
    pub fn finish_refunds(&self) {
        let mut world = self.world.lock();
        let pending: Vec<_> = world.refunds.keys().cloned().collect();
        for id in pending {
            world.refunds.get_mut(&id).expect("just listed")["status"] = json!("succeeded");
            let object = world.refunds[&id].clone();
            world.push_event("refund.updated", &object);
        }
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.world.lock().requests
    }

    /// Intents by status.
    pub fn count(&self, status: &str) -> usize {
        self.world
            .lock()
            .intents
            .values()
            .filter(|intent| intent["status"] == status)
            .count()
    }

    /// The secrets of all intents, in the order of their making.
    pub fn secrets(&self) -> Vec<String> {
        let world = self.world.lock();
        let secret = |intent: &Value| intent["client_secret"].as_str().map(str::to_owned);
        world.intents.values().filter_map(secret).collect()
    }

    /// All intents ever made.
    pub fn intents(&self) -> usize {
        self.world.lock().intents.len()
    }

    /// What went back, in minor units.
    pub fn refunded(&self) -> i64 {
        self.world
            .lock()
            .refunds
            .values()
            .filter_map(|refund| refund["amount"].as_i64())
            .sum()
    }
}

impl Drop for StripeDouble {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// `Stripe-Signature` for a body.
pub fn sign(secret: &str, body: &[u8], at: DateTime<Utc>) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length will do");
    mac.update(format!("{}.", at.timestamp()).as_bytes());
    mac.update(body);
    format!(
        "t={},v1={}",
        at.timestamp(),
        hex::encode(mac.finalize().into_bytes())
    )
}

impl World {
    fn next(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}_{}", self.made)
    }

    fn by_secret(&self, secret: &str) -> Value {
        let found = self
            .intents
            .values()
            .find(|intent| intent["client_secret"] == secret);
        found.expect("an intent with this secret").clone()
    }

    fn status(&self, intent: &Value) -> String {
        self.intents[id(intent)]["status"]
            .as_str()
            .expect("a status")
            .to_owned()
    }

    fn change(&mut self, intent: &Value, fields: &[(&str, Value)]) {
        let intent = self.intents.get_mut(id(intent)).expect("a known intent");
        for (name, value) in fields {
            intent[*name] = value.clone();
        }
    }

    fn tell(&mut self, kind: &str, intent: &Value) {
        let object = self.intents[id(intent)].clone();
        self.push_event(kind, &object);
    }

    fn push_event(&mut self, kind: &str, object: &Value) {
        let id = self.next("evt");
        self.events
            .push(json!({ "id": id, "type": kind, "data": { "object": object } }));
    }

    fn authorise(&mut self, intent: &Value) {
        self.change(intent, &[("status", json!("requires_capture"))]);
        self.tell("payment_intent.amount_capturable_updated", intent);
    }

    fn decline(&mut self, intent: &Value, decline_code: &str) {
        let problem = json!({ "code": "card_declined", "decline_code": decline_code });
        let status = json!("requires_payment_method");
        self.change(
            intent,
            &[("status", status), ("last_payment_error", problem)],
        );
        self.tell("payment_intent.payment_failed", intent);
    }

    /// Once per idempotency key: the effect and its answer.
    fn once(
        &mut self,
        headers: &HeaderMap,
        act: impl FnOnce(&mut Self) -> (u16, Value),
    ) -> Response {
        if let Some(trouble) = self.trouble() {
            return trouble;
        }
        let key = headers
            .get("idempotency-key")
            .and_then(|key| key.to_str().ok());
        let key = key.expect("every POST has a key").to_owned();
        let answer = match self.answers.get(&key) {
            Some(first) => first.clone(),
            None => {
                let answer = match self.fails_inside.take() {
                    None => act(self),
                    Some(does_it) => {
                        if does_it {
                            act(self);
                        }
                        (500, json!({ "error": { "type": "api_error" } }))
                    }
                };
                self.answers.insert(key, answer.clone());
                answer
            }
        };
        self.answer(answer)
    }

    /// What is answered to anything.
    fn trouble(&mut self) -> Option<Response> {
        self.requests += 1;
        if self.down {
            return Some(StatusCode::INTERNAL_SERVER_ERROR.into_response());
        }
        let (status, code) = self.stranger?;
        let status = StatusCode::from_u16(status).expect("a status");
        Some((status, Json(problem(code))).into_response())
    }

    fn read(&mut self, object: Option<Value>) -> Response {
        if let Some(trouble) = self.trouble() {
            return trouble;
        }
        let missing = || (404, problem("resource_missing"));
        self.answer(object.map_or_else(missing, |object| (200, object)))
    }

    fn answer(&mut self, (status, body): (u16, Value)) -> Response {
        if self.lose_answers > 0 {
            self.lose_answers -= 1;
            return StatusCode::BAD_GATEWAY.into_response();
        }
        (StatusCode::from_u16(status).expect("a status"), Json(body)).into_response()
    }
}

fn id(object: &Value) -> &str {
    object["id"].as_str().expect("an id")
}

fn refused(code: &str) -> (u16, Value) {
    (400, problem(code))
}

fn problem(code: &str) -> Value {
    json!({ "error": { "type": "invalid_request_error", "code": code } })
}

fn metadata(form: &Fields) -> Value {
    let pairs = form.iter().filter_map(|(name, value)| {
        let key = name.strip_prefix("metadata[")?.strip_suffix(']')?;
        Some((key.to_owned(), json!(value)))
    });
    Value::Object(pairs.collect())
}

fn amount(form: &Fields) -> i64 {
    form["amount"].parse().expect("an amount in minor units")
}

async fn create_intent(
    State(world): State<Shared>,
    headers: HeaderMap,
    Form(form): Form<Fields>,
) -> Response {
    assert_eq!(headers["authorization"], "Bearer sk_test_double");
    assert_eq!(form["capture_method"], "manual");
    world.lock().once(&headers, |world| {
        if amount(&form) < world.least {
            return refused("amount_too_small");
        }
        let id = world.next("pi");
        let intent = json!({
            "id": id, "object": "payment_intent", "status": "requires_payment_method",
            "client_secret": format!("{id}_secret"), "amount": amount(&form),
            "amount_received": 0, "currency": form["currency"], "metadata": metadata(&form),
        });
        world.intents.insert(id, intent.clone());
        (200, intent)
    })
}

async fn show_intent(State(world): State<Shared>, Path(id): Path<String>) -> Response {
    let mut world = world.lock();
    let intent = world.intents.get(&id).cloned();
    world.read(intent)
}

async fn act_on_intent(
    State(world): State<Shared>,
    headers: HeaderMap,
    Path((id, verb)): Path<(String, String)>,
) -> Response {
    world.lock().once(&headers, |world| {
        let Some(intent) = world.intents.get(&id).cloned() else {
            return refused("resource_missing");
        };
        let status = intent["status"].as_str().unwrap_or_default();
        match (verb.as_str(), status) {
            ("capture", "requires_capture") => {
                let received = ("amount_received", intent["amount"].clone());
                world.change(&intent, &[("status", json!("succeeded")), received]);
                world.tell("payment_intent.succeeded", &intent);
            }
            ("cancel", "requires_payment_method" | "requires_action" | "requires_capture") => {
                world.change(&intent, &[("status", json!("canceled"))]);
                world.tell("payment_intent.canceled", &intent);
            }
            _ => return refused("payment_intent_unexpected_state"),
        }
        (200, world.intents[&id].clone())
    })
}

async fn create_refund(
    State(world): State<Shared>,
    headers: HeaderMap,
    Form(form): Form<Fields>,
) -> Response {
    if world.lock().is_busy() {
        let words = problem("rate_limit");
        return (StatusCode::TOO_MANY_REQUESTS, Json(words)).into_response();
    }
    let answer = world.lock().once(&headers, |world| {
        let intent = &form["payment_intent"];
        let received = world.intents[intent]["amount_received"].as_i64();
        let gone = world.gone(intent);
        if world.refuse_refunds || gone + amount(&form) > received.unwrap_or_default() {
            return refused("charge_already_refunded");
        }
        let refund = world.refund(intent, amount(&form), &metadata(&form));
        (200, refund)
    });
    let _pass = world.gate.read().await;
    answer
}

async fn show_refund(State(world): State<Shared>, Path(id): Path<String>) -> Response {
    let mut world = world.lock();
    let refund = world.refunds.get(&id).cloned();
    world.read(refund)
}
