//! One function for each foreign event.

use eventify_contracts::event_management::{
    EventPublished, PerformanceCancelled, PerformanceFacts, PerformanceRescheduled,
    PerformanceScheduled,
};
use eventify_contracts::order::{CancelReason, OrderCancelled};
use eventify_contracts::reservation::EndReason;
use eventify_kernel::bus::Consumers;
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_protocol::ids::PerformanceId;

use super::jobs::EXPIRE_RESERVATIONS;
use super::store::{self, PerformanceRow, PriceRow};
use super::{App, acts};

pub(super) fn consumers() -> Consumers<App> {
    Consumers::new()
        .on(on_performance_scheduled)
        .on(on_performance_rescheduled)
        .on(on_event_published)
        .on(on_performance_cancelled)
        .on(on_order_cancelled)
}

async fn on_performance_scheduled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceScheduled>,
) -> Result<(), Failure> {
    let (id, facts) = (event.data.performance_id, event.data.facts);
    offer(tx, id, facts, event.aggregate_version).await
}

/// From now on sold until the new times.
async fn on_performance_rescheduled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceRescheduled>,
) -> Result<(), Failure> {
    let (id, facts) = (event.data.performance_id, event.data.facts);
    offer(tx, id, facts, event.aggregate_version).await
}

async fn offer(
    tx: &mut Tx,
    id: PerformanceId,
    facts: PerformanceFacts,
    version: i32,
) -> Result<(), Failure> {
    let performance = PerformanceRow {
        performance_id: id,
        event_id: facts.event_id,
        event_title: facts.event_title,
        venue_id: facts.venue_id,
        start_time: facts.times.start_time,
        ends_at: facts.times.ends_at,
        sales_opens_at: facts.sales_opens_at,
        sales_closes_at: facts.sales_closes_at,
        admits_until: facts.times.admits_until,
        version,
    };
    let categories = facts.categories.into_iter();
    let prices: Vec<_> = categories
        .map(|category| PriceRow::new(id, category.name, category.code, category.price))
        .collect();
    Ok(store::upsert_performance(tx, &performance, &prices).await?)
}

async fn on_event_published(
    _: &App,
    tx: &mut Tx,
    event: Received<EventPublished>,
) -> Result<(), Failure> {
    Ok(store::insert_published_event(tx, event.data.event_id).await?)
}

/// The job ends open carts with a place there; confirmed ones end with their orders.
async fn on_performance_cancelled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceCancelled>,
) -> Result<(), Failure> {
    store::insert_cancelled_performance(tx, event.data.performance_id).await?;
    tx.wake(app.jobs.wake(EXPIRE_RESERVATIONS));
    Ok(())
}

async fn on_order_cancelled(
    app: &App,
    tx: &mut Tx,
    event: Received<OrderCancelled>,
) -> Result<(), Failure> {
    let reason = match event.data.reason {
        CancelReason::PaymentFailed => EndReason::PaymentFailed,
        CancelReason::PaymentTimeout => EndReason::PaymentTimeout,
        CancelReason::UserRequest => EndReason::UserCancelled,
        CancelReason::EventCancelled => EndReason::EventCancelled,
    };
    let id = event.data.reservation_id;
    let cart = store::lock(tx, id).await?;
    let cart = cart.ok_or_else(|| Failure::park(format!("there is no reservation {id}")))?;
    if let Some(ended) = cart.cancel(reason, app.clock.now()) {
        acts::end(app, tx, &ended).await?;
    }
    Ok(())
}
