//! `/inventory/holds`: for service accounts. Customers hold through their reservation.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderName, LOCATION};
use chrono::{DateTime, Utc};
use eventify_kernel::app::App;
use eventify_kernel::db::PgConnection;
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Path};
use eventify_protocol::ids::{BucketId, HoldId, PerformanceId, SeatId};
use eventify_protocol::token::CategoryCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::contexts::inventory::NAME;
use crate::contexts::inventory::acts::hold::{HoldError, hold};
use crate::contexts::inventory::acts::release;
use crate::contexts::inventory::model::attempts::{AttemptId, EndedBy};
use crate::contexts::inventory::model::hold::{
    BucketWanted, Held, HoldRefusal, HoldRequest, OutOfStock, SeatRef, SeatWanted, expiry_after,
};
use crate::contexts::inventory::store::{held, holds};

#[derive(Debug, Deserialize, JsonSchema)]
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
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SeatBody {
    seat_id: String,
    #[serde(default)]
    price_category: Option<CategoryCode>,
}

#[derive(Debug, Deserialize, JsonSchema)]
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
    let id = HoldId(repeated.unwrap_or_else(|| app.clock.new_id()));
    let attempt = AttemptId(app.clock.new_id());
    let request = body.request((id, attempt), holder, expires_at);
    let held = hold(&app, &caller.cause, &request, Some(holder)).await?;
    let location = (LOCATION, format!("/inventory/holds/{}", held.hold));
    Ok((StatusCode::CREATED, [location], Json(held.into())))
}

pub(super) async fn give_back(
    State(app): State<App>,
    caller: Caller,
    Path(hold_id): Path<HoldId>,
) -> Answer<Json<ReleasedBody>> {
    let mut conn = app.db.read(NAME).await?;
    must_hold(&mut conn, &caller, hold_id).await?;
    drop(conn);
    let mut tx = app.db.begin(NAME, &caller.cause).await?;
    release::end_each(&app, &mut tx, &[hold_id], EndedBy::Holder).await?;
    tx.commit().await?;
    Ok(Json(ReleasedBody {
        hold_id,
        status: "released",
    }))
}

/// A hold as it is now: what was given back is not in it any more.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HoldView {
    /// `held`, `confirmed`, `sold` or `released`.
    status: String,
    #[serde(flatten)]
    held: HeldBody,
}

pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(hold_id): Path<HoldId>,
) -> Answer<Json<HoldView>> {
    let mut conn = app.db.read(NAME).await?;
    must_hold(&mut conn, &caller, hold_id).await?;
    let found = held::find(&mut conn, hold_id).await?;
    let found = found.ok_or_else(unknown)?;
    let seats = found.seats.into_iter();
    let seats = seats.map(|(seat_id, label, categories)| HeldSeatBody {
        seat_id,
        label,
        categories,
    });
    let buckets = found.buckets.into_iter();
    let buckets = buckets.map(|(bucket_id, zone, qty, categories)| HeldBucketBody {
        bucket_id,
        zone,
        qty,
        categories,
    });
    let held = HeldBody {
        hold_id,
        performance_id: found.performance,
        expires_at: found.expires_at,
        seats: seats.collect(),
        buckets: buckets.collect(),
    };
    let status = found.status;
    Ok(Json(HoldView { status, held }))
}

async fn must_hold(conn: &mut PgConnection, caller: &Caller, id: HoldId) -> Answer<()> {
    let holder = holds::find_holder(conn, id).await?;
    caller.must_own(holder.ok_or_else(unknown)?)
}

fn unknown() -> ApiError {
    ApiError::not_found("hold_not_found", "no service account has such a hold")
}

impl HoldBody {
    fn request(
        self,
        (hold, attempt): (HoldId, AttemptId),
        owner: Uuid,
        expires_at: DateTime<Utc>,
    ) -> HoldRequest {
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
            attempt,
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

impl From<HoldError> for ApiError {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Refused(refusal) => refusal.into(),
            HoldError::Db(error) => error.into(),
        }
    }
}

impl From<HoldRefusal> for ApiError {
    fn from(error: HoldRefusal) -> Self {
        let message = error.to_string();
        match error {
            HoldRefusal::Invalid { field, issue } => Self::invalid(field, issue),
            HoldRefusal::UnknownPerformance => Self::not_found("performance_not_found", message),
            HoldRefusal::NotOnSale => Self::unprocessable("not_on_sale", message),
            HoldRefusal::Cancelled => Self::unprocessable("performance_cancelled", message),
            HoldRefusal::Declined => Self::unprocessable("declined_by_venue", message),
            HoldRefusal::UnknownSeats(_) => {
                Self::unprocessable("unknown_seat", message).field("seats", "unknown")
            }
            HoldRefusal::UnknownBucket(_) => {
                Self::unprocessable("unknown_bucket", message).field("buckets", "unknown")
            }
            HoldRefusal::CategoryNotAllowed { .. } => {
                Self::unprocessable("category_not_allowed", message)
            }
            HoldRefusal::OutOfStock(missing) => missing.into(),
            HoldRefusal::TooManyHeld(_) => Self::conflict("too_many_places_held", message),
            HoldRefusal::Ended | HoldRefusal::Undone => Self::gone("hold_ended", message),
            HoldRefusal::IdReused => Self::unprocessable("hold_id_reused", message),
        }
    }
}

impl From<OutOfStock> for ApiError {
    fn from(missing: OutOfStock) -> Self {
        let error = Self::conflict("out_of_stock", "places are held or sold already");
        let error = missing
            .seats
            .iter()
            .fold(error, |error, label| error.field("seats", label));
        missing.buckets.iter().fold(error, |error, short| {
            let issue = format!(
                "{}: {} of {} left",
                short.bucket, short.remaining, short.wanted
            );
            error.field("buckets", issue)
        })
    }
}
