//! `/fleet/gates`.

use axum::extract::State;
use axum::http::HeaderName;
use axum::response::AppendHeaders;
use eventify_protocol::ids::{GateId, PerformanceId, VenueId};
use eventify_protocol::token::CategoryCode;
use serde::{Deserialize, Serialize};

use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::api::gates::GatePlan;
use crate::contexts::fleet::api::{FleetError, gates, venues};
use crate::contexts::fleet::model::gate::Gate;
use crate::contexts::fleet::store;
use eventify_kernel::http::{Answer, Caller, IfMatch, Json, Path, Query, StatusCode, etag};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewGate {
    venue_id: VenueId,
    name: String,
    #[serde(default)]
    performances: Vec<PerformanceId>,
    #[serde(default)]
    categories: Vec<CategoryCode>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GateEdit {
    name: String,
    performances: Vec<PerformanceId>,
    categories: Vec<CategoryCode>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GateView {
    gate_id: GateId,
    venue_id: VenueId,
    name: String,
    performances: Vec<PerformanceId>,
    categories: Vec<CategoryCode>,
    version: i32,
}

#[derive(Debug, Serialize)]
pub(super) struct Gates {
    items: Vec<GateView>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OfVenue {
    pub(super) venue_id: VenueId,
}

/// The `ETag` of what is answered.
pub(super) type EtagHeader = AppendHeaders<[(HeaderName, String); 1]>;

impl From<Gate> for GateView {
    fn from(gate: Gate) -> Self {
        let Gate {
            gate_id,
            venue_id,
            name,
            performances,
            categories,
            version,
        } = gate;
        Self {
            gate_id,
            venue_id,
            name,
            performances,
            categories,
            version,
        }
    }
}

pub(super) async fn add(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewGate>,
) -> Answer<(StatusCode, Json<GateView>)> {
    let NewGate {
        venue_id,
        name,
        performances,
        categories,
    } = new;
    let plan = GatePlan {
        name,
        performances,
        categories,
    };
    let gate = gates::add(&app, &caller.cause, caller.principal()?, venue_id, plan).await?;
    Ok((StatusCode::CREATED, Json(gate.into())))
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(of): Query<OfVenue>,
) -> Answer<Json<Gates>> {
    let mut conn = app.db.read(NAME).await?;
    venues::own(&mut conn, caller.principal()?, of.venue_id).await?;
    let gates = store::gates::of_venue(&mut conn, of.venue_id).await?;
    Ok(Json(Gates {
        items: gates.into_iter().map(GateView::from).collect(),
    }))
}

pub(super) async fn edit(
    State(app): State<App>,
    caller: Caller,
    seen: IfMatch,
    Path(gate): Path<GateId>,
    Json(edit): Json<GateEdit>,
) -> Answer<(EtagHeader, Json<GateView>)> {
    let GateEdit {
        name,
        performances,
        categories,
    } = edit;
    let mut conn = app.db.read(NAME).await?;
    let held = store::gates::find(&mut conn, gate)
        .await?
        .ok_or(FleetError::GateNotFound)?;
    drop(conn);
    seen.must_match(held.version)?;
    let plan = GatePlan {
        name,
        performances,
        categories,
    };
    let gate = gates::edit(&app, &caller.cause, caller.principal()?, held, plan).await?;
    Ok((AppendHeaders([etag(gate.version)]), Json(gate.into())))
}
