//! `/payments`, and the webhooks of the provider.

mod comparisons;
mod items;
mod views;

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use eventify_kernel::auth::Role;
use eventify_kernel::breaker::CallError;
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Path, Policy, Routes, StatusCode};
use eventify_protocol::ids::{OrderId, PaymentId, UserId};
use eventify_protocol::money::Money;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::acts::{self, AdvanceError};
use super::gateway::GatewayError;
use super::model::{Payment, State as PaymentState, Sums};
use super::{App, NAME, store};
use views::{FactView, RefundView, View};

const OWNER: &str = "payment.customer_id or seller_id";
const BUYERS: &[Role] = &[Role::Customer, Role::BoxOffice, Role::Admin];
/// How long `POST /payments/intents` waits for the order's intent.
const INTENT_WAIT: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Routes<App> {
    let write = Policy::roles(BUYERS)
        .scopes(&["order:write"])
        .owner(OWNER)
        .key_required()
        .strict();
    let read = Policy::roles(BUYERS).owner(OWNER).strict();
    let routes = Routes::new()
        .post("/payments/intents", write.secret_answer(), intent)
        .get("/payments/{payment_id}", read, show)
        .post("/payments/{payment_id}/capture", write, capture)
        .post(
            "/webhooks/psp",
            Policy::proof("Stripe-Signature").key_ignored().unlimited(),
            webhook,
        );
    comparisons::routes(items::routes(routes))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetIntent {
    order_id: OrderId,
    amount: Option<Money>,
    method: Option<Method>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    Card,
}

/// The intent of an order, with the secret with which the customer's browser pays.
async fn intent(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<GetIntent>,
) -> Answer<impl IntoResponse> {
    let Method::Card = body.method.unwrap_or(Method::Card);
    let payment = match wait_for_intent(&app, &caller, body.order_id).await? {
        Waited::Ready(payment) => *payment,
        Waited::Free(customer, seller) => {
            caller.must_own_or_sell(customer, seller)?;
            let message = "nothing is due: the order is free, and its tickets are being issued";
            return Err(ApiError::conflict("nothing_due", message));
        }
        Waited::Nothing => {
            let message = "the order has no payment yet; try again if it was placed just now";
            return Err(ApiError::not_found("payment_not_found", message).retry_after(1));
        }
    };
    let amount = payment.amount;
    if body.amount.is_some_and(|claimed| claimed != amount) {
        let refused = ApiError::unprocessable("price_mismatch", format!("the amount is {amount}"));
        return Err(refused.field("amount", format!("must be {amount}")));
    }
    if let Some(code) = payment.state.parked() {
        let message = format!(
            "the payment provider doesn't take this payment ({code}); nobody's card was declined, and \
             the organiser has been notified"
        );
        return Err(ApiError::unprocessable("payment_refused", message));
    }
    if payment.state == PaymentState::CREATING {
        return Err(out_of_order(None));
    }
    let location = [(LOCATION, format!("/payments/{}", payment.id))];
    Ok((
        StatusCode::CREATED,
        location,
        Json(View::of(&app, &caller, &payment)?),
    ))
}

/// What an order has to pay.
enum Waited {
    Ready(Box<Payment>),
    /// Nothing; its customer, and the box office that sold it.
    Free(UserId, Option<UserId>),
    /// That is not known yet.
    Nothing,
}

/// Waits until the payment of the caller's order is ready; afterwards its current state. What belongs to
/// somebody else is refused without a wait. Of an order that payment has not heard of, nobody knows the
/// owner yet: there the number of a caller's waits is the limit.
async fn wait_for_intent(app: &App, caller: &Caller, order: OrderId) -> Answer<Waited> {
    let look = || async move {
        let found = find_intent(app, caller, order).await?;
        let is_ready = match &found {
            Waited::Ready(payment) => payment.state != PaymentState::CREATING,
            Waited::Free(..) => true,
            Waited::Nothing => false,
        };
        Ok::<_, ApiError>(is_ready.then_some(found))
    };
    let who = (caller.principal()?.user_id, order.as_uuid());
    let waited = app.db.arrivals().wait(who, INTENT_WAIT, look).await?;
    match waited {
        Some(waited) => Ok(waited),
        None => find_intent(app, caller, order).await,
    }
}

async fn find_intent(app: &App, caller: &Caller, order: OrderId) -> Answer<Waited> {
    let mut conn = app.db.read(NAME).await?;
    if let Some(payment) = store::find_by_order(&mut conn, order).await? {
        caller.must_own_or_sell(payment.customer_id, payment.seller_id)?;
        return Ok(Waited::Ready(Box::new(payment)));
    }
    let free = store::orders::find_free(&mut conn, order).await?;
    Ok(free.map_or(Waited::Nothing, |(customer, seller)| {
        Waited::Free(customer, seller)
    }))
}

/// The provider can't be used, or wants fewer calls: nobody was declined.
fn out_of_order(error: Option<&AdvanceError>) -> ApiError {
    const WORDS: &str = "payments are out of order at the moment; nothing was charged, and the \
        places are kept: try again";
    let asked = error.and_then(|error| match error {
        AdvanceError::Provider(CallError::Callee(GatewayError::SlowDown(left))) => *left,
        AdvanceError::Provider(_) | AdvanceError::Db(_) => None,
    });
    let seconds = asked.map_or(5, |left| left.num_seconds().clamp(1, 60));
    ApiError::unavailable(WORDS).retry_after(seconds.unsigned_abs())
}

/// A payment with its refunds.
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<PaymentId>,
) -> Answer<Json<View>> {
    let payment = owned(&app, &caller, id).await?;
    let mut conn = app.db.read(NAME).await?;
    let refunds = store::list_refunds(&mut conn, id).await?.into_iter();
    let refunds = refunds.map(RefundView::from);
    let facts = store::ledger::list_of_payment(&mut conn, id).await?;
    let sums = Sums::of(&facts, payment.amount.currency());
    let is_staff = caller.principal()?.has_role(Role::Admin);
    let ledger = is_staff.then(|| facts.into_iter().map(FactView::from).collect());
    Ok(Json(View {
        refunds: Some(refunds.collect()),
        sums: Some(sums.into()),
        ledger,
        ..View::of(&app, &caller, &payment)?
    }))
}

