//! What order asks of payment, behind its breaker `ord_payment`, and the steps that routes,
//! consumers and jobs share. The provider is asked behind `pay_psp`, outside of every transaction.

use chrono::Duration;
use eventify_protocol::ids::{OrderId, PaymentId, UserId};
use eventify_protocol::money::Money;

use super::model::{News, Payment, State, Todo};
use super::{NAME, consumers, store};
use crate::contexts::payment::App;
use crate::contexts::payment::gateway::{Asked, IntentSeen, NewIntent, PspError};
use eventify_contracts::payment::{PaymentCaptured, PaymentFailed};
use eventify_kernel::breaker::{CallError, IsFault};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, Tx};

/// How long the one who wrote what is to be asked has for asking, before the job does it. Longer
/// than all attempts of a call together.
fn own_attempt() -> Duration {
    Duration::seconds(15)
}

/// What is to be paid.
#[derive(Clone, Debug)]
pub struct IntentWanted {
    /// The order; also the idempotency key.
    pub order_id: OrderId,
    /// Who pays.
    pub customer_id: UserId,
    /// How much; more than nothing.
    pub amount: Money,
}

/// The request was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntentTaken {
    /// The payment.
    pub payment_id: PaymentId,
    /// Whether the provider has answered; if not, the work runs on.
    pub ready: bool,
}

/// Why no intent will be made.
#[derive(Debug, thiserror::Error)]
pub enum IntentError {
    /// The order ended before.
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

impl IsFault for PspError {
    fn is_fault(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Opens the payment of an order, manual capture. A repeat answers how it stands.
///
/// # Errors
/// [`IntentError`]; only [`IntentError::Db`] is a fault.
pub async fn create_intent(
    app: &App,
    cause: &Cause,
    wanted: &IntentWanted,
) -> Result<IntentTaken, IntentError> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    if store::is_ended(&mut tx, wanted.order_id).await? {
        return Err(IntentError::OrderEnded);
    }
    let parties = (wanted.order_id, wanted.customer_id);
    let id = PaymentId(app.clock.new_id());
    let payment = Payment::new(id, parties, wanted.amount, cause.correlation, now);
    let provider = app.state.gateway.name();
    if !store::add(&mut tx, &payment, provider, now + own_attempt()).await? {
        let known = store::find_by_order(&mut tx, wanted.order_id).await?;
        let known = known.ok_or_else(|| DbError::impossible_row("a payment has vanished"))?;
        return Ok(IntentTaken {
            payment_id: known.id,
            ready: known.state != State::Creating,
        });
    }
    tx.commit().await?;
    let ready = match ask(app, &payment).await {
        Ok(Told::Nothing) => false,
        Ok(Told::Changed(_)) => true,
        Err(error) => {
            tracing::warn!(payment = %id, %error, "the provider has made no intent yet");
            false
        }
    };
    Ok(IntentTaken {
        payment_id: id,
        ready,
    })
}

/// What asking came to.
#[derive(Debug)]
pub(super) enum Told {
    /// Nothing new.
    Nothing,
    /// A new state.
    Changed(Payment),
}

/// Why asking came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// The provider; what is to be asked stays written down.
    #[error(transparent)]
    Psp(#[from] CallError<PspError>),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Asks the provider what this payment's state wants asked, and takes its word.
pub(super) async fn ask(app: &App, payment: &Payment) -> Result<Told, AskError> {
    let (psp, reference) = (
        &app.state.gateway,
        payment.state.intent().map(|it| it.reference.clone()),
    );
    let answer = match (payment.state.todo(), reference) {
        (Some(Todo::Create), _) => {
            let new = NewIntent {
                payment_id: payment.id,
                order_id: payment.order_id,
                amount: payment.amount,
            };
            call(app, || psp.create_intent(new.clone())).await
        }
        (Some(Todo::Capture), Some(it)) => call(app, || psp.capture(it.clone())).await,
        (Some(Todo::Cancel), Some(it)) => call(app, || psp.cancel(it.clone())).await,
        (None, Some(it)) => call(app, || psp.intent(it.clone())).await,
        (Some(Todo::Capture | Todo::Cancel) | None, None) => return Ok(Told::Nothing),
    };
    match answer {
        Ok(seen) => Ok(take_word(app, payment, Some(&seen)).await?),
        Err(CallError::Callee(PspError::Refused(code)))
            if payment.state.todo() == Some(Todo::Create) =>
        {
            tracing::error!(payment = %payment.id, code, "the provider makes no intent");
            Ok(take_word(app, payment, None).await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Behind the breaker.
pub(super) async fn call<T: Send + 'static>(
    app: &App,
    attempt: impl Fn() -> Asked<T>,
) -> Result<T, CallError<PspError>> {
    app.state.breaker.call(attempt).await
}

/// Applies an answer, in a transaction of its own; none is the refusal to make an intent.
async fn take_word(app: &App, payment: &Payment, seen: Option<&IntentSeen>) -> DbResult<Told> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, &Cause::of(payment.correlation)).await?;
    let Some(current) = store::lock(&mut tx, payment.id).await? else {
        return Ok(Told::Nothing);
    };
    let changed = match seen {
        Some(seen) => current.observed(seen, now),
        None => current.not_created(now),
    };
    let told = match changed {
        Some((changed, news)) => {
            write(app, &mut tx, &changed, news).await?;
            Told::Changed(changed)
        }
        None => {
            store::heard(&mut tx, payment.id, now).await?;
            Told::Nothing
        }
    };
    tx.commit().await?;
    Ok(told)
}

/// Writes a new state with its news, and has done what it wants asked.
pub(super) async fn write(
    app: &App,
    tx: &mut Tx,
    payment: &Payment,
    news: Option<News>,
) -> DbResult<()> {
    store::save(tx, payment, None).await?;
    if payment.state.todo().is_some() {
        tx.wake(app.jobs.wake(consumers::DRIVE_PAYMENTS));
    }
    let (payment_id, order_id) = (payment.id, payment.order_id);
    match news {
        Some(News::Captured(amount)) => {
            let event = PaymentCaptured {
                payment_id,
                order_id,
                amount,
            };
            tx.publish(app.clock.new_id(), payment.version, &event);
        }
        Some(News::Failed(failure_reason)) => {
            let event = PaymentFailed {
                payment_id,
                order_id,
                failure_reason,
            };
            tx.publish(app.clock.new_id(), payment.version, &event);
        }
        None => {}
    }
    Ok(())
}

/// Asks the provider how a payment stands and goes on with it: looks, captures what is authorised.
/// What the customer's page calls after the card was confirmed, where it won't wait for a webhook.
pub(super) async fn settle(app: &App, payment: Payment) -> Result<Payment, AskError> {
    let mut payment = payment;
    // Look, capture: two questions are the most that an open payment needs.
    for _ in 0..2 {
        payment = match ask(app, &payment).await? {
            Told::Changed(changed) => changed,
            // A job, a webhook or the same call beside this one was quicker.
            Told::Nothing => as_it_is(app, payment).await?,
        };
        if payment.state.todo().is_none() {
            break;
        }
    }
    Ok(payment)
}

async fn as_it_is(app: &App, payment: Payment) -> DbResult<Payment> {
    let mut conn = app.db.read(NAME).await?;
    Ok(store::find(&mut conn, payment.id).await?.unwrap_or(payment))
}
