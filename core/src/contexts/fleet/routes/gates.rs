//! `/fleet/gates`.

use axum::extract::State;
use axum::http::HeaderName;
use axum::response::AppendHeaders;
use eventify_kernel::http::{Answer, Caller, IfMatch, Json, Paged, Paging, Path, Query, etag};
use eventify_protocol::ids::{GateId, PerformanceId, VenueId};
use eventify_protocol::token::CategoryCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Created, created};
use crate::contexts::fleet::acts::gates::{self, GatePlan};
use crate::contexts::fleet::acts::{FleetError, venues};
use crate::contexts::fleet::model::gate::Gate;
use crate::contexts::fleet::{App, NAME, store};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewGate {
    venue_id: VenueId,
    name: String,
    #[serde(default)]
    performances: Vec<PerformanceId>,
    #[serde(default)]
    categories: Vec<CategoryCode>,
}

/// Of which venue, and which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OfVenue {
    pub(super) venue_id: VenueId,
    page: Option<u32>,
    size: Option<u32>,
}

impl OfVenue {
    pub(super) fn paging(&self) -> Answer<Paging> {
        Paging::of(self.page, self.size)
    }
}

pub(super) type EtagHeader = AppendHeaders<[(HeaderName, String); 1]>;

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewGate>,
) -> Answer<Created<Gate>> {
    let plan = GatePlan {
        name: new.name,
        performances: new.performances,
        categories: new.categories,
    };
    let gate = gates::create(&app, &caller.cause, caller.principal()?, new.venue_id, plan).await?;
    Ok(created(format!("/fleet/gates/{}", gate.gate_id), gate))
}

pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(gate): Path<GateId>,
) -> Answer<(EtagHeader, Json<Gate>)> {
    let mut conn = app.db.read(NAME).await?;
    let gate = store::gates::find(&mut conn, gate).await?;
    let gate = gate.ok_or(FleetError::GateNotFound)?;
    venues::own(&mut conn, caller.principal()?, gate.venue_id).await?;
    Ok((AppendHeaders([etag(gate.version)]), Json(gate)))
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(of): Query<OfVenue>,
) -> Answer<Json<Paged<Gate>>> {
    let paging = of.paging()?;
    let mut conn = app.db.read(NAME).await?;
    venues::own(&mut conn, caller.principal()?, of.venue_id).await?;
    let (gates, total) = store::gates::list_page(&mut conn, of.venue_id, paging).await?;
    Ok(Json(paging.answer(gates, total)))
}

pub(super) async fn edit(
    State(app): State<App>,
    caller: Caller,
    version: IfMatch,
    Path(gate): Path<GateId>,
    Json(plan): Json<GatePlan>,
) -> Answer<(EtagHeader, Json<Gate>)> {
    let mut conn = app.db.read(NAME).await?;
    let before = store::gates::find(&mut conn, gate)
        .await?
        .ok_or(FleetError::GateNotFound)?;
    // Before the version: a stranger learns none.
    venues::own(&mut conn, caller.principal()?, before.venue_id).await?;
    drop(conn);
    version.must_match(before.version)?;
    let gate = gates::edit(&app, &caller.cause, caller.principal()?, before, plan).await?;
    Ok((AppendHeaders([etag(gate.version)]), Json(gate)))
}
