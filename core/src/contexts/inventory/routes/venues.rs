//! `/venues`

use axum::extract::State;
use axum::http::{HeaderName, StatusCode};
use chrono::{DateTime, Utc};
use eventify_protocol::ids::VenueId;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::location;
use crate::contexts::inventory::NAME;
use crate::contexts::inventory::model::venue::{Venue, VenueDetails};
use crate::contexts::inventory::store::venues;
use eventify_contracts::inventory::{VenueCreated, VenueUpdated};
use eventify_kernel::app::App;
use eventify_kernel::db::PgConnection;
use eventify_kernel::http::{Answer, ApiError, Caller, IfMatch, Json, Paged, Paging, Path, etag};

/// A venue as its users see it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VenueBody {
    venue_id: VenueId,
    name: String,
    city: Option<String>,
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

type Made = (StatusCode, [(HeaderName, String); 2], Json<VenueBody>);

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(details): Json<VenueDetails>,
) -> Answer<Made> {
    let id = VenueId(app.clock.new_id());
    let venue = Venue::new(id, caller.principal()?, details, app.clock.now())?;
    let mut tx = app.db.begin(NAME, &caller.cause).await?;
    venues::add(&mut tx, &venue).await?;
    let created = VenueCreated {
        venue_id: id,
        facts: venue.facts(),
    };
    tx.publish(app.clock.new_id(), venue.version, &created);
    tx.commit().await?;
    let headers = [location(format!("/venues/{id}")), etag(venue.version)];
    Ok((StatusCode::CREATED, headers, Json(venue.into())))
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    paging: Paging,
) -> Answer<Json<Paged<VenueBody>>> {
    let mut conn = app.db.read(NAME).await?;
    let principal = caller.principal()?;
    let (found, total) =
        venues::open_to(&mut conn, principal, paging.limit(), paging.offset()).await?;
    Ok(Json(paging.answer(
        found.into_iter().map(VenueBody::from).collect(),
        total,
    )))
}

pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<VenueId>,
) -> Answer<([(HeaderName, String); 1], Json<VenueBody>)> {
    let venue = visible(&mut *app.db.read(NAME).await?, &caller, id).await?;
    Ok(([etag(venue.version)], Json(venue.into())))
}

pub(super) async fn edit(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<VenueId>,
    seen: IfMatch,
    Json(details): Json<VenueDetails>,
) -> Answer<([(HeaderName, String); 1], Json<VenueBody>)> {
    let mut tx = app.db.begin(NAME, &caller.cause).await?;
    let venue = own(&mut tx, &caller, id).await?;
    seen.must_match(venue.version)?;
    let venue = venue.edit(details, app.clock.now())?;
    if !venues::save(&mut tx, &venue).await? {
        return Err(IfMatch::stale());
    }
    let updated = VenueUpdated {
        venue_id: id,
        facts: venue.facts(),
    };
    tx.publish(app.clock.new_id(), venue.version, &updated);
    tx.commit().await?;
    Ok(([etag(venue.version)], Json(venue.into())))
}

/// A venue that the caller may use.
pub(super) async fn visible(
    conn: &mut PgConnection,
    caller: &Caller,
    id: VenueId,
) -> Answer<Venue> {
    let venue = found(conn, id).await?;
    if venue.is_open_to(caller.principal()?) {
        Ok(venue)
    } else {
        Err(foreign())
    }
}

/// A venue that the caller runs.
pub(super) async fn own(conn: &mut PgConnection, caller: &Caller, id: VenueId) -> Answer<Venue> {
    let venue = found(conn, id).await?;
    if venue.owner.is(caller.principal()?) {
        Ok(venue)
    } else {
        Err(foreign())
    }
}

async fn found(conn: &mut PgConnection, id: VenueId) -> Answer<Venue> {
    let venue = venues::find(conn, id).await?;
    venue.ok_or_else(|| ApiError::not_found("venue_not_found", "there is no such venue"))
}

fn foreign() -> ApiError {
    ApiError::forbidden("the venue belongs to another organiser")
}
