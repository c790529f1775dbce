//! What order hears, and what time makes it do.

use std::time::Duration;

use eventify_protocol::ids::OrderId;
use futures_util::FutureExt;

use super::api::{self, Refunded, end_unpaid, first_order, paid, refunded, request_refund};
use super::model::{Captured, Order, Performance, price_of};
use super::{NAME, store};
use crate::contexts::order::App;
use crate::contexts::payment::api as payment;
use eventify_contracts::event_management::{PerformanceCancelled, PerformanceScheduled};
use eventify_contracts::order::{CancelReason, OrderPlaced, RefundReason};
use eventify_contracts::payment::{PaymentCaptured, PaymentFailed, PaymentRefunded, RefundFailed};
use eventify_contracts::reservation::ReservationConfirmed;
use eventify_contracts::ticketing::{TicketFacts, TicketIssueFailed, TicketIssued};
use eventify_kernel::bus::Consumers;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, Tx};
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs, at_once};

/// Rows that a job takes at once.
const BATCH: u16 = 100;
/// Intents that are asked for at once.
const CONCURRENT_REQUESTS: usize = 16;

/// How long an order is left alone whose refund the provider has refused: people look at it, and
/// may have it put right there.
fn refused_pause() -> chrono::Duration {
    chrono::Duration::hours(1)
}

pub(super) fn consumers() -> Consumers<App> {
    Consumers::new()
        .on(on_performance_scheduled)
        .on(on_performance_cancelled)
        .on(on_reservation_confirmed)
        .on(on_payment_captured)
        .on(on_payment_failed)
        .on(on_payment_refunded)
        .on(on_refund_failed)
        .on(on_ticket_issued)
        .on(on_ticket_issue_failed)
}

pub(super) const REQUEST_INTENTS: Job = Job::of(NAME, "request_intents");
pub(super) const CANCEL_UNPAID: Job = Job::of(NAME, "cancel_unpaid");
pub(super) const REFUND_CANCELLED_PERFORMANCES: Job =
    Job::of(NAME, "refund_cancelled_performances");

pub(super) fn jobs() -> Jobs<App> {
    Jobs::new()
        .every(Duration::from_secs(1), REQUEST_INTENTS, request_intents)
        .every(Duration::from_secs(1), CANCEL_UNPAID, cancel_unpaid)
        .every(
            Duration::from_secs(30),
            REFUND_CANCELLED_PERFORMANCES,
            refund_cancelled_performances,
        )
}

async fn on_performance_scheduled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceScheduled>,
) -> Result<(), Failure> {
    let told = event.data;
    let performance = Performance {
        performance_id: told.performance_id,
        owner_id: told.owner_id.into(),
        org_id: told.org_id,
        start_time: told.start_time,
        cancelled: false,
    };
    Ok(store::schedule(tx, &performance, told.event_id, event.aggregate_version).await?)
}

/// Unpaid orders end, paid ones are refunded, by the jobs.
async fn on_performance_cancelled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceCancelled>,
) -> Result<(), Failure> {
    store::cancel_performance(tx, event.data.performance_id).await?;
    tx.wake(app.jobs.wake(CANCEL_UNPAID));
    tx.wake(app.jobs.wake(REFUND_CANCELLED_PERFORMANCES));
    Ok(())
}

async fn on_reservation_confirmed(
    app: &App,
    tx: &mut Tx,
    event: Received<ReservationConfirmed>,
) -> Result<(), Failure> {
    let id = OrderId(app.clock.new_id());
    let order = Order::place(id, &event.data, event.cause.correlation, app.clock.now());
    if !store::insert(tx, &order).await? {
        return Ok(());
    }
    let placed = OrderPlaced {
        order_id: order.id,
        reservation_id: order.reservation_id,
        customer_id: order.customer_id,
        amount: order.amount,
        items: order.items.clone(),
    };
    tx.publish(app.clock.new_id(), order.version, &placed);
    if !order.is_free() {
        tx.wake(app.jobs.wake(REQUEST_INTENTS));
        return Ok(());
    }
    if let Captured::Paid(order) = order.captured(None, app.clock.now()) {
        paid(app, tx, &order).await?;
    }
    Ok(())
}

