//! What reservation hears, and what time makes it do.

use std::time::Duration;

use eventify_protocol::ids::ReservationId;
use futures_util::FutureExt;

use super::NAME;
use super::api::{enqueue, holds_of};
use super::model::{Reservation, State};
use super::store::{self, Part, Release, Sale};
use crate::contexts::inventory::api::{self as inventory, PartRelease};
use crate::contexts::reservation::App;
use eventify_contracts::event_management::{
    EventPublished, PerformanceCancelled, PerformanceScheduled,
};
use eventify_contracts::order::{CancelReason, OrderCancelled, OrderRefunded, RefundReason};
use eventify_contracts::reservation::{EndReason, ReservationCancelled, ReservationExpired};
use eventify_kernel::breaker::CallError;
use eventify_kernel::bus::Consumers;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, Tx};
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs};

/// Rows that a job takes at once.
const BATCH: u16 = 100;

pub(super) fn consumers() -> Consumers<App> {
    Consumers::new()
        .on(on_performance_scheduled)
        .on(on_event_published)
        .on(on_performance_cancelled)
        .on(on_order_cancelled)
        .on(on_order_refunded)
}

pub(super) const EXPIRE_RESERVATIONS: Job = Job::of(NAME, "expire_reservations");
pub(super) const RELEASE_HOLDS: Job = Job::of(NAME, "release_holds");

pub(super) fn jobs() -> Jobs<App> {
    Jobs::new()
        .every(
            Duration::from_secs(1),
            EXPIRE_RESERVATIONS,
            expire_reservations,
        )
        .every(Duration::from_secs(5), RELEASE_HOLDS, release_holds)
}

async fn on_performance_scheduled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceScheduled>,
) -> Result<(), Failure> {
    let told = event.data;
    let prices = told
        .categories
        .into_iter()
        .map(|category| (category.name, category.code, category.price))
        .collect();
    let sale = Sale {
        performance_id: told.performance_id,
        event_id: told.event_id,
        event_title: told.event_title,
        venue_id: told.venue_id,
        start_time: told.start_time,
        ends_at: told.ends_at,
        sales_opens_at: told.sales_opens_at,
        sales_closes_at: told.sales_closes_at,
        prices,
        version: event.aggregate_version,
    };
    Ok(store::schedule(tx, &sale).await?)
}

async fn on_event_published(
    _: &App,
    tx: &mut Tx,
    event: Received<EventPublished>,
) -> Result<(), Failure> {
    Ok(store::publish_event(tx, event.data.event_id).await?)
}

/// Open carts with a place there are ended by the job; confirmed ones end with their orders.
async fn on_performance_cancelled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceCancelled>,
) -> Result<(), Failure> {
    store::cancel_performance(tx, event.data.performance_id).await?;
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
        end(app, tx, &ended).await?;
        let items = ended.plain_items();
        let cancelled = ReservationCancelled {
            reservation_id: id,
            reason,
            items,
        };
        tx.publish(app.clock.new_id(), ended.version, &cancelled);
    }
    Ok(())
}

/// Seats that were sold but never got tickets have nobody else who frees them.
async fn on_order_refunded(
    app: &App,
    tx: &mut Tx,
    event: Received<OrderRefunded>,
) -> Result<(), Failure> {
    if event.data.reason == RefundReason::TicketIssueFailed {
        let correlation = event.cause.correlation;
        let holds = holds_of(&event.data.items);
        let releases: Vec<_> = holds
            .into_iter()
            .map(|hold| Release::whole(hold, correlation))
            .collect();
        enqueue(app, tx, &releases).await?;
    }
    Ok(())
}

/// Writes a cart's end and gives its holds back.
pub(super) async fn end(app: &App, tx: &mut Tx, ended: &Reservation) -> DbResult<()> {
    store::save(tx, ended).await?;
    let correlation = tx.cause().correlation;
    let holds = holds_of(&ended.plain_items());
    let releases: Vec<_> = holds
        .into_iter()
        .map(|hold| Release::whole(hold, correlation))
        .collect();
    enqueue(app, tx, &releases).await
}

/// Ends open carts whose time has passed, or whose performance was cancelled.
async fn expire_reservations(app: &App, _: &Cause) -> Result<(), Failure> {
    loop {
        let mut conn = app.db.read(NAME).await?;
        let overdue = store::overdue(&mut conn, app.clock.now(), BATCH).await?;
        drop(conn);
        for id in &overdue {
            expire(app, *id).await?;
        }
        if overdue.len() < usize::from(BATCH) {
            return Ok(());
        }
    }
}

async fn expire(app: &App, id: ReservationId) -> Result<(), DbError> {
    let now = app.clock.now();
    let mut conn = app.db.read(NAME).await?;
    let Some(seen) = store::find(&mut conn, id).await? else {
        return Ok(());
    };
    drop(conn);
    let mut tx = app.db.begin(NAME, &Cause::of(seen.correlation)).await?;
    let Some(cart) = store::lock(&mut tx, id).await? else {
        return Ok(());
    };
    if cart.state != State::Pending {
        return Ok(());
    }
    let items = cart.plain_items();
    if let Some(ended) = cart.clone().expire(now) {
        end(app, &mut tx, &ended).await?;
        let expired = ReservationExpired {
            reservation_id: id,
            reason: EndReason::Expired,
            items,
        };
        tx.publish(app.clock.new_id(), ended.version, &expired);
    } else if let Some(ended) = cart.cancel(EndReason::EventCancelled, now) {
        end(app, &mut tx, &ended).await?;
        let reason = EndReason::EventCancelled;
        let cancelled = ReservationCancelled {
            reservation_id: id,
            reason,
            items,
        };
        tx.publish(app.clock.new_id(), ended.version, &cancelled);
    }
    tx.commit().await
}

/// Tells inventory what to give back, until it has heard.
async fn release_holds(app: &App, _: &Cause) -> Result<(), Failure> {
    loop {
        let mut conn = app.db.read(NAME).await?;
        let due = store::due(&mut conn, app.clock.now(), BATCH).await?;
        drop(conn);
        for release in &due {
            let released = release_one(app, release).await;
            let mut conn = app.db.read(NAME).await?;
            match released {
                Ok(()) => store::done(&mut conn, release.id).await?,
                Err(error) => {
                    tracing::warn!(hold = %release.hold, %error, "release is put off");
                    store::postpone(&mut conn, release.id, app.clock.now()).await?;
                }
            }
        }
        if due.len() < usize::from(BATCH) {
            return Ok(());
        }
    }
}

async fn release_one(app: &App, release: &Release) -> Result<(), CallError<DbError>> {
    let attempt = || {
        let (app, cause) = (app.clone(), Cause::of(release.correlation));
        let release = release.clone();
        async move {
            let (seats, buckets) = match release.part {
                None => return inventory::release(&app, &cause, &[release.hold]).await,
                Some(Part::Seat(seat)) => (vec![seat], Vec::new()),
                Some(Part::Bucket(bucket, qty)) => (Vec::new(), vec![(bucket, qty)]),
            };
            let part = PartRelease {
                id: release.id,
                hold: release.hold,
                owner: release.owner,
                seats,
                buckets,
            };
            inventory::release_part(&app, &cause, &part).await
        }
        .boxed()
    };
    app.state.inventory_breaker.call(attempt).await
}
