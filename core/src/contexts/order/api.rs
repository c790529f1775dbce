//! What can be done with an order, and the steps that routes, consumers and jobs share.

use std::time::Duration;

use eventify_protocol::ids::{OrderId, PaymentId, RefundId, ReservationId, TicketId, UserId};
use eventify_protocol::money::Money;
use uuid::Uuid;

use super::model::{Order, PaidTicket, Performance, RefundPlan, Refusal};
use super::{NAME, store};
use crate::contexts::order::App;
use eventify_contracts::order::{
    CancelReason, OrderCancelled, OrderPaid, OrderRefundRequested, OrderRefunded, RefundReason,
};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, Tx};

/// How long `POST /orders` waits for the reservation's confirmation to arrive.
const ARRIVAL_WAIT: Duration = Duration::from_secs(1);
/// How often it looks.
const ARRIVAL_POLL: Duration = Duration::from_millis(10);

/// Why an order was not changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("there is no such order")]
    Unknown,
    #[error("this performance is somebody else's")]
    Forbidden,
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What cancelling came to.
#[derive(Debug)]
pub(super) enum Cancelled {
    /// It was unpaid, and has ended.
    Ended(Order),
    /// It is paid: the money for these tickets goes back.
    Refunding {
        order: Order,
        refund_id: RefundId,
        plan: RefundPlan,
    },
}

/// Who decides about a refund at any time.
#[derive(Clone, Debug)]
pub(super) struct Organiser {
    pub(super) user_id: UserId,
    pub(super) org_id: Option<String>,
    /// An administrator decides about everybody's.
    pub(super) is_admin: bool,
}

/// Reads an order.
pub(super) async fn find(app: &App, id: OrderId) -> Result<Order, Error> {
    let mut conn = app.db.read(NAME).await?;
    store::find(&mut conn, id).await?.ok_or(Error::Unknown)
}

/// The order of a reservation; waits a moment for that of one that was confirmed just now.
pub(super) async fn of_reservation(app: &App, id: ReservationId) -> DbResult<Option<Order>> {
    let started = app.clock.instant();
    loop {
        let mut conn = app.db.read(NAME).await?;
        let order = store::find_by_reservation(&mut conn, id).await?;
        drop(conn);
        if order.is_some() || started.elapsed() >= ARRIVAL_WAIT {
            return Ok(order);
        }
        tokio::time::sleep(ARRIVAL_POLL).await;
    }
}

/// The customer cancels: an unpaid order ends, of a paid one the tickets in time are refunded.
pub(super) async fn cancel(
    app: &App,
    cause: &Cause,
    id: OrderId,
    named: Option<&[TicketId]>,
    by: UserId,
) -> Result<Cancelled, Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let order = store::lock(&mut tx, id).await?.ok_or(Error::Unknown)?;
    if let Some(ended) = order.clone().cancel_unpaid(CancelReason::UserRequest, now) {
        let ended = end_unpaid(app, &mut tx, ended, CancelReason::UserRequest).await?;
        tx.commit().await?;
        return Ok(Cancelled::Ended(ended));
    }
    let tickets = store::tickets(&mut tx, id).await?;
    let performances = performances_of(&mut tx, &tickets).await?;
    let plan = order.customer_refund(&tickets, &performances, named, now)?;
    let (order, refund_id) = request_refund(app, &mut tx, order, &plan, Some(by)).await?;
    tx.commit().await?;
    Ok(Cancelled::Refunding {
        order,
        refund_id,
        plan,
    })
}

/// The organiser of all named tickets' performances, or an administrator, gives the money back.
pub(super) async fn refund(
    app: &App,
    cause: &Cause,
    payment: PaymentId,
    (named, note): (&[TicketId], Option<String>),
    by: &Organiser,
) -> Result<(Order, RefundId, RefundPlan), Error> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let order = store::find_by_payment(&mut tx, payment)
        .await?
        .ok_or(Error::Unknown)?;
    let order = store::lock(&mut tx, order.id)
        .await?
        .ok_or(Error::Unknown)?;
    let tickets = store::tickets(&mut tx, order.id).await?;
    let of_named: Vec<_> = tickets
        .iter()
        .filter(|ticket| named.contains(&ticket.ticket_id))
        .copied()
        .collect();
    let performances = performances_of(&mut tx, &of_named).await?;
    let runs = |performance: &Performance| performance.is_run_by(by.user_id, by.org_id.as_deref());
    let runs_something = !performances.is_empty() && performances.iter().all(runs);
    if !by.is_admin && !runs_something {
        return Err(Error::Forbidden);
    }
    let plan = order.goodwill_refund(&tickets, named, RefundReason::OrganiserDecision)?;
    let plan = RefundPlan { note, ..plan };
    let (order, id) = request_refund(app, &mut tx, order, &plan, Some(by.user_id)).await?;
    tx.commit().await?;
    Ok((order, id, plan))
}

