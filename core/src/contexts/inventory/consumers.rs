//! What events, reservations, orders and tickets do to the stock.

use std::collections::BTreeSet;

use eventify_contracts::event_management::{
    EventArchived, EventCancelled, EventPublished, PerformanceCancelled, PerformanceRescheduled,
    PerformanceScheduled,
};
use eventify_contracts::fleet::{PerformanceConfirmed, PerformanceDeclined};
use eventify_contracts::order::{Item, OrderCancelled, OrderPaid, OrderRefunded};
use eventify_contracts::reservation::{ReservationCancelled, ReservationExpired};
use eventify_contracts::ticketing::{RefundedAdmitted, TicketRevoked};
use eventify_kernel::app::App;
use eventify_kernel::bus::Consumers;
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_protocol::ids::HoldId;

use super::acts::laying_out;
use super::acts::sale::{self, Closed, Returned};
use super::acts::{self, release};
use super::model::attempts::EndedBy;
use super::model::kept_back::{Place, RevokedTicket};
use super::store::venue_words::{self, Word};
use super::store::{guests, layout, plans};

type Done = Result<(), Failure>;

pub(super) fn consumers() -> Consumers {
    Consumers::new()
        .on::<PerformanceScheduled, _>(on_performance_scheduled)
        .on::<PerformanceRescheduled, _>(on_performance_rescheduled)
        .on::<PerformanceCancelled, _>(on_performance_cancelled)
        .on::<PerformanceConfirmed, _>(on_performance_confirmed)
        .on::<PerformanceDeclined, _>(on_performance_declined)
        .on::<EventPublished, _>(on_event_published)
        .on::<EventCancelled, _>(on_event_cancelled)
        .on::<EventArchived, _>(on_event_archived)
        .on::<ReservationExpired, _>(on_reservation_expired)
        .on::<ReservationCancelled, _>(on_reservation_cancelled)
        .on::<OrderCancelled, _>(on_order_cancelled)
        .on::<OrderPaid, _>(on_order_paid)
        .on::<OrderRefunded, _>(on_order_refunded)
        .on::<TicketRevoked, _>(on_ticket_revoked)
        .on::<RefundedAdmitted, _>(on_refunded_admitted)
}

async fn on_performance_scheduled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceScheduled>,
) -> Done {
    let (id, plan_id) = (event.data.performance_id, event.data.facts.seating_plan_id);
    if !plans::exists(tx, plan_id).await? {
        let unknown = format!("performance {id} has unknown seating plan {plan_id}");
        return Err(Failure::park(unknown));
    }
    Ok(laying_out::request(app, tx, &event.data, event.cause.correlation).await?)
}

/// What is planned anew waits for the venue's word, and is sold meanwhile.
async fn on_performance_rescheduled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceRescheduled>,
) -> Done {
    let word = Word::Planned(event.aggregate_version);
    Ok(venue_words::upsert(tx, event.data.performance_id, word).await?)
}

async fn on_performance_confirmed(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceConfirmed>,
) -> Done {
    let word = Word::Confirmed(event.data.version);
    Ok(venue_words::upsert(tx, event.data.performance_id, word).await?)
}

/// Nothing is sold any more; what is sold stays so.
async fn on_performance_declined(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceDeclined>,
) -> Done {
    let word = Word::Declined(event.data.version);
    Ok(venue_words::upsert(tx, event.data.performance_id, word).await?)
}

async fn on_performance_cancelled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceCancelled>,
) -> Done {
    Ok(layout::insert_cancelled(tx, event.data.performance_id).await?)
}

async fn on_event_published(_: &App, tx: &mut Tx, event: Received<EventPublished>) -> Done {
    Ok(layout::upsert_event(tx, event.data.event_id, true, event.aggregate_version).await?)
}

async fn on_event_cancelled(_: &App, tx: &mut Tx, event: Received<EventCancelled>) -> Done {
    Ok(layout::upsert_event(tx, event.data.event_id, false, event.aggregate_version).await?)
}

