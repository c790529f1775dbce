//! What can be done with an order, and the state changes that routes, consumers and jobs share.

pub(super) mod refunds;

use std::time::Duration;

use eventify_contracts::order::{CancelReason, OrderCancelled, OrderPaid, RefundReason};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, Tx};
use eventify_protocol::ids::{OrderId, PaymentId, RefundId, ReservationId, TicketId, UserId};
use eventify_protocol::zone::TimeZone;
use uuid::Uuid;

use super::model::{
    CustomerPolicy, Order, PaidTicket, Performance, Permission, RefundPlan, Refusal, permission,
};
use super::{App, NAME, store};
use crate::contexts::ticketing::api as ticketing;

pub(super) use refunds::{Settled, complete_refund, request_refund};

/// How long `POST /orders` waits until the reservation's confirmation has arrived.
const ARRIVAL_WAIT: Duration = Duration::from_secs(1);

/// Why an order was not changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("there is no such order")]
    Unknown,
    #[error("another organiser runs this performance")]
    Forbidden,
    #[error("the order is paid: its customer decides about its tickets, or who runs the show")]
    Sold,
    #[error(
        "ticket {ticket} is in refund {} already, of {} (status: {})",
        .refund.refund_id, .zone.minute(.refund.created_at), .refund.status
    )]
    InRefund {
        ticket: TicketId,
        refund: Box<store::Refund>,
        /// Of the ticket's venue.
        zone: TimeZone,
    },
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The effect of a cancellation.
#[derive(Debug)]
pub(super) enum Cancelled {
    /// The order was unpaid and is cancelled.
    Unpaid(Order),
    /// The order is paid: these tickets are given back.
    Refunding(RequestedRefund),
}

/// A refund that was asked for: its tickets are being suspended.
#[derive(Debug)]
pub(super) struct RequestedRefund {
    pub(super) order: Order,
    pub(super) refund_id: RefundId,
    pub(super) plan: RefundPlan,
}

/// Who can refund tickets at any time.
#[derive(Clone, Debug)]
pub(super) struct Organiser {
    pub(super) user_id: UserId,
    pub(super) org_id: Option<String>,
    /// An administrator decides about all performances.
    pub(super) is_admin: bool,
}

pub(super) async fn find(app: &App, id: OrderId) -> Result<Order, Error> {
    let mut conn = app.db.read(NAME).await?;
    store::find(&mut conn, id).await?.ok_or(Error::Unknown)
}

/// The order of a reservation.
async fn find_by_reservation(app: &App, id: ReservationId) -> DbResult<Option<Order>> {
    let mut conn = app.db.read(NAME).await?;
    store::find_by_reservation(&mut conn, id).await
}

/// The order of a reservation that was confirmed just now: it appears within this wait.
pub(super) async fn wait_for_order(
    app: &App,
    caller: Uuid,
    id: ReservationId,
) -> DbResult<Option<Order>> {
    let look = || find_by_reservation(app, id);
    let arrivals = app.db.arrivals();
    arrivals
        .wait((caller, id.as_uuid()), ARRIVAL_WAIT, look)
        .await
}

/// The customer cancels an unpaid order, or gets the money back for tickets of a paid one. A box office
/// (`is_seller`) cancels what is not paid.
pub(super) async fn cancel(
    app: &App,
    cause: &Cause,
    id: OrderId,
    named: Option<&[TicketId]>,
    (by, is_seller): (UserId, bool),
) -> Result<Cancelled, Error> {
    let not_good = ticketing::list_not_good(app, id).await?;
    let mut tx = app.db.begin(NAME, cause).await?;
    let order = store::lock(&mut tx, id).await?.ok_or(Error::Unknown)?;
    let reason = CancelReason::UserRequest;
    let cancelled = match cancel_unpaid(app, &mut tx, order.clone(), reason).await? {
        Some(order) => Cancelled::Unpaid(order),
        None if is_seller => return Err(Error::Sold),
        None => {
            let tickets = store::list_tickets(&mut tx, id).await?;
            let performances = performances_of(&mut tx, &tickets).await?;
            let policy = CustomerPolicy {
                performances: &performances,
                not_good: &not_good,
                now: app.clock.now(),
            };
            let plan = match order.customer_refund(&tickets, named, &policy) {
                Ok(plan) => plan,
                Err(refusal) => return Err(explain(app, &mut tx, refusal).await?),
            };
            Cancelled::Refunding(request_refund(app, &mut tx, order, plan, Some(by)).await?)
        }
    };
    tx.commit().await?;
    Ok(cancelled)
}

