//! The routes of inventory: venues and plans for organisers, holds for service accounts.

use axum::http::HeaderName;
use axum::http::header::LOCATION;
use chrono::{DateTime, Utc};
use eventify_protocol::ids::SeatingPlanId;
use serde::Serialize;

use super::api::{HoldError, OutOfStock};
use super::model::hold::HoldRefusal;
use super::model::plan::PlanError;
use super::model::slots::BelowReserved;
use super::model::venue::InvalidVenue;
use eventify_kernel::auth::Role;
use eventify_kernel::http::{ApiError, Policy, Routes};

mod holds;
mod plans;
mod stock;
mod venues;

const ORGANISERS: Policy = Policy::roles(&[Role::Organizer, Role::Admin]);

#[rustfmt::skip]
pub(super) fn routes() -> Routes {
    const HOLDS: Policy = Policy::signed_in().scopes(&["inventory:hold"]).strict();
    Routes::new()
        .post("/venues", ORGANISERS, venues::create)
        .get("/venues", ORGANISERS, venues::list)
        .get("/venues/{venueId}", ORGANISERS.owner("venue.owner_id, or shared"), venues::read)
        .put("/venues/{venueId}", ORGANISERS.owner("venue.owner_id"), venues::edit)
        .post("/venues/{venueId}/seating-plans", ORGANISERS.owner("venue.owner_id"), plans::define)
        .get("/venues/{venueId}/seating-plans", ORGANISERS.owner("venue.owner_id, or shared"), plans::list)
        .get("/seating-plans/{seatingPlanId}", ORGANISERS.owner("venue.owner_id, or shared"), plans::read)
        .get("/inventory/performances/{performanceId}", ORGANISERS.owner("event.owner_id"), stock::read)
        .post("/inventory/performances/{performanceId}/capacity", ORGANISERS.owner("event.owner_id"), stock::adjust)
        .post("/inventory/holds", HOLDS, holds::take)
        .post("/inventory/holds/{holdId}/release", HOLDS.owner("hold.holder_id"), holds::release)
}

/// 201 with the address of what was made.
fn location(path: String) -> (HeaderName, String) {
    (LOCATION, path)
}

/// Head of a seating plan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PlanHead {
    seating_plan_id: SeatingPlanId,
    name: String,
    seats: i64,
    zone_capacity: i64,
    created_at: DateTime<Utc>,
}

impl From<InvalidVenue> for ApiError {
    fn from(error: InvalidVenue) -> Self {
        Self::invalid(error.field, "is empty or too long")
    }
}

impl From<PlanError> for ApiError {
    fn from(error: PlanError) -> Self {
        Self::invalid(error.field, error.issue)
    }
}

impl From<BelowReserved> for ApiError {
    fn from(error: BelowReserved) -> Self {
        Self::unprocessable("below_reserved", error.to_string())
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
            HoldRefusal::Ended => Self::gone("hold_ended", message),
            HoldRefusal::IdReused => Self::unprocessable("hold_id_reused", message),
        }
    }
}

impl From<OutOfStock> for ApiError {
    fn from(missing: OutOfStock) -> Self {
        let error = Self::conflict("out_of_stock", "somebody else was faster");
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
