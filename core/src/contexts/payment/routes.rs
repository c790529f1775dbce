//! `/payments`, and the webhooks of the provider.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use eventify_contracts::payment::FailureReason;
use eventify_kernel::auth::Role;
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Path, Policy, Routes, StatusCode};
use eventify_protocol::ids::{OrderId, PaymentId, RefundId, TicketId, UserId};
use eventify_protocol::money::Money;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::acts::{self, AdvanceError};
use super::model::{Payment, Refund, State as PaymentState};
use super::{App, NAME, store};

const BUYERS: &[Role] = &[Role::Customer, Role::BoxOffice, Role::Admin];
/// How long `POST /payments/intents` waits for the order's intent.
const INTENT_WAIT: Duration = Duration::from_secs(2);
const INTENT_POLL: Duration = Duration::from_millis(10);

pub(super) fn routes() -> Routes<App> {
    let write = Policy::roles(BUYERS)
        .scopes(&["order:write"])
        .owner("payment.customer_id")
        .key_required()
        .strict();
    let read = Policy::roles(BUYERS).owner("payment.customer_id").strict();
    Routes::new()
        .post("/payments/intents", write.secret_answer(), intent)
        .get("/payments/{payment_id}", read, show)
        .post("/payments/{payment_id}/capture", write, capture)
        .post(
            "/webhooks/psp",
            Policy::proof("Stripe-Signature").key_ignored().unlimited(),
            webhook,
        )
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GetIntent {
    order_id: OrderId,
    amount: Option<Money>,
    method: Option<Method>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Method {
    Card,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    payment_id: PaymentId,
    order_id: OrderId,
    customer_id: UserId,
    status: &'static str,
    amount: Money,
    provider: &'static str,
    /// For the customer only.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refunds: Option<Vec<RefundView>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RefundView {
    refund_id: RefundId,
    status: &'static str,
    amount: Money,
    reason: String,
    ticket_ids: Vec<TicketId>,
}

/// The intent of an order, with the secret with which the customer's browser pays.
async fn intent(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<GetIntent>,
) -> Answer<impl IntoResponse> {
    let Method::Card = body.method.unwrap_or(Method::Card);
    let payment = wait_for_intent(&app, body.order_id).await?;
    let payment = payment.ok_or_else(|| {
        let message = "the order has no payment yet; try again if it was placed just now";
        ApiError::not_found("payment_not_found", message).retry_after(1)
    })?;
    caller.must_own(payment.customer_id)?;
    let amount = payment.amount;
    if body.amount.is_some_and(|claimed| claimed != amount) {
        let refused = ApiError::unprocessable("price_mismatch", format!("the amount is {amount}"));
        return Err(refused.field("amount", format!("must be {amount}")));
    }
    if payment.state == PaymentState::Creating {
        return Err(ApiError::unavailable(
            "the payment provider doesn't answer; try again",
        ));
    }
    let location = [(LOCATION, format!("/payments/{}", payment.id))];
    Ok((
        StatusCode::CREATED,
        location,
        Json(View::of(&app, &caller, &payment)?),
    ))
}

/// Waits until the payment of an order is ready; afterwards its current state.
async fn wait_for_intent(app: &App, order: OrderId) -> Answer<Option<Payment>> {
    let started = app.clock.instant();
    loop {
        let mut conn = app.db.read(NAME).await?;
        let payment = store::find_by_order(&mut conn, order).await?;
        drop(conn);
        let ready = payment
            .as_ref()
            .is_some_and(|it| it.state != PaymentState::Creating);
        if ready || started.elapsed() >= INTENT_WAIT {
            return Ok(payment);
        }
        tokio::time::sleep(INTENT_POLL).await;
    }
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
    Ok(Json(View {
        refunds: Some(refunds.collect()),
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
    let refreshed = acts::refresh(&app, payment).await;
    let refreshed = refreshed.map_err(|error| match error {
        AdvanceError::Provider(error) => {
            tracing::warn!(code = "payment.capture_delayed", payment_id = %id, %error,
                "the provider could not be called; webhook, task or reconciliation will capture");
            ApiError::unavailable("the payment provider doesn't answer; try again")
        }
        AdvanceError::Db(error) => error.into(),
    })?;
    Ok(Json(View {
        // The customer's page has it from the intent.
        client_secret: None,
        ..View::of(&app, &caller, &refreshed)?
    }))
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
    let event = app
        .state
        .gateway
        .read_webhook(&body, signature.unwrap_or_default(), app.clock.now())
        .map_err(|error| {
            tracing::warn!(code = "payment.webhook_rejected", %error,
                "a webhook was rejected");
            ApiError::new(
                StatusCode::BAD_REQUEST,
                "invalid_webhook",
                error.to_string(),
            )
        })?;
    acts::receive_webhook(&app, &caller.cause, event).await?;
    Ok(Json(json!({ "received": true })))
}

async fn owned(app: &App, caller: &Caller, id: PaymentId) -> Answer<Payment> {
    let mut conn = app.db.read(NAME).await?;
    let payment = store::find(&mut conn, id)
        .await?
        .ok_or_else(|| ApiError::not_found("payment_not_found", "there is no such payment"))?;
    caller.must_own(payment.customer_id)?;
    Ok(payment)
}

impl View {
    fn of(app: &App, caller: &Caller, payment: &Payment) -> Answer<Self> {
        let is_payer = caller.principal()?.user_id == payment.customer_id.as_uuid();
        let client_secret = match &payment.state {
            PaymentState::AwaitingCustomer(intent) if is_payer => {
                Some(intent.client_secret.clone())
            }
            PaymentState::AwaitingCustomer(_)
            | PaymentState::Creating
            | PaymentState::Capturing(_)
            | PaymentState::Captured { .. }
            | PaymentState::Ended { .. } => None,
        };
        Ok(Self {
            payment_id: payment.id,
            order_id: payment.order_id,
            customer_id: payment.customer_id,
            status: payment.state.name(),
            amount: payment.amount,
            provider: app.state.gateway.name(),
            client_secret,
            failure_reason: payment.state.failure_reason().map(FailureReason::name),
            refunds: None,
        })
    }
}

impl From<Refund> for RefundView {
    fn from(refund: Refund) -> Self {
        Self {
            refund_id: refund.id,
            status: refund.state.name_and_failure().0,
            amount: refund.amount,
            reason: refund.reason,
            ticket_ids: refund.ticket_ids,
        }
    }
}
