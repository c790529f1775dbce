//! Intents at the provider: created, captured, cancelled, looked up.

use chrono::Duration;
use eventify_kernel::breaker::{CallError, IsFault};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult};
use eventify_protocol::ids::{OrderId, PaymentId, UserId};
use eventify_protocol::money::Money;

use super::{AdvanceError, call, record};
use crate::contexts::payment::gateway::{GatewayError, IntentUpdate, NewIntent};
use crate::contexts::payment::jobs::DrivePayment;
use crate::contexts::payment::model::{Payment, ProviderRequest, State};
use crate::contexts::payment::{App, NAME, store};

/// Who writes a task's row calls the provider itself; the task is due after this, in case that
/// process died. Longer than all attempts of a call together.
fn own_attempt() -> Duration {
    Duration::seconds(15)
}

/// What is to be paid.
#[derive(Clone, Debug)]
pub struct IntentRequest {
    /// Also the idempotency key.
    pub order_id: OrderId,
    /// Who pays.
    pub customer_id: UserId,
    /// More than zero.
    pub amount: Money,
}

/// The payment of an order exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreatedIntent {
    pub payment_id: PaymentId,
    /// Whether the provider has answered; if not, the request continues as a task.
    pub ready: bool,
}

/// Why no intent is created.
#[derive(Debug, thiserror::Error)]
pub enum IntentError {
    #[error("the order has ended")]
    OrderEnded,
    /// The database failed; the same call may succeed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl IsFault for IntentError {
    fn is_fault(&self) -> bool {
        matches!(self, Self::Db(_))
    }
}

/// Creates the payment of an order, with manual capture. A repeat returns its current state.
///
/// # Errors
/// [`IntentError`]; only [`IntentError::Db`] is a fault.
pub async fn create_intent(
    app: &App,
    cause: &Cause,
    request: &IntentRequest,
) -> Result<CreatedIntent, IntentError> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    if store::is_ended(&mut tx, request.order_id).await? {
        return Err(IntentError::OrderEnded);
    }
    let parties = (request.order_id, request.customer_id);
    let payment_id = PaymentId(app.clock.new_id());
    let payment = Payment::new(payment_id, parties, request.amount, cause.correlation, now);
    if !store::insert(&mut tx, &payment, app.state.gateway.name()).await? {
        let known = store::find_by_order(&mut tx, request.order_id).await?;
        let known = known.ok_or_else(|| DbError::impossible_row("a payment has vanished"))?;
        return Ok(CreatedIntent {
            payment_id: known.id,
            ready: known.state != State::Creating,
        });
    }
    let task = DrivePayment { payment_id };
    tx.request_at(app, &task, now + own_attempt()).await?;
    tx.commit().await?;
    let ready = match advance(app, &payment).await {
        Ok(changed) => changed.is_some(),
        Err(error) => {
            tracing::warn!(code = "payment.intent_delayed", %payment_id, %error,
                "the provider has not created an intent yet; a task tries again");
            false
        }
    };
    Ok(CreatedIntent { payment_id, ready })
}

/// Sends the next request of a payment to the provider, or looks its intent up where there is none,
/// and applies the answer. `None` when that changes nothing.
pub(crate) async fn advance(app: &App, payment: &Payment) -> Result<Option<Payment>, AdvanceError> {
    let gateway = &app.state.gateway;
    let reference = payment.state.intent().map(|it| it.reference.clone());
    let answer = match (payment.state.next_request(), reference) {
        (Some(ProviderRequest::Create), _) => {
            let new = NewIntent {
                payment_id: payment.id,
                order_id: payment.order_id,
                amount: payment.amount,
            };
            call(app, || gateway.create_intent(new.clone())).await
        }
        (Some(ProviderRequest::Capture), Some(it)) => {
            call(app, || gateway.capture_intent(it.clone())).await
        }
        (Some(ProviderRequest::Cancel), Some(it)) => {
            call(app, || gateway.cancel_intent(it.clone())).await
        }
        (None, Some(it)) => call(app, || gateway.retrieve_intent(it.clone())).await,
        (Some(ProviderRequest::Capture | ProviderRequest::Cancel) | None, None) => {
            return Ok(None);
        }
    };
    match answer {
        Ok(update) => Ok(apply_answer(app, payment, Some(&update)).await?),
        Err(CallError::Callee(GatewayError::Refused(reason)))
            if payment.state.next_request() == Some(ProviderRequest::Create) =>
        {
            tracing::error!(code = "payment.intent_refused", payment_id = %payment.id, reason,
                "the provider refuses to create an intent");
            Ok(apply_answer(app, payment, None).await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Applies an answer in its own transaction; none means that no intent is created.
async fn apply_answer(
    app: &App,
    payment: &Payment,
    update: Option<&IntentUpdate>,
) -> DbResult<Option<Payment>> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, &Cause::of(payment.correlation)).await?;
    let Some(current) = store::lock(&mut tx, payment.id).await? else {
        return Ok(None);
    };
    let changed = match update {
        Some(update) => current.apply(update, now),
        None => current.not_created(now),
    };
    let changed = match changed {
        Some((changed, announcement)) => {
            record(app, &mut tx, &changed, announcement).await?;
            Some(changed)
        }
        None => {
            store::update_answered_at(&mut tx, payment.id, now).await?;
            None
        }
    };
    tx.commit().await?;
    Ok(changed)
}

/// Looks a payment up at the provider and captures what is authorised. The customer's page calls
/// this after the card was confirmed, so that it need not wait for a webhook.
pub(crate) async fn refresh(app: &App, mut payment: Payment) -> Result<Payment, AdvanceError> {
    // An open payment needs two calls at most: look up, capture.
    for _ in 0..2 {
        payment = match advance(app, &payment).await? {
            Some(changed) => changed,
            // A task, a webhook or another request may have changed it meanwhile.
            None => {
                let mut conn = app.db.read(NAME).await?;
                let current = store::find(&mut conn, payment.id).await?;
                current.unwrap_or(payment)
            }
        };
        if payment.state.next_request().is_none() {
            break;
        }
    }
    Ok(payment)
}
