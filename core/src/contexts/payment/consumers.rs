//! One function for each foreign event.

use eventify_contracts::order::{OrderCancelled, OrderRefundRequested};
use eventify_kernel::bus::Consumers;
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;

use super::{App, acts, store};

pub(super) fn consumers() -> Consumers<App> {
    Consumers::new()
        .on(on_order_cancelled)
        .on(on_order_refund_requested)
}

/// Ends the payment. It may not exist yet, so the end of the order is stored too.
async fn on_order_cancelled(
    app: &App,
    tx: &mut Tx,
    event: Received<OrderCancelled>,
) -> Result<(), Failure> {
    let order = event.data.order_id;
    store::insert_ended_order(tx, order).await?;
    let payment = store::lock_by_order(tx, order).await?;
    if let Some(ended) = payment.and_then(|payment| payment.order_ended(app.clock.now())) {
        acts::record(app, tx, &ended, None).await?;
    }
    Ok(())
}

async fn on_order_refund_requested(
    app: &App,
    tx: &mut Tx,
    event: Received<OrderRefundRequested>,
) -> Result<(), Failure> {
    Ok(acts::request_refund(app, tx, event.data).await?)
}
