//! Intents at the provider: created, captured, cancelled, looked up.

use chrono::Duration;
use eventify_kernel::breaker::{CallError, IsFault};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, Tx};
use eventify_protocol::ids::{OrderId, PaymentId, UserId};
use eventify_protocol::money::Money;

use super::provider::call;
use super::{AdvanceError, items, record, unknown};
use crate::contexts::payment::gateway::{Calls, GatewayError, IntentUpdate, NewIntent};
use crate::contexts::payment::jobs::DrivePayment;
use crate::contexts::payment::model::{ItemKind, LearntBy, Payment, ProviderRequest, State};
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
    /// The box office that sold the order, and may pay it.
    pub seller_id: Option<UserId>,
    /// More than zero.
    pub amount: Money,
    /// Who runs the performances, with their organisations: they see what stays open of the payment.
    pub organisers: Vec<(UserId, Option<String>)>,
}

/// The payment of an order exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreatedIntent {
    pub payment_id: PaymentId,
    pub state: IntentState,
}

/// Whether there is something to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentState {
    Ready,
    /// The provider has not answered; the request continues as a task.
    Waiting,
    /// The provider refuses; people look at it.
    Refused,
}

/// What became of an intent that nobody shall pay any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// No card can pay for the order.
    Closed,
    /// It was paid before: the order hears of it.
    Paid,
    /// The provider doesn't answer. A task goes on; money that comes all the same goes back.
    Unknown,
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

impl IntentState {
    fn of(payment: &Payment) -> Self {
        match &payment.state {
            State::Creating { parked: None } => Self::Waiting,
            State::Creating { parked: Some(_) } => Self::Refused,
            State::AwaitingCustomer(_)
            | State::Capturing(_)
            | State::Captured { .. }
            | State::Differs { .. }
            | State::Ended { .. } => Self::Ready,
        }
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
    let parties = (request.order_id, request.customer_id, request.seller_id);
    let payment_id = PaymentId(app.clock.new_id());
    let payment = Payment::new(payment_id, parties, request.amount, cause.correlation, now);
    if !store::insert(&mut tx, &payment, app.state.gateway.name()).await? {
        let known = store::find_by_order(&mut tx, request.order_id).await?;
        let known = known.ok_or_else(|| DbError::impossible_row("a payment has vanished"))?;
        return Ok(CreatedIntent {
            payment_id: known.id,
            state: IntentState::of(&known),
        });
    }
    store::orders::insert_organisers(&mut tx, payment_id, &request.organisers).await?;
    let task = DrivePayment { payment_id };
    tx.request_at(app, &task, now + own_attempt()).await?;
    tx.commit().await?;
    let state = match advance(app, &payment).await {
        Ok(changed) => changed.map_or(IntentState::Waiting, |it| IntentState::of(&it)),
        Err(error) => {
            tracing::warn!(code = "payment.intent_delayed", %payment_id, %error,
                "the provider has not created an intent yet; a task tries again");
            IntentState::Waiting
        }
    };
    Ok(CreatedIntent { payment_id, state })
}

/// Ends the intent of an order whose time is over, before its seats are free again: no card may pay
/// for them then. Money that is there counts, whenever the provider tells it.
///
/// # Errors
/// The database failed.
pub async fn close_intent(app: &App, cause: &Cause, order: OrderId) -> DbResult<Closed> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let Some(payment) = store::lock_by_order(&mut tx, order).await? else {
        return Ok(Closed::Closed);
    };
    let closing = match &payment.state {
        State::Captured {
            captured, refunded, ..
        } if refunded.minor() < captured.minor() => return Ok(Closed::Paid),
        State::Captured { .. } => return Ok(Closed::Closed),
        // There is no intent yet, or nothing that could pay for the order any more.
        State::Creating { .. } | State::Differs { .. } => return Ok(Closed::Closed),
        State::Ended { .. } => payment,
        State::AwaitingCustomer(_) | State::Capturing(_) => {
            let Some((ended, _)) = payment.order_ended(app.clock.now()) else {
                return Ok(Closed::Closed);
            };
            record(app, &mut tx, &ended, (None, LearntBy::Call)).await?;
            tx.commit().await?;
            ended
        }
    };
    if closing.state.next_request().is_none() {
        return Ok(Closed::Closed);
    }
    let current = match advance(app, &closing).await {
        Ok(Some(changed)) => changed,
        // The task, or a webhook, may have been faster.
        Ok(None) => {
            let mut conn = app.db.read(NAME).await?;
            store::find(&mut conn, closing.id).await?.unwrap_or(closing)
        }
        Err(AdvanceError::Db(error)) => return Err(error),
        Err(AdvanceError::Provider(error)) => {
            tracing::warn!(code = "payment.close_delayed", payment_id = %closing.id, %error,
                "an intent could not be cancelled in time; a task tries again");
            return Ok(Closed::Unknown);
        }
    };
    Ok(match current.state {
        State::Captured { .. } => Closed::Paid,
        State::Ended { closing: true, .. } => Closed::Unknown,
        State::Creating { .. }
        | State::AwaitingCustomer(_)
        | State::Capturing(_)
        | State::Differs { .. }
        | State::Ended { .. } => Closed::Closed,
    })
}