async fn on_payment_captured(
    app: &App,
    tx: &mut Tx,
    event: Received<PaymentCaptured>,
) -> Result<(), Failure> {
    let order = locked(tx, event.data.order_id).await?;
    match order
        .clone()
        .captured(Some(event.data.payment_id), app.clock.now())
    {
        Captured::Paid(order) => paid(app, tx, &order).await?,
        Captured::TooLate => {
            let plan = order.full_refund(RefundReason::LatePayment);
            request_refund(app, tx, order, &plan, None).await?;
        }
        Captured::Known => {}
    }
    Ok(())
}

async fn on_payment_failed(
    app: &App,
    tx: &mut Tx,
    event: Received<PaymentFailed>,
) -> Result<(), Failure> {
    let order = locked(tx, event.data.order_id).await?;
    let reason = CancelReason::PaymentFailed;
    if let Some(ended) = order.cancel_unpaid(reason, app.clock.now()) {
        end_unpaid(app, tx, ended, reason).await?;
    }
    Ok(())
}

async fn on_payment_refunded(
    app: &App,
    tx: &mut Tx,
    event: Received<PaymentRefunded>,
) -> Result<(), Failure> {
    let told = event.data;
    let order = locked(tx, told.order_id).await?;
    let refund = store::refund_of(tx, told.refund_id)
        .await?
        .ok_or_else(|| Failure::park(format!("there is no refund {}", told.refund_id)))?;
    let told = Refunded {
        refund_id: told.refund_id,
        reason: refund.reason,
        note: refund.note,
        ticket_ids: told.ticket_ids,
    };
    refunded(app, tx, order, told).await?;
    Ok(())
}

/// The tickets keep their value; people must look at it.
async fn on_refund_failed(
    app: &App,
    tx: &mut Tx,
    event: Received<RefundFailed>,
) -> Result<(), Failure> {
    let told = event.data;
    locked(tx, told.order_id).await?;
    tracing::error!(order = %told.order_id, refund = %told.refund_id,
        reason = told.failure_reason, "a refund failed");
    Ok(store::end_refund(tx, told.refund_id, false, app.clock.now()).await?)
}

