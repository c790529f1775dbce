//! Guests whose money goes back.

use eventify_contracts::inventory::GuestDisplaced;
use eventify_contracts::ticketing::RefundedAdmitted;
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;

use crate::contexts::fleet::App;
use crate::contexts::fleet::acts::refunded;

pub(super) async fn on_refunded_admitted(
    app: &App,
    tx: &mut Tx,
    event: Received<RefundedAdmitted>,
) -> Result<(), Failure> {
    Ok(refunded::record(app, tx, &event.data, event.aggregate_version).await?)
}

pub(super) async fn on_guest_displaced(
    app: &App,
    tx: &mut Tx,
    event: Received<GuestDisplaced>,
) -> Result<(), Failure> {
    Ok(refunded::alarm_displaced(app, tx, &event.data).await?)
}
