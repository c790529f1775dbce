//! `/venues/{venueId}/seating-plans`, `/seating-plans`

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderName, LOCATION};
use eventify_kernel::app::App;
use eventify_kernel::http::{Answer, Caller, Json, Paged, Paging, Path};
use eventify_protocol::ids::{SeatingPlanId, VenueId};
use serde::Serialize;

use crate::contexts::inventory::NAME;
use crate::contexts::inventory::acts::venues;
use crate::contexts::inventory::model::plan::{PlanSpec, Seat, Zone};
use crate::contexts::inventory::store::plans::{self, PlanItem};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanBody {
    seating_plan_id: SeatingPlanId,
    venue_id: VenueId,
    name: String,
    seats: Vec<Seat>,
    zones: Vec<Zone>,
}

/// The answer to a new plan: its zones with their ids, but not its many seats.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DefinedBody {
    seating_plan_id: SeatingPlanId,
    name: String,
    seats: usize,
    zones: Vec<Zone>,
}

pub(super) async fn define(
    State(app): State<App>,
    caller: Caller,
    Path(venue_id): Path<VenueId>,
    Json(spec): Json<PlanSpec>,
) -> Answer<(StatusCode, [(HeaderName, String); 1], Json<DefinedBody>)> {
    let principal = caller.principal()?;
    let defined = venues::define_plan(&app, &caller.cause, principal, venue_id, spec).await?;
    let (seating_plan_id, plan) = defined;
    let body = DefinedBody {
        seating_plan_id,
        name: plan.name,
        seats: plan.seats.len(),
        zones: plan.zones,
    };
    let location = (LOCATION, format!("/seating-plans/{seating_plan_id}"));
    Ok((StatusCode::CREATED, [location], Json(body)))
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(venue_id): Path<VenueId>,
    paging: Paging,
) -> Answer<Json<Paged<PlanItem>>> {
    let mut conn = app.db.read(NAME).await?;
    venues::find_visible(&mut conn, caller.principal()?, venue_id).await?;
    let (items, total) = plans::list(&mut conn, venue_id, paging.limit(), paging.offset()).await?;
    Ok(Json(paging.answer(items, total)))
}

pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<SeatingPlanId>,
) -> Answer<Json<PlanBody>> {
    let mut conn = app.db.read(NAME).await?;
    let (venue_id, plan) = venues::read_plan(&mut conn, caller.principal()?, id).await?;
    Ok(Json(PlanBody {
        seating_plan_id: id,
        venue_id,
        name: plan.name,
        seats: plan.seats,
        zones: plan.zones,
    }))
}
