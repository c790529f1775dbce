//! From the confirmed cart to the tickets.

use eventify_contracts::order::{CancelReason, OrderPlaced, RefundReason};
use eventify_contracts::payment::{PaymentCaptured, PaymentFailed};
use eventify_contracts::reservation::ReservationConfirmed;
use eventify_contracts::ticketing::{TicketIssueFailed, TicketIssued};
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_protocol::ids::OrderId;

use super::lock;
use crate::contexts::order::acts::{self, request_refund};
use crate::contexts::order::jobs::RequestIntent;
use crate::contexts::order::model::{Captured, Order, PaidTicket};
use crate::contexts::order::{App, store};

pub(super) async fn on_reservation_confirmed(
    app: &App,
    tx: &mut Tx,
    event: Received<ReservationConfirmed>,
) -> Result<(), Failure> {
    let order_id = OrderId(app.clock.new_id());
    let correlation = event.cause.correlation;
    let order = Order::place(order_id, &event.data, correlation, app.clock.now());
    if !store::insert(tx, &order).await? {
        return Ok(());
    }
    let placed = OrderPlaced {
        order_id,
        reservation_id: order.reservation_id,
        customer_id: order.customer_id,
        seller_id: order.seller_id,
        amount: order.amount,
        items: order.items.clone(),
    };
    tx.publish(app.clock.new_id(), order.version, &placed);
    tx.arrived(order.reservation_id.as_uuid());
    if !order.is_free() {
        tx.request(app, &RequestIntent { order_id }).await?;
    } else if let Captured::Paid(order) = order.captured(None, app.clock.now()) {
        acts::record_paid(app, tx, &order).await?;
    }
    Ok(())
}

pub(super) async fn on_payment_captured(
    app: &App,
    tx: &mut Tx,
    event: Received<PaymentCaptured>,
) -> Result<(), Failure> {
    let order = lock(tx, event.data.order_id).await?;
    let payment_id = Some(event.data.payment_id);
    match order.clone().captured(payment_id, app.clock.now()) {
        Captured::Paid(order) => acts::record_paid(app, tx, &order).await?,
        Captured::TooLate => {
            // What came, which need not be what it would have cost.
            let plan = order.full_refund(event.data.amount, RefundReason::LatePayment);
            request_refund(app, tx, order, plan, None).await?;
        }
        Captured::AlreadyPaid => {}
    }
    Ok(())
}

pub(super) async fn on_payment_failed(
    app: &App,
    tx: &mut Tx,
    event: Received<PaymentFailed>,
) -> Result<(), Failure> {
    let order = lock(tx, event.data.order_id).await?;
    acts::cancel_unpaid(app, tx, order, CancelReason::PaymentFailed).await?;
    Ok(())
}

pub(super) async fn on_ticket_issued(
    _: &App,
    tx: &mut Tx,
    event: Received<TicketIssued>,
) -> Result<(), Failure> {
    let order = lock(tx, event.data.order_id).await?;
    let mut tickets = Vec::with_capacity(event.data.tickets.len());
    for ticket in &event.data.tickets {
        let ticket_id = ticket.ticket_id;
        let unknown = || Failure::park(format!("ticket {ticket_id} was not ordered"));
        tickets.push(PaidTicket {
            ticket_id,
            performance_id: ticket.performance_id,
            price: order.price_of(ticket).ok_or_else(unknown)?,
            refund_id: None,
        });
    }
    Ok(store::insert_tickets(tx, order.id, &tickets).await?)
}

pub(super) async fn on_ticket_issue_failed(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketIssueFailed>,
) -> Result<(), Failure> {
    let order = lock(tx, event.data.order_id).await?;
    let has_refund = !store::list_refunds(tx, order.id).await?.is_empty();
    if order.state.paid_at().is_some() && !has_refund {
        let plan = order.full_refund(order.amount, RefundReason::TicketIssueFailed);
        request_refund(app, tx, order, plan, None).await?;
    }
    Ok(())
}
