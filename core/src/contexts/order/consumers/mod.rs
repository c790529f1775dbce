//! One function for each foreign event.

mod performances;
mod purchase;
mod refunds;

use eventify_kernel::bus::Consumers;
use eventify_kernel::db::Tx;
use eventify_kernel::failure::Failure;
use eventify_protocol::ids::OrderId;

use super::model::Order;
use super::{App, store};

pub(super) fn consumers() -> Consumers<App> {
    Consumers::new()
        .on(performances::on_performance_scheduled)
        .on(performances::on_performance_rescheduled)
        .on(performances::on_performance_cancelled)
        .on(purchase::on_reservation_confirmed)
        .on(purchase::on_payment_captured)
        .on(purchase::on_payment_failed)
        .on(purchase::on_ticket_issued)
        .on(purchase::on_ticket_issue_failed)
        .on(refunds::on_tickets_suspended)
        .on(refunds::on_payment_refunded)
        .on(refunds::on_refund_parked)
        .on(refunds::on_refund_returned)
        .on(refunds::on_refunded_elsewhere)
        .on(refunds::on_revocation_requested)
        .on(refunds::on_refund_failed)
        .on(refunds::on_ticket_revoked)
}

/// The order that an event is about. It was written before others could publish about it.
async fn lock(tx: &mut Tx, id: OrderId) -> Result<Order, Failure> {
    let order = store::lock(tx, id).await?;
    order.ok_or_else(|| Failure::park(format!("there is no order {id}")))
}
