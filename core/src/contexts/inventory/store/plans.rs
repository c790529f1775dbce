//! Seating plans with their seats and zones.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{BucketId, SeatId, SeatingPlanId, VenueId};
use eventify_protocol::token::CategoryCode;
use serde::Serialize;
use sqlx::FromRow;

use super::{column, int, joined};
use crate::contexts::inventory::model::plan::{Plan, Seat, Zone};
use crate::contexts::inventory::model::venue::Owner;

/// A plan in the list, as row and as JSON.
#[derive(Debug, FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanItem {
    seating_plan_id: SeatingPlanId,
    name: String,
    seats: i64,
    zone_capacity: i64,
    created_at: DateTime<Utc>,
}

#[derive(FromRow)]
struct SeatRow {
    seat_id: SeatId,
    section: String,
    row_label: String,
    number_label: String,
    label: String,
    #[sqlx(json)]
    categories: Vec<CategoryCode>,
    accessible: bool,
    blocked: bool,
}

#[derive(FromRow)]
struct ZoneRow {
    bucket_id: BucketId,
    zone: String,
    #[sqlx(try_from = "i32")]
    capacity: u32,
    #[sqlx(json)]
    categories: Vec<CategoryCode>,
}

/// A second plan of the same name in a venue violates `seating_plans_venue_id_name_key`.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: SeatingPlanId,
    venue: VenueId,
    plan: &Plan,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into inventory.seating_plans
             (seating_plan_id, venue_id, name, created_at, updated_at, version)
         values ($1, $2, $3, $4, $4, 1)",
    )
    .bind(id)
    .bind(venue)
    .bind(&plan.name)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    insert_seats(conn, id, &plan.seats).await?;
    insert_zones(conn, id, &plan.zones).await
}

