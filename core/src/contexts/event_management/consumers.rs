//! Inventory publishes where performances can be planned, fleet which of them their venues confirm.

use eventify_contracts::fleet::{PerformanceConfirmed, PerformanceDeclined};
use eventify_contracts::inventory::{SeatingPlanDefined, VenueUpdated};
use eventify_kernel::bus::Consumers;
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;

use super::App;
use super::jobs::WATCH_DECLINED;
use super::store::{performances, plans};

pub(super) fn consumers() -> Consumers<App> {
    Consumers::new()
        .on(on_seating_plan_defined)
        .on(on_venue_updated)
        .on(on_performance_confirmed)
        .on(on_performance_declined)
}

async fn on_performance_confirmed(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceConfirmed>,
) -> Result<(), Failure> {
    let confirmed = event.data;
    tx.wake(app.jobs.wake(WATCH_DECLINED));
    Ok(performances::confirm(tx, confirmed.performance_id, confirmed.version).await?)
}

async fn on_performance_declined(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceDeclined>,
) -> Result<(), Failure> {
    let declined = event.data;
    tx.wake(app.jobs.wake(WATCH_DECLINED));
    Ok(performances::decline(tx, declined.performance_id, declined.version).await?)
}

async fn on_seating_plan_defined(
    _: &App,
    tx: &mut Tx,
    event: Received<SeatingPlanDefined>,
) -> Result<(), Failure> {
    Ok(plans::insert(tx, event.data).await?)
}

async fn on_venue_updated(
    _: &App,
    tx: &mut Tx,
    event: Received<VenueUpdated>,
) -> Result<(), Failure> {
    let VenueUpdated { venue_id, facts } = event.data;
    Ok(plans::upsert_venue(tx, venue_id, &facts, event.aggregate_version).await?)
}
