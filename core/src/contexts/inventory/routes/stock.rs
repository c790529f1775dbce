//! `/inventory/performances`: for the organiser of the event.

use axum::extract::State;
use eventify_contracts::inventory::{AvailabilityUpdated, CapacityAdjusted};
use eventify_kernel::app::App;
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Path};
use eventify_protocol::ids::{BucketId, PerformanceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contexts::inventory::acts::stock::{self, StockError};
use crate::contexts::inventory::model::plan::MAX_ZONE_CAPACITY;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewCapacity {
    bucket_id: BucketId,
    capacity: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StockBody {
    #[serde(flatten)]
    left: AvailabilityUpdated,
    /// Places of revoked tickets that nobody can buy before somebody has looked and releases them.
    kept_back: i64,
}

pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<PerformanceId>,
) -> Answer<Json<StockBody>> {
    let (left, kept_back) = stock::count_left(&app, caller.principal()?, id).await?;
    Ok(Json(StockBody { left, kept_back }))
}

pub(super) async fn adjust(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<PerformanceId>,
    Json(wanted): Json<NewCapacity>,
) -> Answer<Json<CapacityAdjusted>> {
    if wanted.capacity > MAX_ZONE_CAPACITY {
        let issue = format!("is more than {MAX_ZONE_CAPACITY}");
        return Err(ApiError::invalid("capacity", issue));
    }
    let zone = (wanted.bucket_id, wanted.capacity);
    let principal = caller.principal()?;
    let adjusted = stock::adjust_capacity(&app, &caller.cause, principal, id, zone).await?;
    Ok(Json(adjusted))
}

impl From<StockError> for ApiError {
    fn from(error: StockError) -> Self {
        let message = error.to_string();
        match error {
            StockError::UnknownPerformance => Self::not_found("performance_not_found", message),
            StockError::UnknownBucket => Self::not_found("bucket_not_found", message),
            StockError::NotKeptBack => Self::not_found("kept_back_not_found", message),
            StockError::GuestInside(_) => Self::conflict("guest_inside", message),
            StockError::GatesNotHeard(_) => Self::conflict("gates_not_heard", message),
            StockError::Foreign => Self::forbidden(message),
            StockError::BelowReserved(_) => Self::unprocessable("below_reserved", message),
            StockError::Db(error) => error.into(),
        }
    }
}