async fn insert_seats(
    conn: &mut PgConnection,
    plan: SeatingPlanId,
    seats: &[Seat],
) -> DbResult<()> {
    sqlx::query(
        "insert into inventory.seats (seat_id, seating_plan_id, section, row_label, number_label,
             label, position, categories, accessible, blocked)
         select seat_id, $1, section, row_label, number_label, label,
             (place - 1)::int, string_to_array(categories, ','), accessible, blocked
         from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
             $8::bool[], $9::bool[]) with ordinality
             as seat (seat_id, section, row_label, number_label, label, categories, accessible,
             blocked, place)",
    )
    .bind(plan)
    .bind(column(seats, |seat| seat.id))
    .bind(column(seats, |seat| seat.section.as_str()))
    .bind(column(seats, |seat| seat.row.as_str()))
    .bind(column(seats, |seat| seat.number.as_str()))
    .bind(column(seats, |seat| seat.label.as_str()))
    .bind(column(seats, |seat| joined(&seat.categories)))
    .bind(column(seats, |seat| seat.accessible))
    .bind(column(seats, |seat| seat.blocked))
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_zones(
    conn: &mut PgConnection,
    plan: SeatingPlanId,
    zones: &[Zone],
) -> DbResult<()> {
    for (position, zone) in (0_i32..).zip(zones) {
        sqlx::query(
            "insert into inventory.inventory_buckets
                 (bucket_id, seating_plan_id, zone, capacity, position, categories)
             values ($1, $2, $3, $4, $5, string_to_array($6, ','))",
        )
        .bind(zone.id)
        .bind(plan)
        .bind(&zone.zone)
        .bind(int(zone.capacity)?)
        .bind(position)
        .bind(joined(&zone.categories))
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

pub(crate) async fn exists(conn: &mut PgConnection, id: SeatingPlanId) -> DbResult<bool> {
    let exists = sqlx::query_scalar(
        "select exists (select from inventory.seating_plans where seating_plan_id = $1)",
    )
    .bind(id)
    .fetch_one(conn)
    .await?;
    Ok(exists)
}

pub(crate) async fn find_venue(
    conn: &mut PgConnection,
    id: SeatingPlanId,
) -> DbResult<Option<VenueId>> {
    let venue = sqlx::query_scalar(
        "select venue_id from inventory.seating_plans where seating_plan_id = $1",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(venue)
}

/// A plan with its venue, seats and zones.
pub(crate) async fn find(
    conn: &mut PgConnection,
    id: SeatingPlanId,
) -> DbResult<Option<(VenueId, Plan)>> {
    let head = sqlx::query_as(
        "select venue_id, name from inventory.seating_plans where seating_plan_id = $1",
    )
    .bind(id)
    .fetch_optional(&mut *conn)
    .await?;
    let Some((venue, name)) = head else {
        return Ok(None);
    };
    let seats: Vec<SeatRow> = sqlx::query_as(
        "select seat_id, section, row_label, number_label, label,
             to_jsonb(categories) as categories, accessible, blocked
         from inventory.seats where seating_plan_id = $1 order by position",
    )
    .bind(id)
    .fetch_all(&mut *conn)
    .await?;
    let zones: Vec<ZoneRow> = sqlx::query_as(
        "select bucket_id, zone, capacity, to_jsonb(categories) as categories
         from inventory.inventory_buckets where seating_plan_id = $1 order by position",
    )
    .bind(id)
    .fetch_all(conn)
    .await?;
    let plan = Plan {
        name,
        seats: seats.into_iter().map(Seat::from).collect(),
        zones: zones.into_iter().map(Zone::from).collect(),
    };
    Ok(Some((venue, plan)))
}

/// The plans of a venue, newest first, and how many there are.
pub(crate) async fn list(
    conn: &mut PgConnection,
    venue: VenueId,
    limit: i64,
    offset: i64,
) -> DbResult<(Vec<PlanItem>, i64)> {
    let plans = sqlx::query_as(
        "select p.seating_plan_id, p.name,
             (select count(*) from inventory.seats s
                 where s.seating_plan_id = p.seating_plan_id) as seats,
             (select coalesce(sum(capacity), 0) from inventory.inventory_buckets b
                 where b.seating_plan_id = p.seating_plan_id) as zone_capacity,
             p.created_at
         from inventory.seating_plans p where p.venue_id = $1
         order by p.created_at desc, p.seating_plan_id limit $2 offset $3",
    )
    .bind(venue)
    .bind(limit)
    .bind(offset)
    .fetch_all(&mut *conn)
    .await?;
    let total = count(conn, venue).await?;
    Ok((plans, total))
}

async fn count(conn: &mut PgConnection, venue: VenueId) -> DbResult<i64> {
    let count =
        sqlx::query_scalar("select count(*) from inventory.seating_plans where venue_id = $1")
            .bind(venue)
            .fetch_one(conn)
            .await?;
    Ok(count)
}

/// The names of a venue's plans. Until the transaction ends, nobody defines another one.
pub(crate) async fn lock_names(conn: &mut PgConnection, venue: VenueId) -> DbResult<Vec<String>> {
    sqlx::query("select from inventory.venues where venue_id = $1 for no key update")
        .bind(venue)
        .execute(&mut *conn)
        .await?;
    let names = sqlx::query_scalar("select name from inventory.seating_plans where venue_id = $1")
        .bind(venue)
        .fetch_all(conn)
        .await?;
    Ok(names)
}

/// Seats and zones of the plans that were defined since a time, for all venues of an owner. Of one owner,
/// transactions that count end one after the other.
pub(crate) async fn count_planned(
    conn: &mut PgConnection,
    owner: &Owner,
    since: DateTime<Utc>,
) -> DbResult<i64> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended(coalesce($2, $1::text), 0))")
        .bind(owner.user_id)
        .bind(&owner.org_id)
        .execute(&mut *conn)
        .await?;
    let planned = sqlx::query_scalar(
        "select (coalesce(sum((select count(*) from inventory.seats as seat
                 where seat.seating_plan_id = plan.seating_plan_id)), 0)
             + coalesce(sum((select count(*) from inventory.inventory_buckets as zone
                 where zone.seating_plan_id = plan.seating_plan_id)), 0))::bigint
         from inventory.seating_plans as plan join inventory.venues as venue using (venue_id)
         where plan.created_at > $3 and (venue.owner_id = $1 or venue.org_id = $2)",
    )
    .bind(owner.user_id)
    .bind(&owner.org_id)
    .bind(since)
    .fetch_one(conn)
    .await?;
    Ok(planned)
}

impl From<SeatRow> for Seat {
    fn from(row: SeatRow) -> Self {
        Self {
            id: row.seat_id,
            label: row.label,
            section: row.section,
            row: row.row_label,
            number: row.number_label,
            categories: row.categories,
            accessible: row.accessible,
            blocked: row.blocked,
        }
    }
}

impl From<ZoneRow> for Zone {
    fn from(row: ZoneRow) -> Self {
        Self {
            id: row.bucket_id,
            zone: row.zone,
            capacity: row.capacity,
            categories: row.categories,
        }
    }
}
