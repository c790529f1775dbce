//! Venues and seating plans.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{BucketId, SeatId, SeatingPlanId, VenueId};
use sqlx::types::Json;
use sqlx::{FromRow, Row};
use uuid::Uuid;

use super::{codes, count, int, texts};
use crate::contexts::inventory::model::plan::{Plan, Seat, Zone};
use crate::contexts::inventory::model::venue::{Owner, Venue, VenueDetails};
use eventify_kernel::auth::{Principal, Role};
use eventify_kernel::db::{DbResult, PgConnection};

const VENUE: &str = "venue_id, owner_id, org_id, shared, name, city, address, created_at, \
                     updated_at, version";

#[derive(FromRow)]
struct VenueRow {
    venue_id: Uuid,
    owner_id: Uuid,
    org_id: Option<String>,
    shared: bool,
    name: String,
    city: Option<String>,
    address: Option<Json<serde_json::Map<String, serde_json::Value>>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
}

impl VenueRow {
    fn venue(self) -> Venue {
        let address = self.address.map(|Json(address)| address);
        Venue {
            id: VenueId(self.venue_id),
            owner: Owner {
                user_id: self.owner_id,
                org_id: self.org_id,
            },
            shared: self.shared,
            details: VenueDetails {
                name: self.name,
                city: self.city,
                address,
            },
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        }
    }
}

pub(crate) async fn add(conn: &mut PgConnection, venue: &Venue) -> DbResult<()> {
    sqlx::query(
        "insert into venues (venue_id, owner_id, org_id, shared, name, city, address, created_at,
             updated_at, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(venue.id.as_uuid())
    .bind(venue.owner.user_id)
    .bind(&venue.owner.org_id)
    .bind(venue.shared)
    .bind(&venue.details.name)
    .bind(&venue.details.city)
    .bind(venue.details.address.as_ref().map(Json))
    .bind(venue.created_at)
    .bind(venue.updated_at)
    .bind(venue.version)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn find(conn: &mut PgConnection, id: VenueId) -> DbResult<Option<Venue>> {
    let row: Option<VenueRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select {VENUE} from venues where venue_id = $1"
    )))
    .bind(id.as_uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row.map(VenueRow::venue))
}

/// Writes an edited venue; false when somebody else edited it in the meantime.
pub(crate) async fn save(conn: &mut PgConnection, venue: &Venue) -> DbResult<bool> {
    let done = sqlx::query(
        "update venues set name = $3, city = $4, address = $5, updated_at = $6, version = $2
         where venue_id = $1 and version = $2 - 1",
    )
    .bind(venue.id.as_uuid())
    .bind(venue.version)
    .bind(&venue.details.name)
    .bind(&venue.details.city)
    .bind(venue.details.address.as_ref().map(Json))
    .bind(venue.updated_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The venues in which a caller may plan performances, by name, and how many there are.
pub(crate) async fn open_to(
    conn: &mut PgConnection,
    caller: &Principal,
    limit: i64,
    offset: i64,
) -> DbResult<(Vec<Venue>, i64)> {
    const MINE: &str = "($1 or shared or owner_id = $2 or org_id = $3)";
    let rows: Vec<VenueRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select {VENUE} from venues where {MINE} order by name, venue_id limit $4 offset $5"
    )))
    .bind(caller.has_role(Role::Admin))
    .bind(caller.user_id)
    .bind(&caller.org_id)
    .bind(limit)
    .bind(offset)
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "select count(*) from venues where {MINE}"
    )))
    .bind(caller.has_role(Role::Admin))
    .bind(caller.user_id)
    .bind(&caller.org_id)
    .fetch_one(conn)
    .await?;
    Ok((rows.into_iter().map(VenueRow::venue).collect(), total))
}

/// Enters a plan with its seats and zones. A second plan of the same name in a venue violates
/// `seating_plans_venue_id_name_key`.
pub(crate) async fn add_plan(
    conn: &mut PgConnection,
    id: SeatingPlanId,
    venue: VenueId,
    plan: &Plan,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into seating_plans (seating_plan_id, venue_id, name, created_at, updated_at, version)
         values ($1, $2, $3, $4, $4, 1)",
    )
    .bind(id.as_uuid())
    .bind(venue.as_uuid())
    .bind(&plan.name)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    add_seats(conn, id, &plan.seats).await?;
    add_zones(conn, id, &plan.zones).await
}

