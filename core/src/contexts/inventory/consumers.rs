//! What inventory hears, and what time makes it do.

use std::collections::BTreeSet;
use std::time::Duration;

use eventify_protocol::ids::{EventId, HoldId};

use super::NAME;
use super::api::{self, Extent, Returned};
use super::model::layout::Layout;
use super::store::release::Place;
use super::store::{availability, layout, venues};
use eventify_contracts::event_management::{
    EventArchived, EventCancelled, EventPublished, PerformanceCancelled, PerformanceScheduled,
};
use eventify_contracts::order::{Item, OrderCancelled, OrderPaid, OrderRefunded};
use eventify_contracts::reservation::{ReservationCancelled, ReservationExpired};
use eventify_contracts::ticketing::TicketRevoked;
use eventify_kernel::app::App;
use eventify_kernel::bus::Consumers;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs};

/// Holds ended in one transaction.
const HOLDS_PER_SWEEP: usize = 200;
/// How often expired holds are swept up. A hold that is in somebody's way goes at once.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// A ticket revoked for this reason keeps its place: its money was not given back.
const NOT_RESOLD: &str = "fraud";
/// How often what is left is told, at most.
const AVAILABILITY_EVERY: Duration = Duration::from_millis(250);

pub(super) fn consumers() -> Consumers {
    Consumers::new()
        .on::<PerformanceScheduled, _>(on_performance_scheduled)
        .on::<PerformanceCancelled, _>(on_performance_cancelled)
        .on::<EventPublished, _>(on_event_published)
        .on::<EventCancelled, _>(on_event_cancelled)
        .on::<EventArchived, _>(on_event_archived)
        .on::<ReservationExpired, _>(on_reservation_expired)
        .on::<ReservationCancelled, _>(on_reservation_cancelled)
        .on::<OrderCancelled, _>(on_order_cancelled)
        .on::<OrderPaid, _>(on_order_paid)
        .on::<OrderRefunded, _>(on_order_refunded)
        .on::<TicketRevoked, _>(on_ticket_revoked)
}

pub(super) const EXPIRE_HOLDS: Job = Job::of(NAME, "expire_holds");
pub(super) const PUBLISH_AVAILABILITY: Job = Job::of(NAME, "publish_availability");

pub(super) fn jobs() -> Jobs {
    Jobs::new()
        .every(SWEEP_EVERY, EXPIRE_HOLDS, expire_holds)
        .every(
            AVAILABILITY_EVERY,
            PUBLISH_AVAILABILITY,
            publish_availability,
        )
}

/// Lays out the performance's own seats and slots.
async fn on_performance_scheduled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceScheduled>,
) -> Result<(), Failure> {
    let scheduled = event.data;
    let (id, plan_id) = (scheduled.performance_id, scheduled.seating_plan_id);
    let Some((_, plan)) = venues::plan(tx, plan_id).await? else {
        return Err(Failure::park(format!(
            "performance {id} names unknown plan {plan_id}"
        )));
    };
    if !layout::add_performance(tx, &scheduled).await? {
        return Ok(());
    }
    let priced: Vec<_> = scheduled
        .categories
        .iter()
        .map(|category| category.code)
        .collect();
    let laid_out = Layout::price(plan.seats, plan.zones, &priced);
    layout::lay_out(tx, id, &laid_out).await?;
    for part in laid_out.parts(id) {
        tx.publish(app.clock.new_id(), 1, &part);
    }
    let version = availability::next_version(tx, id).await?;
    let levels = availability::count_left(tx, id).await?;
    for level in &levels.by_bucket {
        tx.publish(
            app.clock.new_id(),
            version,
            &availability::adjusted(id, level),
        );
    }
    availability::note_change(tx, id).await?;
    Ok(())
}

async fn on_performance_cancelled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceCancelled>,
) -> Result<(), Failure> {
    Ok(layout::cancel(tx, event.data.performance_id).await?)
}

async fn on_event_published(
    _: &App,
    tx: &mut Tx,
    event: Received<EventPublished>,
) -> Result<(), Failure> {
    set_open(tx, event.data.event_id, true, event.aggregate_version).await
}

async fn on_event_cancelled(
    _: &App,
    tx: &mut Tx,
    event: Received<EventCancelled>,
) -> Result<(), Failure> {
    set_open(tx, event.data.event_id, false, event.aggregate_version).await
}