pub(super) async fn performances_of(
    tx: &mut Tx,
    tickets: &[PaidTicket],
) -> DbResult<Vec<Performance>> {
    let mut ids: Vec<_> = tickets.iter().map(|ticket| ticket.performance_id).collect();
    ids.sort_unstable();
    ids.dedup();
    store::performances(tx, &ids).await
}

/// Writes the end of an unpaid order and tells it.
pub(super) async fn end_unpaid(
    app: &App,
    tx: &mut Tx,
    ended: Order,
    reason: CancelReason,
) -> DbResult<Order> {
    store::save(tx, &ended).await?;
    let event = OrderCancelled {
        order_id: ended.id,
        reservation_id: ended.reservation_id,
        reason,
        items: ended.items.clone(),
    };
    tx.publish(app.clock.new_id(), ended.version, &event);
    Ok(ended)
}

/// Writes a paid order and tells it.
pub(super) async fn paid(app: &App, tx: &mut Tx, order: &Order) -> DbResult<()> {
    store::save(tx, order).await?;
    let event = OrderPaid {
        order_id: order.id,
        customer_id: order.customer_id,
        paid_at: order.updated_at,
        items: order.items.clone(),
    };
    tx.publish(app.clock.new_id(), order.version, &event);
    Ok(())
}

/// Claims the tickets and asks payment to send the money back. What was free needs no payment.
pub(super) async fn request_refund(
    app: &App,
    tx: &mut Tx,
    order: Order,
    plan: &RefundPlan,
    by: Option<UserId>,
) -> DbResult<(Order, RefundId)> {
    let id = RefundId(app.clock.new_id());
    store::begin_refund(tx, id, order.id, plan, by, app.clock.now()).await?;
    if plan.amount.minor() == 0 {
        let told = Refunded {
            refund_id: id,
            reason: plan.reason,
            note: plan.note.clone(),
            ticket_ids: plan.tickets.clone(),
        };
        let order = refunded(app, tx, order, told).await?;
        return Ok((order, id));
    }
    let event = OrderRefundRequested {
        order_id: order.id,
        refund_id: id,
        ticket_ids: plan.tickets.clone(),
        amount: plan.amount,
        reason: plan.reason,
        note: plan.note.clone(),
    };
    tx.publish(app.clock.new_id(), order.version, &event);
    Ok((order, id))
}

/// A refund whose money has gone back.
#[derive(Debug)]
pub(super) struct Refunded {
    pub(super) refund_id: RefundId,
    pub(super) reason: RefundReason,
    pub(super) note: Option<String>,
    pub(super) ticket_ids: Vec<TicketId>,
}

/// Money went back: notes it and tells it.
pub(super) async fn refunded(
    app: &App,
    tx: &mut Tx,
    order: Order,
    told: Refunded,
) -> DbResult<Order> {
    let Refunded {
        refund_id,
        reason,
        note,
        ticket_ids,
    } = told;
    let now = app.clock.now();
    store::end_refund(tx, refund_id, true, now).await?;
    let left = !ticket_ids.is_empty() && has_paid_tickets(tx, order.id).await?;
    let order = match order.clone().refunded(left, now) {
        Some(changed) => {
            store::save(tx, &changed).await?;
            changed
        }
        None => order,
    };
    let event = OrderRefunded {
        order_id: order.id,
        refund_id,
        reason,
        note,
        ticket_ids,
        partial: left,
        items: order.items.clone(),
    };
    tx.publish(app.clock.new_id(), order.version, &event);
    Ok(order)
}

/// Whether a ticket is left that no finished refund has claimed.
async fn has_paid_tickets(tx: &mut Tx, order: OrderId) -> DbResult<bool> {
    let open: Vec<_> = store::refunds(tx, order)
        .await?
        .into_iter()
        .filter(|refund| refund.status == "succeeded")
        .map(|refund| refund.refund_id)
        .collect();
    let tickets = store::tickets(tx, order).await?;
    Ok(tickets
        .iter()
        .any(|ticket| ticket.refund_id.is_none_or(|id| !open.contains(&id))))
}

/// The amount that a client believes in must be the core's.
pub(super) fn matches_claim(order: &Order, claimed: Option<Money>) -> bool {
    claimed.is_none_or(|claimed| claimed == order.amount)
}

/// The first id there can be: where a walk over all orders begins.
pub(super) fn first_order() -> OrderId {
    OrderId(Uuid::nil())
}
