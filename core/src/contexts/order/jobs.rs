//! What time and tasks make order do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use eventify_contracts::order::{CancelReason, RefundReason};
use eventify_kernel::breaker::CallError;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs, at_once};
use eventify_kernel::tasks::{Attempt, Outcome, Task};
use eventify_protocol::ids::{OrderId, UserId};
use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::model::{Order, PaidTicket};
use super::{App, NAME, acts, store};
use crate::contexts::payment::api::{self as payment, Closed, IntentError, IntentState};

pub(crate) const REQUEST_INTENTS: Job = Job::of(NAME, "request_intents");
pub(crate) const CANCEL_UNPAID: Job = Job::of(NAME, "cancel_unpaid");
pub(crate) const REFUND_CANCELLED_PERFORMANCES: Job =
    Job::of(NAME, "refund_cancelled_performances");

pub(crate) const REOPEN_REFUNDS: Job = Job::of(NAME, "reopen_refunds");

/// Orders that one query lists.
const BATCH: u16 = 100;
/// Intents that are ended at once.
const CLOSINGS_AT_ONCE: usize = 8;

/// Pause before payment is asked again whether somebody has made a refused payment possible.
fn after_refusal() -> chrono::Duration {
    chrono::Duration::seconds(30)
}

/// Pause after a refused refund of a cancelled performance: an operator may correct the cause at
/// the provider meanwhile.
fn pause_after_refusal() -> chrono::Duration {
    chrono::Duration::hours(1)
}

pub(super) fn jobs() -> Jobs<App> {
    Jobs::new()
        .tasks(request_intents)
        .every(Duration::from_secs(1), CANCEL_UNPAID, cancel_unpaid)
        .every(
            Duration::from_secs(30),
            REFUND_CANCELLED_PERFORMANCES,
            refund_cancelled_performances,
        )
        .every(Duration::from_secs(60), REOPEN_REFUNDS, reopen_refunds)
}

/// Payment is to create the intent of a new order.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct RequestIntent {
    pub(super) order_id: OrderId,
}

impl Task for RequestIntent {
    const JOB: Job = REQUEST_INTENTS;
    /// A customer waits, and payment answers at once when its work is done.
    const MAX_PAUSE: TimeDelta = TimeDelta::seconds(1);

    fn key(&self) -> Uuid {
        self.order_id.as_uuid()
    }
}

/// Calls payment until it has created the intent. An order that waits longer is `processing`.
async fn request_intents(app: App, attempt: Attempt<RequestIntent>) -> Result<Outcome, Failure> {
    let (id, cause) = (attempt.task.order_id, attempt.cause);
    let mut conn = app.db.read(NAME).await?;
    let order = store::find(&mut conn, id).await?;
    drop(conn);
    let Some(order) = order.filter(|order| order.is_unpaid() && order.payment_id.is_none()) else {
        return Ok(Outcome::Done);
    };
    let request = payment::IntentRequest {
        organisers: organisers_of(&app, &order).await?,
        order_id: id,
        customer_id: order.customer_id,
        seller_id: order.seller_id,
        amount: order.amount,
    };
    let create = || {
        let (app, cause, request) = (app.with(&app.state.payment), cause.clone(), request.clone());
        async move { payment::create_intent(&app, &cause, &request).await }.boxed()
    };
    let answer = app.state.payment_breaker.call(create).await;
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, &cause).await?;
    let Some(order) = store::lock(&mut tx, id).await? else {
        return Ok(Outcome::Done);
    };
    let (changed, outcome) = match answer {
        Ok(intent) => match intent.state {
            IntentState::Ready => {
                let pay_within = app.state.deadlines.pay;
                let payable = order.with_payment(intent.payment_id, pay_within, now);
                (Some(payable), Ok(Outcome::Done))
            }
            IntentState::Waiting => (order.payment_delayed(now), Ok(Outcome::Wait)),
            // Somebody has to decide first.
            IntentState::Refused => (
                order.payment_delayed(now),
                Ok(Outcome::After(after_refusal())),
            ),
        },
        Err(CallError::Callee(IntentError::OrderEnded)) => (None, Ok(Outcome::Done)),
        Err(error) => (order.payment_delayed(now), Err(Failure::retry(error))),
    };
    if let Some(order) = changed {
        store::update(&mut tx, &order).await?;
        tx.commit().await?;
    }
    outcome
}

