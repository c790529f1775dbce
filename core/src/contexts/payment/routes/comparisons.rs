//! `/payments/comparisons`: what the provider has made, compared with what is known here.

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::response::IntoResponse;
use eventify_kernel::auth::Role;
use eventify_kernel::http::{
    Answer, ApiError, Caller, GivenTime, Json, Path, Policy, Routes, StatusCode,
};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::contexts::payment::store::comparisons::Comparison;
use crate::contexts::payment::{App, NAME, acts, store};

/// The provider's account is everybody's.
const ADMINISTRATORS: &[Role] = &[Role::Admin];

pub(super) fn routes(routes: Routes<App>) -> Routes<App> {
    let policy = Policy::roles(ADMINISTRATORS).strict();
    routes.post("/payments/comparisons", policy, start).get(
        "/payments/comparisons/{comparison_id}",
        policy,
        show,
    )
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Start {
    /// Default: as far back as the provider may contradict what it said.
    since: Option<GivenTime>,
}

async fn start(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<Start>,
) -> Answer<impl IntoResponse> {
    let since = body.since.map(|GivenTime(since)| since);
    if since.is_some_and(|since| since > app.clock.now()) {
        return Err(ApiError::invalid("since", "must be in the past"));
    }
    let comparison = acts::start_comparison(&app, &caller.cause, since).await?;
    let path = format!("/payments/comparisons/{}", comparison.comparison_id);
    Ok((StatusCode::ACCEPTED, [(LOCATION, path)], Json(comparison)))
}

async fn show(State(app): State<App>, Path(id): Path<Uuid>) -> Answer<Json<Comparison>> {
    let mut conn = app.db.read(NAME).await?;
    let comparison = store::comparisons::find(&mut conn, id).await?;
    let unknown = || ApiError::not_found("comparison_not_found", "there is no such comparison");
    Ok(Json(comparison.ok_or_else(unknown)?))
}
