//! `/venues/{venueId}/seating-plans`, `/seating-plans`

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderName, LOCATION};
use axum::response::Response;
use eventify_kernel::app::{App, AppWith};
use eventify_kernel::http::{
    Answer, ApiError, Caller, Conditional, Json, Paged, Paging, Path, Representation, Routes,
};
use eventify_kernel::kept::Kept;
use eventify_protocol::ids::{SeatingPlanId, VenueId};
use serde::Serialize;

use super::ORGANISERS;
use crate::contexts::inventory::NAME;
use crate::contexts::inventory::acts::venues::{self, VenueError};
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

/// Memory for the plans of a process: four stadiums', compressed and not.
const MAX_BYTES: usize = 32 << 20;

/// Plans as they are sent: none ever changes.
#[derive(Debug)]
pub(super) struct Plans {
    kept: Mutex<Kept<SeatingPlanId, Representation>>,
    /// Held by who makes one: a stadium's takes a tenth of a second of a processor, and memory.
    making: tokio::sync::Mutex<()>,
}

impl Default for Plans {
    fn default() -> Self {
        Self {
            kept: Mutex::new(Kept::at_most(MAX_BYTES)),
            making: tokio::sync::Mutex::default(),
        }
    }
}

impl Plans {
    fn kept(&self) -> MutexGuard<'_, Kept<SeatingPlanId, Representation>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn kept() -> Routes<AppWith<Plans>> {
    let readers = ORGANISERS.owner("venue.owner_id, or shared").strict();
    Routes::new().get("/seating-plans/{seatingPlanId}", readers, read)
}

/// Whether the caller may read it is asked each time; what it says is made once.
async fn read(
    State(app): State<AppWith<Plans>>,
    caller: Caller,
    Path(id): Path<SeatingPlanId>,
    to: Conditional,
) -> Answer<Response> {
    let mut conn = app.db.read(NAME).await?;
    let venue = venues::venue_of_plan(&mut conn, caller.principal()?, id).await?;
    drop(conn);
    let kept = app.state.kept().find(id).cloned();
    let plan = match kept {
        Some(plan) => plan,
        None => make(&app, (id, venue)).await?,
    };
    Ok(plan.answer(&to))
}

async fn make(
    app: &AppWith<Plans>,
    (id, venue_id): (SeatingPlanId, VenueId),
) -> Answer<Representation> {
    let _turn = app.state.making.lock().await;
    if let Some(made) = app.state.kept().find(id).cloned() {
        return Ok(made);
    }
    let mut conn = app.db.read(NAME).await?;
    let plan = plans::find(&mut conn, id).await?;
    drop(conn);
    let (_, plan) = plan.ok_or(VenueError::UnknownPlan)?;
    let body = PlanBody {
        seating_plan_id: id,
        venue_id,
        name: plan.name,
        seats: plan.seats,
        zones: plan.zones,
    };
    let made = tokio::task::spawn_blocking(move || Representation::json(&body)).await;
    let made = made.map_err(ApiError::internal)??;
    app.state.kept().insert(id, made.clone(), made.bytes());
    Ok(made)
}