/// The order ended: nothing is paid any more, and what came goes back.
pub(crate) async fn order_ended(app: &App, tx: &mut Tx, order: OrderId) -> DbResult<()> {
    let Some(payment) = store::lock_by_order(tx, order).await? else {
        return Ok(());
    };
    if let Some((ended, announcement)) = payment.clone().order_ended(app.clock.now()) {
        record(app, tx, &ended, (announcement, LearntBy::Call)).await?;
    }
    let mut over = vec![ItemKind::IntentRefused];
    // Money whose amount nobody told can't go back by itself: its item stays.
    if payment
        .state
        .amounts()
        .is_none_or(|(captured, _)| captured.minor() > 0)
    {
        over.push(ItemKind::AmountDiffers);
    }
    let ending = items::by_itself("order_ended");
    items::close_all(app, tx, &payment, &over, &ending).await
}

/// Sends the next request of a payment to the provider, or looks its intent up where there is none,
/// and applies the answer. `None` when that changes nothing.
pub(crate) async fn advance(app: &App, payment: &Payment) -> Result<Option<Payment>, AdvanceError> {
    let gateway = &app.state.gateway;
    let key = app.clock.new_id();
    let reference = payment.state.intent().map(|it| it.reference.clone());
    let answer = match (payment.state.next_request(), reference) {
        (Some(ProviderRequest::Create), _) => {
            let new = NewIntent {
                payment_id: payment.id,
                attempt: payment.attempt,
                order_id: payment.order_id,
                installation: unknown::installation(app).await?,
                amount: payment.amount,
            };
            call(app, Calls::Intents, || gateway.create_intent(new.clone())).await
        }
        (Some(ProviderRequest::Capture), Some(it)) => {
            call(app, Calls::Reads, || {
                gateway.capture_intent(it.clone(), key)
            })
            .await
        }
        (Some(ProviderRequest::Cancel), Some(it)) => {
            call(app, Calls::Reads, || gateway.cancel_intent(it.clone(), key)).await
        }
        (None, Some(it)) => call(app, Calls::Reads, || gateway.retrieve_intent(it.clone())).await,
        (Some(ProviderRequest::Capture | ProviderRequest::Cancel) | None, None) => {
            return Ok(None);
        }
    };
    let creates = payment.state.next_request() == Some(ProviderRequest::Create);
    let answer = match answer {
        Ok(update) => Ok(update),
        Err(CallError::Callee(
            error @ (GatewayError::Refused(_)
            | GatewayError::MovedOn(_)
            | GatewayError::Declined(_)),
        )) if creates => {
            tracing::error!(code = "payment.intent_refused", payment_id = %payment.id,
                reason = %error, "the provider refuses to create an intent");
            Err(error.code())
        }
        Err(error) => {
            if creates && matches!(error, CallError::Callee(GatewayError::Failed)) {
                take_fresh_key(app, payment).await?;
            }
            return Err(error.into());
        }
    };
    Ok(apply_answer(app, payment, answer.as_ref()).await?)
}

/// The next request for the intent is a new one. Should the first have made an intent all the same, nobody
/// has its secret, so nobody can pay with it.
async fn take_fresh_key(app: &App, payment: &Payment) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, &Cause::of(payment.correlation)).await?;
    if let Some(current) = store::lock(&mut tx, payment.id).await?
        && current.attempt == payment.attempt
        && let Some(fresh) = current.with_fresh_key(app.clock.now())
    {
        store::update(&mut tx, &fresh).await?;
    }
    tx.commit().await
}

/// Applies an answer, or the code of a refused creation, in its own transaction.
async fn apply_answer(
    app: &App,
    payment: &Payment,
    answer: Result<&IntentUpdate, &String>,
) -> DbResult<Option<Payment>> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, &Cause::of(payment.correlation)).await?;
    let Some(current) = store::lock(&mut tx, payment.id).await? else {
        return Ok(None);
    };
    let changed = match answer {
        Ok(update) => current.apply(update, now),
        // An attempt that is no longer the current one is no longer refused.
        Err(_) if current.attempt != payment.attempt => None,
        Err(code) => current.not_created(code, now).map(|it| (it, None)),
    };
    let changed = match changed {
        Some((changed, announcement)) => {
            record(app, &mut tx, &changed, (announcement, LearntBy::Call)).await?;
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