/// Sets or takes back the name of an order's guest. It is in no event: whoever may know it asks for it.
pub(super) async fn name_guest(
    app: &App,
    cause: &Cause,
    id: OrderId,
    name: Option<&str>,
) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, cause).await?;
    store::update_guest_name(&mut tx, id, name, app.clock.now()).await?;
    tx.commit().await
}

/// Whose tickets are refunded. A free order has no payment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refunded {
    Of(PaymentId),
    Order(OrderId),
}

/// Refunds named tickets, if the caller runs all their performances or is an administrator.
pub(super) async fn refund(
    app: &App,
    cause: &Cause,
    whose: Refunded,
    (named, note): (&[TicketId], Option<String>),
    by: &Organiser,
) -> Result<RequestedRefund, Error> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let order = match whose {
        Refunded::Of(payment) => store::lock_by_payment(&mut tx, payment).await?,
        Refunded::Order(order) => store::lock(&mut tx, order).await?,
    };
    let order = order.ok_or(Error::Unknown)?;
    let tickets = store::list_tickets(&mut tx, order.id).await?;
    let is_named = |ticket: &&PaidTicket| named.contains(&ticket.ticket_id);
    let of_named: Vec<_> = tickets.iter().filter(is_named).copied().collect();
    let performances = store::list_performances(&mut tx, &order.performances()).await?;
    let runs = |performance: &Performance| {
        by.is_admin || performance.is_run_by(by.user_id, by.org_id.as_deref())
    };
    match permission(&of_named, &performances, runs) {
        Permission::Granted => {}
        Permission::NotKnownYet if by.is_admin => {}
        Permission::NotKnownYet => return Err(Refusal::PerformanceNotKnown.into()),
        Permission::Denied => return Err(Error::Forbidden),
    }
    let plan = match order.goodwill_refund(&tickets, named, RefundReason::OrganiserDecision) {
        Ok(plan) => RefundPlan { note, ..plan },
        Err(refusal) => return Err(explain(app, &mut tx, refusal).await?),
    };
    let requested = request_refund(app, &mut tx, order, plan, Some(by.user_id)).await?;
    tx.commit().await?;
    Ok(requested)
}

/// What is known of the refund that a ticket is in already.
async fn explain(app: &App, tx: &mut Tx, refusal: Refusal) -> DbResult<Error> {
    let Refusal::AlreadyRefunded(ticket, id) = refusal else {
        return Ok(refusal.into());
    };
    let Some(refund) = store::find_refund(tx, id).await? else {
        return Ok(refusal.into());
    };
    Ok(Error::InRefund {
        ticket,
        refund: Box::new(refund),
        zone: ticketing::time_zone(app, ticket).await?,
    })
}

pub(super) async fn performances_of(
    tx: &mut Tx,
    tickets: &[PaidTicket],
) -> DbResult<Vec<Performance>> {
    let mut ids: Vec<_> = tickets.iter().map(|ticket| ticket.performance_id).collect();
    ids.sort_unstable();
    ids.dedup();
    store::list_performances(tx, &ids).await
}

/// Cancels an order and publishes that; `None` when the order has ended or is paid.
pub(super) async fn cancel_unpaid(
    app: &App,
    tx: &mut Tx,
    order: Order,
    reason: CancelReason,
) -> DbResult<Option<Order>> {
    let Some(order) = order.cancel_unpaid(reason, app.clock.now()) else {
        return Ok(None);
    };
    store::update(tx, &order).await?;
    let event = OrderCancelled {
        order_id: order.id,
        reservation_id: order.reservation_id,
        reason,
        items: order.items.clone(),
    };
    tx.publish(app.clock.new_id(), order.version, &event);
    Ok(Some(order))
}

/// Writes and publishes that an order is paid.
pub(super) async fn record_paid(app: &App, tx: &mut Tx, order: &Order) -> DbResult<()> {
    store::update(tx, order).await?;
    let event = OrderPaid {
        order_id: order.id,
        customer_id: order.customer_id,
        paid_at: order.updated_at,
        items: order.items.clone(),
    };
    tx.publish(app.clock.new_id(), order.version, &event);
    Ok(())
}
