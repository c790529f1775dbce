//! Inventory publishes where performances can be planned.

use eventify_contracts::inventory::{SeatingPlanDefined, VenueUpdated};
use eventify_kernel::app::App;
use eventify_kernel::bus::Consumers;
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;

use super::store::plans;

pub(super) fn consumers() -> Consumers {
    Consumers::new()
        .on::<SeatingPlanDefined, _>(on_seating_plan_defined)
        .on::<VenueUpdated, _>(on_venue_updated)
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
    Ok(plans::upsert_venue(tx, venue_id, &facts.name, event.aggregate_version).await?)
}