/// Who runs the performances of an order, each once.
async fn organisers_of(app: &App, order: &Order) -> DbResult<Vec<(UserId, Option<String>)>> {
    let mut conn = app.db.read(NAME).await?;
    let performances = store::list_performances(&mut conn, &order.performances()).await?;
    let performances = performances.into_iter();
    let mut organisers: Vec<_> = performances.map(|it| (it.owner_id, it.org_id)).collect();
    organisers.sort();
    organisers.dedup();
    Ok(organisers)
}

/// Cancels orders that were not paid in time or whose performance was cancelled. One that fails
/// doesn't stop the others.
async fn cancel_unpaid(app: &App, _: &Cause) -> Result<(), Failure> {
    // What was paid in the last moment is listed until payment's event arrives: it holds up no other.
    let mut skip = 0;
    loop {
        let now = app.clock.now();
        let mut conn = app.db.read(NAME).await?;
        let (wait, window) = (app.state.deadlines.wait, (skip, BATCH));
        let due = store::list_unpaid_past_deadline(&mut conn, now, wait, window).await?;
        drop(conn);
        let is_last = due.len() < usize::from(BATCH);
        let ended = Arc::new(AtomicUsize::new(0));
        at_once(CLOSINGS_AT_ONCE, due, |(id, reason)| {
            let (app, ended) = (app.clone(), Arc::clone(&ended));
            async move {
                let is_ended = cancel_one(&app, id, reason).await?;
                ended.fetch_add(usize::from(is_ended), Ordering::Relaxed);
                DbResult::Ok(())
            }
            .boxed()
        })
        .await?;
        skip += BATCH - u16::try_from(ended.load(Ordering::Relaxed)).unwrap_or(BATCH);
        if is_last {
            return Ok(());
        }
    }
}

/// Whether it has ended. The intent is ended first: no card may pay for places that are free again. If the provider doesn't
/// answer, the places are free all the same, and money that comes goes back.
async fn cancel_one(app: &App, id: OrderId, reason: CancelReason) -> DbResult<bool> {
    let mut conn = app.db.read(NAME).await?;
    let Some(found) = store::find(&mut conn, id).await? else {
        return Ok(false);
    };
    drop(conn);
    let cause = Cause::of(found.correlation);
    if found.payment_id.is_some() {
        let payment = app.with(&app.state.payment);
        if payment::close_intent(&payment, &cause, id).await? == Closed::Paid {
            return Ok(false);
        }
    }
    let mut tx = app.db.begin(NAME, &cause).await?;
    let Some(order) = store::lock(&mut tx, id).await? else {
        return Ok(false);
    };
    let ended = acts::cancel_unpaid(app, &mut tx, order, reason).await?;
    tx.commit().await?;
    Ok(ended.is_some())
}

async fn reopen_refunds(app: &App, _: &Cause) -> Result<(), Failure> {
    Ok(acts::refunds::reopen_stuck(app).await?)
}

/// Refunds all tickets of cancelled performances. Tickets with a refund are the progress, so an
/// interrupted run is continued by the next one.
async fn refund_cancelled_performances(app: &App, cause: &Cause) -> Result<(), Failure> {
    loop {
        let mut conn = app.db.read(NAME).await?;
        let refused_since = app.clock.now() - pause_after_refusal();
        let orders = store::list_refundable_orders(&mut conn, refused_since, BATCH).await?;
        drop(conn);
        let mut result = Ok(());
        for id in &orders {
            result = result.and(refund_cancelled(app, cause, *id).await);
        }
        result?;
        if orders.len() < usize::from(BATCH) {
            return Ok(());
        }
    }
}

async fn refund_cancelled(app: &App, cause: &Cause, id: OrderId) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let Some(order) = store::lock(&mut tx, id).await? else {
        return Ok(());
    };
    let tickets = store::list_tickets(&mut tx, id).await?;
    let performances = acts::performances_of(&mut tx, &tickets).await?;
    let is_cancelled = |ticket: &&PaidTicket| {
        let mut performances = performances.iter().filter(|it| it.cancelled);
        ticket.refund_id.is_none()
            && performances.any(|it| it.performance_id == ticket.performance_id)
    };
    let cancelled = tickets.iter().filter(is_cancelled);
    let named: Vec<_> = cancelled.map(|ticket| ticket.ticket_id).collect();
    let plan = order.goodwill_refund(&tickets, &named, RefundReason::EventCancelled);
    if let Ok(plan) = plan {
        acts::request_refund(app, &mut tx, order, plan, None).await?;
        tx.commit().await?;
    }
    Ok(())
}
