//! `/venues`

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderName, LOCATION};
use chrono::{DateTime, Utc};
use eventify_kernel::app::App;
use eventify_kernel::http::{Answer, ApiError, Caller, IfMatch, Json, Paged, Paging, Path, etag};
use eventify_protocol::ids::VenueId;
use eventify_protocol::zone::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::contexts::inventory::NAME;
use crate::contexts::inventory::acts::venues::{self, VenueError};
use crate::contexts::inventory::model::venue::{Venue, VenueDetails};
use crate::contexts::inventory::store;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VenueBody {
    venue_id: VenueId,
    name: String,
    city: Option<String>,
    time_zone: TimeZone,
    address: Option<Map<String, Value>>,
    owner_id: Uuid,
    org_id: Option<String>,
    shared: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
}

impl From<Venue> for VenueBody {
    fn from(venue: Venue) -> Self {
        Self {
            venue_id: venue.id,
            name: venue.details.name,
            city: venue.details.city,
            time_zone: venue.details.time_zone,
            address: venue.details.address,
            owner_id: venue.owner.user_id,
            org_id: venue.owner.org_id,
            shared: venue.shared,
            created_at: venue.created_at,
            updated_at: venue.updated_at,
            version: venue.version,
        }
    }
}

type Tagged = ([(HeaderName, String); 1], Json<VenueBody>);

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(details): Json<VenueDetails>,
) -> Answer<(StatusCode, [(HeaderName, String); 2], Json<VenueBody>)> {
    let venue = venues::create(&app, &caller.cause, caller.principal()?, details).await?;
    let location = (LOCATION, format!("/venues/{}", venue.id));
    let headers = [location, etag(venue.version)];
    Ok((StatusCode::CREATED, headers, Json(venue.into())))
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    paging: Paging,
) -> Answer<Json<Paged<VenueBody>>> {
    let mut conn = app.db.read(NAME).await?;
    let (limit, offset) = (paging.limit(), paging.offset());
    let (found, total) =
        store::venues::list_visible_to(&mut conn, caller.principal()?, limit, offset).await?;
    let bodies = found.into_iter().map(VenueBody::from);
    Ok(Json(paging.answer(bodies.collect(), total)))
}

pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<VenueId>,
) -> Answer<Tagged> {
    let mut conn = app.db.read(NAME).await?;
    let venue = venues::find_visible(&mut conn, caller.principal()?, id).await?;
    Ok(([etag(venue.version)], Json(venue.into())))
}

pub(super) async fn edit(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<VenueId>,
    seen: IfMatch,
    Json(details): Json<VenueDetails>,
) -> Answer<Tagged> {
    let principal = caller.principal()?;
    let (tx, venue) = venues::begin_edit(&app, &caller.cause, principal, id).await?;
    seen.must_match(venue.version)?;
    let venue = venues::edit(&app, tx, venue, details).await?;
    Ok(([etag(venue.version)], Json(venue.into())))
}

impl From<VenueError> for ApiError {
    fn from(error: VenueError) -> Self {
        let message = error.to_string();
        match error {
            VenueError::UnknownVenue => Self::not_found("venue_not_found", message),
            VenueError::UnknownPlan => Self::not_found("seating_plan_not_found", message),
            VenueError::Foreign => Self::forbidden(message),
            VenueError::Stale => IfMatch::stale(),
            VenueError::PlanExists(_) => Self::conflict("plan_exists", message),
            VenueError::TooManyPlans => Self::unprocessable("too_many_plans", message),
            VenueError::TooMuchPlanned(_) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_much_planned", message)
                    .retry_after(600)
            }
            VenueError::Invalid(error) => Self::invalid(error.field, error.issue),
            VenueError::Plan(error) => Self::invalid(error.field, error.issue),
            VenueError::Db(error) => error.into(),
        }
    }
}
