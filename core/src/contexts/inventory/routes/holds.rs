//! `/inventory/holds`: for service accounts. Customers hold through their reservation.

use axum::extract::State;
use axum::http::{HeaderName, StatusCode};
use chrono::{DateTime, Utc};
use eventify_protocol::ids::{BucketId, HoldId, PerformanceId, SeatId};
use eventify_protocol::token::CategoryCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::location;
use crate::contexts::inventory::NAME;
use crate::contexts::inventory::api;
use crate::contexts::inventory::model::hold::{
    BucketWanted, Held, HoldRequest, SeatRef, SeatWanted, expiry_after,
};
use crate::contexts::inventory::store::stock;
use eventify_kernel::app::App;
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Path};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct HoldBody {
    performance_id: PerformanceId,
    #[serde(default)]
    seats: Vec<SeatBody>,
    #[serde(default)]
    buckets: Vec<BucketBody>,
    ttl_seconds: u32,
}

/// `seatId` takes an id or a label.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SeatBody {
    seat_id: String,
    #[serde(default)]
    price_category: Option<CategoryCode>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BucketBody {
    bucket_id: BucketId,
    qty: u32,
    #[serde(default)]
    price_category: Option<CategoryCode>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HeldBody {
    hold_id: HoldId,
    performance_id: PerformanceId,
    expires_at: DateTime<Utc>,
    seats: Vec<HeldSeatBody>,
    buckets: Vec<HeldBucketBody>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct HeldSeatBody {
    seat_id: SeatId,
    label: String,
    categories: Vec<CategoryCode>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct HeldBucketBody {
    bucket_id: BucketId,
    zone: String,
    qty: u32,
    categories: Vec<CategoryCode>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReleasedBody {
    hold_id: HoldId,
    status: &'static str,
}

pub(super) async fn take(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<HoldBody>,
) -> Answer<(StatusCode, [(HeaderName, String); 1], Json<HeldBody>)> {
    let expires_at = expiry_after(body.ttl_seconds, app.clock.now())?;
    let repeated = caller.key.as_ref().map(|key| key.inner("hold"));
    let holder = caller.principal()?.user_id;
    let hold = HoldId(repeated.unwrap_or_else(|| app.clock.new_id()));
    let request = body.request((hold, holder), expires_at);
    let held = api::hold_for(&app, &caller.cause, &request, Some(holder)).await?;
    let header = location(format!("/inventory/holds/{}", held.hold));
    Ok((StatusCode::CREATED, [header], Json(held.into())))
}

pub(super) async fn release(
    State(app): State<App>,
    caller: Caller,
    Path(hold_id): Path<HoldId>,
) -> Answer<Json<ReleasedBody>> {
    let mut conn = app.db.read(NAME).await?;
    let holder = stock::holder(&mut conn, hold_id).await?.ok_or_else(|| {
        ApiError::not_found("hold_not_found", "no service account took such a hold")
    })?;
    drop(conn);
    caller.must_own(holder)?;
    api::release(&app, &caller.cause, &[hold_id]).await?;
    Ok(Json(ReleasedBody {
        hold_id,
        status: "released",
    }))
}

impl HoldBody {
    fn request(self, (hold, owner): (HoldId, Uuid), expires_at: DateTime<Utc>) -> HoldRequest {
        let seats = self.seats.into_iter().map(|wanted| SeatWanted {
            seat: SeatRef::parse(&wanted.seat_id),
            category: wanted.price_category,
        });
        let buckets = self.buckets.into_iter().map(|wanted| BucketWanted {
            bucket: wanted.bucket_id,
            quantity: wanted.qty,
            category: wanted.price_category,
        });
        HoldRequest {
            hold,
            owner,
            customer: None,
            performance: self.performance_id,
            seats: seats.collect(),
            buckets: buckets.collect(),
            expires_at,
        }
    }
}

impl From<Held> for HeldBody {
    fn from(held: Held) -> Self {
        let seats = held.seats.into_iter().map(|seat| HeldSeatBody {
            seat_id: seat.seat,
            label: seat.label,
            categories: seat.allowed,
        });
        let buckets = held.buckets.into_iter().map(|bucket| HeldBucketBody {
            bucket_id: bucket.bucket,
            zone: bucket.zone,
            qty: bucket.quantity,
            categories: bucket.allowed,
        });
        Self {
            hold_id: held.hold,
            performance_id: held.performance,
            expires_at: held.expires_at,
            seats: seats.collect(),
            buckets: buckets.collect(),
        }
    }
}