async fn add_seats(conn: &mut PgConnection, plan: SeatingPlanId, seats: &[Seat]) -> DbResult<()> {
    sqlx::query(
        "insert into seats (seat_id, seating_plan_id, section, row_label, number_label, label,
             position, categories, accessible, blocked)
         select seat_id, $1, section, row_label, number_label, label,
             (place - 1)::int, string_to_array(categories, ','), accessible, blocked
         from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
             $8::bool[], $9::bool[]) with ordinality
             as seat (seat_id, section, row_label, number_label, label, categories, accessible,
             blocked, place)",
    )
    .bind(plan.as_uuid())
    .bind(
        seats
            .iter()
            .map(|seat| seat.id.as_uuid())
            .collect::<Vec<_>>(),
    )
    .bind(
        seats
            .iter()
            .map(|seat| seat.section.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        seats
            .iter()
            .map(|seat| seat.row.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        seats
            .iter()
            .map(|seat| seat.number.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        seats
            .iter()
            .map(|seat| seat.label.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        seats
            .iter()
            .map(|seat| texts(&seat.categories).join(","))
            .collect::<Vec<_>>(),
    )
    .bind(seats.iter().map(|seat| seat.accessible).collect::<Vec<_>>())
    .bind(seats.iter().map(|seat| seat.blocked).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

async fn add_zones(conn: &mut PgConnection, plan: SeatingPlanId, zones: &[Zone]) -> DbResult<()> {
    for (position, zone) in (0_i32..).zip(zones) {
        sqlx::query(
            "insert into inventory_buckets
                 (bucket_id, seating_plan_id, zone, capacity, position, categories)
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(zone.id.as_uuid())
        .bind(plan.as_uuid())
        .bind(&zone.zone)
        .bind(int(zone.capacity)?)
        .bind(position)
        .bind(texts(&zone.categories))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// A plan with its venue, seats and zones.
pub(crate) async fn plan(
    conn: &mut PgConnection,
    id: SeatingPlanId,
) -> DbResult<Option<(VenueId, Plan)>> {
    let head: Option<(Uuid, String)> =
        sqlx::query_as("select venue_id, name from seating_plans where seating_plan_id = $1")
            .bind(id.as_uuid())
            .fetch_optional(&mut *conn)
            .await?;
    let Some((venue, name)) = head else {
        return Ok(None);
    };
    let seats = seats(conn, id).await?;
    let zones = zones(conn, id).await?;
    Ok(Some((VenueId(venue), Plan { name, seats, zones })))
}

async fn seats(conn: &mut PgConnection, plan: SeatingPlanId) -> DbResult<Vec<Seat>> {
    let rows = sqlx::query(
        "select seat_id, section, row_label, number_label, label, categories, accessible, blocked
         from seats where seating_plan_id = $1 order by position",
    )
    .bind(plan.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Seat {
                id: SeatId(row.try_get("seat_id")?),
                section: row.try_get("section")?,
                row: row.try_get("row_label")?,
                number: row.try_get("number_label")?,
                label: row.try_get("label")?,
                categories: codes(&row.try_get::<Vec<String>, _>("categories")?)?,
                accessible: row.try_get("accessible")?,
                blocked: row.try_get("blocked")?,
            })
        })
        .collect()
}

async fn zones(conn: &mut PgConnection, plan: SeatingPlanId) -> DbResult<Vec<Zone>> {
    let rows: Vec<(Uuid, String, i32, Vec<String>)> = sqlx::query_as(
        "select bucket_id, zone, capacity, categories
         from inventory_buckets where seating_plan_id = $1 order by position",
    )
    .bind(plan.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(id, zone, capacity, categories)| {
            let capacity = count(capacity.into())?;
            Ok(Zone {
                id: BucketId(id),
                zone,
                capacity,
                categories: codes(&categories)?,
            })
        })
        .collect()
}

/// The plans of a venue, newest first: id, name, seats, units of zones, when it was defined.
pub(crate) async fn plans(
    conn: &mut PgConnection,
    venue: VenueId,
    limit: i64,
    offset: i64,
) -> DbResult<(Vec<(SeatingPlanId, String, i64, i64, DateTime<Utc>)>, i64)> {
    let rows: Vec<(Uuid, String, i64, i64, DateTime<Utc>)> = sqlx::query_as(
        "select p.seating_plan_id, p.name,
             (select count(*) from seats s where s.seating_plan_id = p.seating_plan_id),
             (select coalesce(sum(capacity), 0) from inventory_buckets b
                 where b.seating_plan_id = p.seating_plan_id),
             p.created_at
         from seating_plans p where p.venue_id = $1
         order by p.created_at desc, p.seating_plan_id limit $2 offset $3",
    )
    .bind(venue.as_uuid())
    .bind(limit)
    .bind(offset)
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar("select count(*) from seating_plans where venue_id = $1")
        .bind(venue.as_uuid())
        .fetch_one(conn)
        .await?;
    let plans = rows
        .into_iter()
        .map(|(id, name, seats, units, at)| (SeatingPlanId(id), name, seats, units, at));
    Ok((plans.collect(), total))
}