/// Captures what is authorised. Without this request the webhook does the same.
async fn capture(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<PaymentId>,
) -> Answer<Json<View>> {
    let payment = owned(&app, &caller, id).await?;
    if payment.state.is_captured() {
        return shown_to_customer(&app, &caller, &payment);
    }
    let begin = || {
        may_ask(&app, &caller, id)?;
        Ok::<_, ApiError>(refresh(app.clone(), payment))
    };
    let asked = app.state.asks.running.join(id, app.clock.now(), begin)?;
    let refreshed = asked.await.map_err(ApiError::internal)??;
    shown_to_customer(&app, &caller, &refreshed)
}

async fn refresh(app: App, payment: Payment) -> Answer<Payment> {
    let id = payment.id;
    let refreshed = acts::refresh(&app, payment).await;
    refreshed.map_err(|error| match error {
        AdvanceError::Provider(error) => {
            tracing::warn!(code = "payment.capture_delayed", payment_id = %id, %error,
                "the provider could not be called; webhook, task or reconciliation will capture");
            out_of_order(Some(&AdvanceError::Provider(error)))
        }
        AdvanceError::Db(error) => error.into(),
    })
}

fn shown_to_customer(app: &App, caller: &Caller, payment: &Payment) -> Answer<Json<View>> {
    Ok(Json(View {
        // The customer's page has it from the intent.
        client_secret: None,
        ..View::of(app, caller, payment)?
    }))
}

/// Whether the provider is asked once more for this caller, about this payment.
fn may_ask(app: &App, caller: &Caller, id: PaymentId) -> Answer<()> {
    let (asks, now) = (&app.state.asks, app.clock.now());
    let user = caller.principal()?.user_id;
    let of_payment = asks.of_payment.take(id, now);
    let asked = of_payment.and_then(|()| asks.of_caller.take(user, now));
    asked.map_err(|seconds| {
        let message =
            "the payment provider was asked a moment ago; what it says later comes by itself";
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "asked_too_often", message)
            .retry_after(seconds)
    })
}

/// Accepted only with the provider's signature over the raw body.
async fn webhook(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Json<Value>> {
    let signature = headers
        .get("stripe-signature")
        .and_then(|it| it.to_str().ok());
    let signature = signature.unwrap_or_default();
    let read = app
        .state
        .gateway
        .read_webhook(&body, signature, app.clock.now());
    match read {
        Ok(event) => acts::receive_webhook(&app, &caller.cause, event).await?,
        Err(error) => {
            acts::webhook_refused(&app, error, &body).await?;
            let (status, words) = (StatusCode::BAD_REQUEST, error.to_string());
            return Err(ApiError::new(status, "invalid_webhook", words));
        }
    }
    Ok(Json(json!({ "received": true })))
}

async fn owned(app: &App, caller: &Caller, id: PaymentId) -> Answer<Payment> {
    let mut conn = app.db.read(NAME).await?;
    let payment = store::find(&mut conn, id)
        .await?
        .ok_or_else(|| ApiError::not_found("payment_not_found", "there is no such payment"))?;
    caller.must_own_or_sell(payment.customer_id, payment.seller_id)?;
    Ok(payment)
}
