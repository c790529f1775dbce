//! Venues.

use chrono::{DateTime, Utc};
use eventify_kernel::auth::{Principal, Role};
use eventify_kernel::db::{DbResult, PgConnection, insert_rows};
use eventify_protocol::ids::VenueId;
use eventify_protocol::zone::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::contexts::inventory::model::venue::{Owner, Venue, VenueDetails};

#[derive(FromRow, Serialize)]
struct VenueRow {
    venue_id: VenueId,
    owner_id: Uuid,
    org_id: Option<String>,
    shared: bool,
    name: String,
    city: Option<String>,
    time_zone: String,
    #[sqlx(json(nullable))]
    address: Option<Map<String, Value>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
}

macro_rules! select_venues {
    ($condition:expr) => {
        concat!(
            "select venue_id, owner_id, org_id, shared, name, city, time_zone, address, created_at,
                 updated_at, version
             from inventory.venues where ",
            $condition
        )
    };
}

macro_rules! visible {
    () => {
        "($1 or shared or owner_id = $2 or org_id = $3)"
    };
}

pub(crate) async fn insert(conn: &mut PgConnection, venue: &Venue) -> DbResult<()> {
    let details = venue.details.clone();
    let row = VenueRow {
        venue_id: venue.id,
        owner_id: venue.owner.user_id,
        org_id: venue.owner.org_id.clone(),
        shared: venue.shared,
        name: details.name,
        city: details.city,
        time_zone: details.time_zone.name().to_owned(),
        address: details.address,
        created_at: venue.created_at,
        updated_at: venue.updated_at,
        version: venue.version,
    };
    insert_rows(conn, "insert into inventory.venues", &[row], "").await?;
    Ok(())
}

pub(crate) async fn find(conn: &mut PgConnection, id: VenueId) -> DbResult<Option<Venue>> {
    let row: Option<VenueRow> = sqlx::query_as(select_venues!("venue_id = $1"))
        .bind(id)
        .fetch_optional(conn)
        .await?;
    Ok(row.map(Venue::from))
}

/// Writes an edited venue; false when another edit was committed in the meantime.
pub(crate) async fn update(conn: &mut PgConnection, venue: &Venue) -> DbResult<bool> {
    let done = sqlx::query(
        "update inventory.venues set name = $3, city = $4, address = $5, updated_at = $6,
             time_zone = $7, version = $2
         where venue_id = $1 and version = $2 - 1",
    )
    .bind(venue.id)
    .bind(venue.version)
    .bind(&venue.details.name)
    .bind(&venue.details.city)
    .bind(venue.details.address.as_ref().map(Json))
    .bind(venue.updated_at)
    .bind(venue.details.time_zone.name())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The venues in which a caller may plan performances, by name, and how many there are.
pub(crate) async fn list_visible_to(
    conn: &mut PgConnection,
    caller: &Principal,
    limit: i64,
    offset: i64,
) -> DbResult<(Vec<Venue>, i64)> {
    let rows: Vec<VenueRow> = sqlx::query_as(select_venues!(concat!(
        visible!(),
        " order by name, venue_id limit $4 offset $5"
    )))
    .bind(caller.has_role(Role::Admin))
    .bind(caller.user_id)
    .bind(&caller.org_id)
    .bind(limit)
    .bind(offset)
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(concat!(
        "select count(*) from inventory.venues where ",
        visible!()
    ))
    .bind(caller.has_role(Role::Admin))
    .bind(caller.user_id)
    .bind(&caller.org_id)
    .fetch_one(conn)
    .await?;
    Ok((rows.into_iter().map(Venue::from).collect(), total))
}

impl From<VenueRow> for Venue {
    fn from(row: VenueRow) -> Self {
        Self {
            id: row.venue_id,
            owner: Owner {
                user_id: row.owner_id,
                org_id: row.org_id,
            },
            shared: row.shared,
            details: VenueDetails {
                name: row.name,
                city: row.city,
                time_zone: TimeZone::or_utc(Some(&row.time_zone)),
                address: row.address,
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}
