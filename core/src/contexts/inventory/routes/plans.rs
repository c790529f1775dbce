//! `/venues/{venueId}/seating-plans`, `/seating-plans`

use axum::extract::State;
use axum::http::{HeaderName, StatusCode};
use eventify_protocol::ids::{BucketId, SeatId, SeatingPlanId, VenueId};
use eventify_protocol::token::CategoryCode;
use serde::Serialize;

use super::venues::{own, visible};
use super::{PlanHead, location};
use crate::contexts::inventory::NAME;
use crate::contexts::inventory::model::plan::{Plan, PlanSpec, Seat, Zone};
use crate::contexts::inventory::store::venues;
use eventify_contracts::inventory::SeatingPlanDefined;
use eventify_kernel::app::App;
use eventify_kernel::http::{Answer, ApiError, Caller, Json, Paged, Paging, Path};

/// A seating plan with everything in it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanBody {
    seating_plan_id: SeatingPlanId,
    venue_id: VenueId,
    name: String,
    seats: Vec<SeatBody>,
    zones: Vec<ZoneBody>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SeatBody {
    seat_id: SeatId,
    label: String,
    section: String,
    row: String,
    number: String,
    categories: Vec<CategoryCode>,
    accessible: bool,
    blocked: bool,
}

/// A zone, by its id.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ZoneBody {
    bucket_id: BucketId,
    zone: String,
    capacity: u32,
    categories: Vec<CategoryCode>,
}

/// What a new plan answers: its zones by id; its many seats are read apart.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DefinedBody {
    seating_plan_id: SeatingPlanId,
    name: String,
    seats: usize,
    zones: Vec<ZoneBody>,
}

pub(super) async fn define(
    State(app): State<App>,
    caller: Caller,
    Path(venue_id): Path<VenueId>,
    Json(spec): Json<PlanSpec>,
) -> Answer<(StatusCode, [(HeaderName, String); 1], Json<DefinedBody>)> {
    let plan = Plan::define(spec, || app.clock.new_id())?;
    let id = SeatingPlanId(app.clock.new_id());
    let mut tx = app.db.begin(NAME, &caller.cause).await?;
    let venue = own(&mut tx, &caller, venue_id).await?;
    let added = venues::add_plan(&mut tx, id, venue_id, &plan, app.clock.now()).await;
    added.map_err(|error| {
        if error.violates("seating_plans_venue_id_name_key") {
            return ApiError::conflict("plan_exists", "the venue has a plan of this name");
        }
        error.into()
    })?;
    let defined = SeatingPlanDefined {
        seating_plan_id: id,
        name: plan.name.clone(),
        venue_id,
        venue: venue.facts(),
        seats: u32::try_from(plan.seats.len()).map_err(ApiError::internal)?,
        zone_capacity: plan.zone_capacity(),
        category_sets: plan.category_sets(),
    };
    tx.publish(app.clock.new_id(), 1, &defined);
    tx.commit().await?;
    let body = DefinedBody {
        seating_plan_id: id,
        name: plan.name,
        seats: plan.seats.len(),
        zones: plan.zones.into_iter().map(ZoneBody::from).collect(),
    };
    Ok((
        StatusCode::CREATED,
        [location(format!("/seating-plans/{id}"))],
        Json(body),
    ))
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(venue_id): Path<VenueId>,
    paging: Paging,
) -> Answer<Json<Paged<PlanHead>>> {
    let mut conn = app.db.read(NAME).await?;
    visible(&mut conn, &caller, venue_id).await?;
    let (rows, total) = venues::plans(&mut conn, venue_id, paging.limit(), paging.offset()).await?;
    let heads = rows
        .into_iter()
        .map(|(id, name, seats, zone_capacity, created_at)| PlanHead {
            seating_plan_id: id,
            name,
            seats,
            zone_capacity,
            created_at,
        });
    Ok(Json(paging.answer(heads.collect(), total)))
}

pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<SeatingPlanId>,
) -> Answer<Json<PlanBody>> {
    let mut conn = app.db.read(NAME).await?;
    let (venue_id, plan) = venues::plan(&mut conn, id).await?.ok_or_else(|| {
        ApiError::not_found("seating_plan_not_found", "there is no such seating plan")
    })?;
    visible(&mut conn, &caller, venue_id).await?;
    Ok(Json(PlanBody {
        seating_plan_id: id,
        venue_id,
        name: plan.name,
        seats: plan.seats.into_iter().map(SeatBody::from).collect(),
        zones: plan.zones.into_iter().map(ZoneBody::from).collect(),
    }))
}

impl From<Seat> for SeatBody {
    fn from(seat: Seat) -> Self {
        Self {
            seat_id: seat.id,
            label: seat.label,
            section: seat.section,
            row: seat.row,
            number: seat.number,
            categories: seat.categories,
            accessible: seat.accessible,
            blocked: seat.blocked,
        }
    }
}

impl From<Zone> for ZoneBody {
    fn from(zone: Zone) -> Self {
        Self {
            bucket_id: zone.id,
            zone: zone.zone,
            capacity: zone.capacity,
            categories: zone.categories,
        }
    }
}