async fn on_event_archived(_: &App, tx: &mut Tx, event: Received<EventArchived>) -> Done {
    Ok(layout::upsert_event(tx, event.data.event_id, false, event.aggregate_version).await?)
}

/// Reservation releases by itself; this is the safety net.
async fn on_reservation_expired(
    app: &App,
    tx: &mut Tx,
    event: Received<ReservationExpired>,
) -> Done {
    let (cart, by) = (event.data.reservation_id, EndedBy::Cart(event.data.reason));
    Ok(release::end_cart(app, tx, cart, by).await?)
}

async fn on_reservation_cancelled(
    app: &App,
    tx: &mut Tx,
    event: Received<ReservationCancelled>,
) -> Done {
    let (cart, by) = (event.data.reservation_id, EndedBy::Cart(event.data.reason));
    Ok(release::end_cart(app, tx, cart, by).await?)
}

async fn on_order_cancelled(app: &App, tx: &mut Tx, event: Received<OrderCancelled>) -> Done {
    let cart = event.data.reservation_id;
    Ok(release::end_cart(app, tx, cart, EndedBy::OrderCancelled).await?)
}

async fn on_order_paid(app: &App, tx: &mut Tx, event: Received<OrderPaid>) -> Done {
    let data = event.data;
    let (order, holds) = (data.order_id, holds_of(&data.items));
    let lost = sale::sell(app, tx, (order, data.customer_id), &holds).await?;
    if lost.is_empty() {
        return Ok(());
    }
    // Order decides between paid and cancelled under one lock, so this can't happen by itself.
    Err(Failure::park(format!(
        "order {order} is paid, but its holds {lost:?} were released or belong to another order"
    )))
}

/// Of tickets, in part or as a whole, the places come back ticket by ticket. An order that never had
/// any gives everything back at once.
async fn on_order_refunded(app: &App, tx: &mut Tx, event: Received<OrderRefunded>) -> Done {
    let data = event.data;
    if data.partial || !data.ticket_ids.is_empty() {
        return Ok(());
    }
    let order = data.order_id;
    match sale::close_order(app, tx, order, &holds_of(&data.items)).await? {
        Closed::Done => Ok(()),
        Closed::HadTickets => Err(Failure::park(format!(
            "order {order} is refunded as one without tickets, but places of its tickets are kept back"
        ))),
    }
}

/// The place is free again, unless ticketing says why it is kept back.
async fn on_ticket_revoked(app: &App, tx: &mut Tx, event: Received<TicketRevoked>) -> Done {
    let data = event.data;
    let (id, order) = (data.ticket_id, data.order_id);
    let place = match (data.ticket.seat_id, data.ticket.bucket_id) {
        (Some(seat), _) => Place::Seat(seat),
        (None, Some(bucket)) => Place::Unit(bucket),
        (None, None) => return Err(Failure::park(format!("ticket {id} has no place"))),
    };
    let ticket = RevokedTicket {
        id,
        order,
        performance: data.ticket.performance_id,
        place,
    };
    let why = (data.kept_back, data.gates_since);
    match sale::return_ticket(app, tx, &ticket, why).await? {
        Returned::Done => {
            if let Some(guest) = &data.guest {
                guests::upsert(tx, id, guest, (data.ticket.version, false)).await?;
            }
            Ok(())
        }
        Returned::NotSoldYet => Err(Failure::retry(format!(
            "the payment of order {order} has not arrived"
        ))),
    }
}

/// A gate without connection let a guest in.
async fn on_refunded_admitted(app: &App, tx: &mut Tx, event: Received<RefundedAdmitted>) -> Done {
    Ok(acts::guests::record(app, tx, &event.data, event.aggregate_version).await?)
}

/// The holds of these items, none twice.
fn holds_of(items: &[Item]) -> Vec<HoldId> {
    let holds: BTreeSet<_> = items.iter().map(|item| item.hold_id).collect();
    holds.into_iter().collect()
}