async fn on_ticket_issued(
    _: &App,
    tx: &mut Tx,
    event: Received<TicketIssued>,
) -> Result<(), Failure> {
    let order = locked(tx, event.data.order_id).await?;
    let tickets = event
        .data
        .tickets
        .iter()
        .map(|ticket| {
            let price = price_of_ticket(&order, ticket).ok_or_else(|| {
                Failure::park(format!("ticket {} was not ordered", ticket.ticket_id))
            })?;
            Ok((ticket.ticket_id, ticket.performance_id, price))
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    Ok(store::add_tickets(tx, order.id, &tickets).await?)
}

/// By seat, or by zone: first in the ticket's own category, for a zone can be sold in several.
fn price_of_ticket(order: &Order, ticket: &TicketFacts) -> Option<eventify_protocol::money::Money> {
    let place = |item: &eventify_contracts::order::Item| {
        item.performance_id == ticket.performance_id
            && item.seat_id == ticket.seat_id
            && item.bucket_id == ticket.bucket_id
    };
    price_of(&order.items, |item| {
        place(item) && item.price_category == ticket.category
    })
    .or_else(|| price_of(&order.items, place))
}

async fn on_ticket_issue_failed(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketIssueFailed>,
) -> Result<(), Failure> {
    let order = locked(tx, event.data.order_id).await?;
    let asked = store::refunds(tx, order.id).await?;
    if order.state.paid_at().is_none() || !asked.is_empty() {
        return Ok(());
    }
    let plan = order.full_refund(RefundReason::TicketIssueFailed);
    request_refund(app, tx, order, &plan, None).await?;
    Ok(())
}

/// The order that an event is about. Order wrote it before anybody could speak of it.
async fn locked(tx: &mut Tx, id: OrderId) -> Result<Order, Failure> {
    store::lock(tx, id)
        .await?
        .ok_or_else(|| Failure::park(format!("there is no order {id}")))
}

/// Asks payment for the intents of new orders. Payment's silence shows as `processing`; it is asked
/// again at the next run, and answers at once when its work is done.
async fn request_intents(app: &App, _: &Cause) -> Result<(), Failure> {
    let mut last = first_order();
    loop {
        let mut conn = app.db.read(NAME).await?;
        let orders = store::without_intent(&mut conn, last, BATCH).await?;
        drop(conn);
        let Some(end) = orders.last() else {
            return Ok(());
        };
        last = end.id;
        at_once(CONCURRENT_REQUESTS, orders, |order| {
            request_intent(app.clone(), order).boxed()
        })
        .await?;
    }
}

async fn request_intent(app: App, order: Order) -> DbResult<()> {
    let cause = Cause::of(order.correlation);
    let wanted = payment::IntentWanted {
        order_id: order.id,
        customer_id: order.customer_id,
        amount: order.amount,
    };
    let attempt = || {
        let (app, cause, wanted) = (app.with(&app.state.payment), cause.clone(), wanted.clone());
        async move { payment::create_intent(&app, &cause, &wanted).await }.boxed()
    };
    let answer = app.state.payment_breaker.call(attempt).await;
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, &cause).await?;
    let Some(order) = store::lock(&mut tx, order.id).await? else {
        return Ok(());
    };
    let changed = match answer {
        Ok(taken) if taken.ready => Some(order.with_payment(taken.payment_id, now)),
        Ok(_) => order.still_waiting(now),
        Err(error) => {
            tracing::warn!(order = %order.id, %error, "payment has not taken the order yet");
            order.still_waiting(now)
        }
    };
    if let Some(order) = changed {
        store::save(&mut tx, &order).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Ends orders that were not paid in time, or whose performance was cancelled.
async fn cancel_unpaid(app: &App, _: &Cause) -> Result<(), Failure> {
    loop {
        let now = app.clock.now();
        let mut conn = app.db.read(NAME).await?;
        let due = store::unpaid_past_deadline(&mut conn, now, BATCH).await?;
        drop(conn);
        for (id, reason) in &due {
            cancel_one(app, *id, *reason).await?;
        }
        if due.len() < usize::from(BATCH) {
            return Ok(());
        }
    }
}

async fn cancel_one(app: &App, id: OrderId, reason: CancelReason) -> Result<(), DbError> {
    let mut conn = app.db.read(NAME).await?;
    let Some(seen) = store::find(&mut conn, id).await? else {
        return Ok(());
    };
    drop(conn);
    let mut tx = app.db.begin(NAME, &Cause::of(seen.correlation)).await?;
    let Some(order) = store::lock(&mut tx, id).await? else {
        return Ok(());
    };
    if let Some(ended) = order.cancel_unpaid(reason, app.clock.now()) {
        end_unpaid(app, &mut tx, ended, reason).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// The organiser cancelled: everything goes back. Claimed tickets are the progress, so this goes on
/// wherever it was interrupted.
async fn refund_cancelled_performances(app: &App, cause: &Cause) -> Result<(), Failure> {
    loop {
        let mut conn = app.db.read(NAME).await?;
        let refused_since = app.clock.now() - refused_pause();
        let orders = store::refundable_orders(&mut conn, refused_since, BATCH).await?;
        drop(conn);
        for id in &orders {
            refund_cancelled(app, cause, *id).await?;
        }
        if orders.len() < usize::from(BATCH) {
            return Ok(());
        }
    }
}

async fn refund_cancelled(app: &App, cause: &Cause, id: OrderId) -> Result<(), Failure> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let order = locked(&mut tx, id).await?;
    let tickets = store::tickets(&mut tx, id).await?;
    let performances = api::performances_of(&mut tx, &tickets).await?;
    let cancelled = |ticket: &&super::model::PaidTicket| {
        ticket.refund_id.is_none()
            && performances
                .iter()
                .any(|it| it.cancelled && it.performance_id == ticket.performance_id)
    };
    let named: Vec<_> = tickets
        .iter()
        .filter(cancelled)
        .map(|ticket| ticket.ticket_id)
        .collect();
    let plan = order.goodwill_refund(&tickets, &named, RefundReason::EventCancelled);
    if let Ok(plan) = plan {
        request_refund(app, &mut tx, order, &plan, None).await?;
        tx.commit().await?;
    }
    Ok(())
}