async fn on_event_archived(
    _: &App,
    tx: &mut Tx,
    event: Received<EventArchived>,
) -> Result<(), Failure> {
    set_open(tx, event.data.event_id, false, event.aggregate_version).await
}

async fn set_open(tx: &mut Tx, event: EventId, open: bool, version: i32) -> Result<(), Failure> {
    Ok(layout::set_open(tx, event, open, version).await?)
}

/// Reservation releases by itself; this is the safety net.
async fn on_reservation_expired(
    app: &App,
    tx: &mut Tx,
    event: Received<ReservationExpired>,
) -> Result<(), Failure> {
    Ok(api::free(app, tx, &holds_of(&event.data.items), Extent::Unsold).await?)
}

async fn on_reservation_cancelled(
    app: &App,
    tx: &mut Tx,
    event: Received<ReservationCancelled>,
) -> Result<(), Failure> {
    Ok(api::free(app, tx, &holds_of(&event.data.items), Extent::Unsold).await?)
}

async fn on_order_cancelled(
    app: &App,
    tx: &mut Tx,
    event: Received<OrderCancelled>,
) -> Result<(), Failure> {
    Ok(api::free(app, tx, &holds_of(&event.data.items), Extent::Unsold).await?)
}

async fn on_order_paid(app: &App, tx: &mut Tx, event: Received<OrderPaid>) -> Result<(), Failure> {
    let OrderPaid {
        order_id,
        customer_id,
        items,
        ..
    } = event.data;
    let gone = api::sell(app, tx, (order_id, customer_id), &holds_of(&items)).await?;
    if gone.is_empty() {
        return Ok(());
    }
    // Order decides between paid and cancelled under one lock, so this can't be; a person must look.
    Err(Failure::park(format!(
        "order {order_id} is paid, but its holds {gone:?} were released or are somebody else's"
    )))
}

/// All of an order went back, also when no tickets had been issued. A part of it comes ticket by
/// ticket.
async fn on_order_refunded(
    app: &App,
    tx: &mut Tx,
    event: Received<OrderRefunded>,
) -> Result<(), Failure> {
    let OrderRefunded {
        order_id,
        items,
        partial,
        ..
    } = event.data;
    if partial {
        return Ok(());
    }
    Ok(api::close_order(app, tx, order_id, &holds_of(&items)).await?)
}

async fn on_ticket_revoked(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketRevoked>,
) -> Result<(), Failure> {
    let TicketRevoked {
        ticket_id,
        order_id,
        reason,
        ticket,
    } = event.data;
    if reason == NOT_RESOLD {
        return Ok(());
    }
    let place = match (ticket.seat_id, ticket.bucket_id) {
        (Some(seat), _) => Place::Seat(seat),
        (None, Some(bucket)) => Place::Unit(bucket),
        (None, None) => return Err(Failure::park(format!("ticket {ticket_id} has no place"))),
    };
    let whose = (ticket.performance_id, place);
    match api::free_ticket(app, tx, ticket_id.as_uuid(), order_id, whose).await? {
        Returned::Done => Ok(()),
        Returned::NotSoldYet => Err(Failure::retry(format!(
            "order {order_id} has not been heard of as paid"
        ))),
    }
}

/// The holds of these items, each once.
fn holds_of(items: &[Item]) -> Vec<HoldId> {
    let holds: BTreeSet<_> = items.iter().map(|item| item.hold_id).collect();
    holds.into_iter().collect()
}

/// Ends the holds whose time is over.
async fn expire_holds(app: &App, cause: &Cause) -> Result<(), Failure> {
    while api::free_lapsed(app, cause, HOLDS_PER_SWEEP).await? == HOLDS_PER_SWEEP {}
    Ok(())
}

/// Tells what is left of each performance whose stock changed: once, however much was sold.
async fn publish_availability(app: &App, cause: &Cause) -> Result<(), Failure> {
    let mut tx = app.db.begin(NAME, cause).await?;
    for performance in availability::take_changes(&mut tx).await? {
        let version = availability::next_version(&mut tx, performance).await?;
        let left = availability::count_left(&mut tx, performance).await?;
        tx.publish(app.clock.new_id(), version, &left);
    }
    tx.commit().await?;
    Ok(())
}
