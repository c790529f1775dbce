//! `/inventory/performances`: for the organiser of the event.

use axum::extract::State;
use eventify_protocol::ids::{BucketId, PerformanceId};
use serde::Deserialize;

use crate::contexts::inventory::NAME;
use crate::contexts::inventory::model::plan::MAX_ZONE_CAPACITY;
use crate::contexts::inventory::store::{availability, claim, layout};
use eventify_contracts::inventory::{AvailabilityUpdated, CapacityAdjusted};
use eventify_kernel::app::App;
use eventify_kernel::db::PgConnection;
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Path};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewCapacity {
    bucket_id: BucketId,
    capacity: u32,
}

/// What is left, counted now.
pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<PerformanceId>,
) -> Answer<Json<AvailabilityUpdated>> {
    let mut conn = app.db.read(NAME).await?;
    must_run(&mut conn, &caller, id).await?;
    Ok(Json(availability::count_left(&mut conn, id).await?))
}

/// Gives a zone another capacity, at least what is held and sold.
pub(super) async fn adjust(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<PerformanceId>,
    Json(wanted): Json<NewCapacity>,
) -> Answer<Json<CapacityAdjusted>> {
    let NewCapacity {
        bucket_id,
        capacity,
    } = wanted;
    if capacity > MAX_ZONE_CAPACITY {
        return Err(ApiError::invalid(
            "capacity",
            format!("is more than {MAX_ZONE_CAPACITY}"),
        ));
    }
    let mut tx = app.db.begin(NAME, &caller.cause).await?;
    must_run(&mut tx, &caller, id).await?;
    let remaining = claim::resize_zone(&mut tx, id, bucket_id, capacity).await?;
    let remaining = remaining
        .ok_or_else(|| ApiError::not_found("bucket_not_found", "there is no such zone"))??;
    let adjusted = CapacityAdjusted {
        performance_id: id,
        bucket_id,
        remaining,
        capacity,
    };
    let version = availability::next_version(&mut tx, id).await?;
    tx.publish(app.clock.new_id(), version, &adjusted);
    availability::note_change(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(adjusted))
}

async fn must_run(conn: &mut PgConnection, caller: &Caller, id: PerformanceId) -> Answer<()> {
    let owner = layout::owner(conn, id).await?.ok_or_else(|| {
        ApiError::not_found("performance_not_found", "there is no such performance")
    })?;
    if owner.is(caller.principal()?) {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "the event belongs to another organiser",
    ))
}
