//! `/fleet/venues/{venueId}`.

use axum::extract::State;
use eventify_kernel::http::{Answer, Caller, Json, Paged, Paging, Path, StatusCode};
use eventify_protocol::ids::VenueId;
use serde::Serialize;
use uuid::Uuid;

use crate::contexts::fleet::acts::{FleetError, venues};
use crate::contexts::fleet::model::policy::PolicyEdit;
use crate::contexts::fleet::store::venues::Venue;
use crate::contexts::fleet::{App, NAME, store};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyView {
    max_cache_age_ms: i32,
    shift_needed: bool,
    search: bool,
    procedure: Vec<String>,
    acts_per_hour: u32,
    version: i32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VenueView {
    venue_id: VenueId,
    name: Option<String>,
    policy: PolicyView,
    /// The feed's head and the digest there.
    position: u64,
    digest: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Operator {
    user_id: Uuid,
}

impl From<&Venue> for PolicyView {
    fn from(venue: &Venue) -> Self {
        Self {
            max_cache_age_ms: venue.policy.max_cache_age_ms,
            shift_needed: venue.policy.shift_needed,
            search: venue.policy.search,
            procedure: venue.policy.procedure.clone(),
            acts_per_hour: venue.policy.acts_per_hour(),
            version: venue.policy_version,
        }
    }
}

pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(venue_id): Path<VenueId>,
) -> Answer<Json<VenueView>> {
    let mut conn = app.db.read(NAME).await?;
    let venue = venues::own(&mut conn, caller.principal()?, venue_id).await?;
    let feed = store::feed::find(&mut conn, venue_id)
        .await?
        .ok_or(FleetError::VenueNotFound)?;
    Ok(Json(VenueView {
        venue_id,
        policy: PolicyView::from(&venue),
        name: venue.name,
        position: feed.head.position.0,
        digest: feed.head.digest.0.to_string(),
    }))
}

pub(super) async fn set_policy(
    State(app): State<App>,
    caller: Caller,
    Path(venue): Path<VenueId>,
    Json(edit): Json<PolicyEdit>,
) -> Answer<Json<PolicyView>> {
    let principal = caller.principal()?;
    let venue = venues::set_policy(&app, &caller.cause, principal, venue, edit).await?;
    Ok(Json(PolicyView::from(&venue)))
}

pub(super) async fn operators(
    State(app): State<App>,
    caller: Caller,
    Path(venue): Path<VenueId>,
    paging: Paging,
) -> Answer<Json<Paged<Operator>>> {
    let mut conn = app.db.read(NAME).await?;
    venues::own(&mut conn, caller.principal()?, venue).await?;
    let (users, total) = store::venues::list_operators(&mut conn, venue, paging).await?;
    let operators = users.into_iter().map(|user_id| Operator { user_id });
    Ok(Json(paging.answer(operators.collect(), total)))
}

pub(super) async fn appoint(
    State(app): State<App>,
    caller: Caller,
    Path((venue, user)): Path<(VenueId, Uuid)>,
) -> Answer<StatusCode> {
    venues::appoint(&app, &caller.cause, caller.principal()?, venue, user, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn dismiss(
    State(app): State<App>,
    caller: Caller,
    Path((venue, user)): Path<(VenueId, Uuid)>,
) -> Answer<StatusCode> {
    venues::appoint(&app, &caller.cause, caller.principal()?, venue, user, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
