//! One function for each foreign event.

use eventify_contracts::order::{
    OrderCancelled, OrderPlaced, OrderRefundRequested, RevocationRefused,
};
use eventify_contracts::ticketing::{TicketIssued, TicketRevoked};
use eventify_kernel::bus::Consumers;
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;

use super::{App, acts, store};

pub(super) fn consumers() -> Consumers<App> {
    Consumers::new()
        .on(on_order_placed)
        .on(on_ticket_issued)
        .on(on_order_cancelled)
        .on(on_order_refund_requested)
        .on(on_ticket_revoked)
        .on(on_revocation_refused)
}

/// Remembers an order of which nothing is due: it gets no payment, and its customer reads why.
async fn on_order_placed(
    _: &App,
    tx: &mut Tx,
    event: Received<OrderPlaced>,
) -> Result<(), Failure> {
    let placed = event.data;
    if placed.amount.minor() == 0 {
        let parties = (placed.customer_id, placed.seller_id);
        store::orders::insert_free(tx, placed.order_id, parties).await?;
        tx.arrived(placed.order_id.as_uuid());
    }
    Ok(())
}

/// Whoever decides about an open item sees the tickets that it is about.
async fn on_ticket_issued(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketIssued>,
) -> Result<(), Failure> {
    let tickets = event.data.tickets.iter().map(|ticket| ticket.ticket_id);
    store::orders::insert_tickets(tx, event.data.order_id, tickets).await?;
    Ok(acts::tickets_issued(app, tx, event.data.order_id).await?)
}

/// What somebody decided about a ticket may be carried out now.
async fn on_ticket_revoked(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketRevoked>,
) -> Result<(), Failure> {
    let revoked = (event.data.order_id, event.data.ticket_id);
    Ok(acts::ticket_revoked(app, tx, revoked).await?)
}

async fn on_revocation_refused(
    app: &App,
    tx: &mut Tx,
    event: Received<RevocationRefused>,
) -> Result<(), Failure> {
    let refused = event.data;
    let why = (refused.item_id, refused.reason.as_str());
    Ok(acts::revocation_refused(app, tx, refused.order_id, why).await?)
}

/// Ends the payment. It may not exist yet, so the end of the order is stored too.
async fn on_order_cancelled(
    app: &App,
    tx: &mut Tx,
    event: Received<OrderCancelled>,
) -> Result<(), Failure> {
    let order = event.data.order_id;
    store::insert_ended_order(tx, order).await?;
    Ok(acts::order_ended(app, tx, order).await?)
}

async fn on_order_refund_requested(
    app: &App,
    tx: &mut Tx,
    event: Received<OrderRefundRequested>,
) -> Result<(), Failure> {
    Ok(acts::request_refund(app, tx, event.data).await?)
}
