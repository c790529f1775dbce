//! What is asked for.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{BucketId, EventId, PerformanceId, SeatId, VenueId};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, FromRow, Row};
use uuid::Uuid;

use crate::contexts::catalogue::model::{Performance, Zone};
use eventify_contracts::event_management::PricedCategory;
use eventify_contracts::inventory::LaidOutSeat;
use eventify_kernel::db::{DbError, DbResult, PgConnection};

const PERFORMANCE: &str = "performance_id, event_id, venue_id, venue_name, start_time, doors_at, \
                           ends_at, sales_opens_at, sales_closes_at, categories, cancelled";

/// What a customer looks for; `None` is anything.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// For `like`, against the title.
    pub(crate) title: Option<String>,
    pub(crate) city: Option<String>,
    pub(crate) tag: Option<String>,
    /// A performance begins then or later.
    pub(crate) from: DateTime<Utc>,
    /// A performance begins before.
    pub(crate) to: Option<DateTime<Utc>>,
}

/// One line of the list.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct EventLine {
    pub(crate) event_id: Uuid,
    pub(crate) title: String,
    pub(crate) city: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) next_performance: DateTime<Utc>,
}

/// An event as customers see it.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct EventRow {
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) city: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) status: String,
    pub(crate) published_at: Option<DateTime<Utc>>,
}

/// Published events with a performance that fits, the nearest first, and how many there are.
pub(crate) async fn events(
    conn: &mut PgConnection,
    wanted: &Wanted,
    limit: i64,
    offset: i64,
) -> DbResult<(Vec<EventLine>, i64)> {
    const FITTING: &str = "
        select e.event_id, e.title, e.city, e.tags, min(p.start_time) as next_performance
        from events e join performances p using (event_id)
        where e.status = 'published' and not p.cancelled
            and p.start_time >= $1 and ($2::timestamptz is null or p.start_time < $2)
            and ($3::text is null or unaccent(e.title) ilike unaccent($3))
            and ($4::text is null or lower(unaccent(e.city)) = lower(unaccent($4)))
            and ($5::text is null or e.tags @> array[lower($5)])
        group by e.event_id, e.title, e.city, e.tags";
    let lines = sqlx::query_as(AssertSqlSafe(format!(
        "{FITTING} order by next_performance, e.event_id limit $6 offset $7"
    )))
    .bind(wanted.from)
    .bind(wanted.to)
    .bind(&wanted.title)
    .bind(&wanted.city)
    .bind(&wanted.tag)
    .bind(limit)
    .bind(offset)
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(AssertSqlSafe(format!(
        "select count(*) from ({FITTING}) as fitting"
    )))
    .bind(wanted.from)
    .bind(wanted.to)
    .bind(&wanted.title)
    .bind(&wanted.city)
    .bind(&wanted.tag)
    .fetch_one(conn)
    .await?;
    Ok((lines, total))
}

/// An event that is or was published, if it is not put away.
pub(crate) async fn event(conn: &mut PgConnection, id: EventId) -> DbResult<Option<EventRow>> {
    let row = sqlx::query_as(
        "select title, description, city, tags, status, published_at from events
         where event_id = $1 and published_at is not null and status in ('published', 'cancelled')",
    )
    .bind(id.as_uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// An event's performances, by their beginning.
pub(crate) async fn performances(
    conn: &mut PgConnection,
    event: EventId,
) -> DbResult<Vec<Performance>> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "select {PERFORMANCE} from performances
         where event_id = $1 order by start_time, performance_id"
    )))
    .bind(event.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.iter().map(performance_of).collect()
}

pub(crate) async fn performance(
    conn: &mut PgConnection,
    id: PerformanceId,
) -> DbResult<Option<Performance>> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "select {PERFORMANCE} from performances where performance_id = $1"
    )))
    .bind(id.as_uuid())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(performance_of).transpose()
}

/// All seats of a performance, in the plan's order.
pub(crate) async fn seats(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Vec<LaidOutSeat>> {
    let parts: Vec<Json<Vec<LaidOutSeat>>> =
        sqlx::query_scalar("select seats from seating where performance_id = $1 order by part")
            .bind(performance.as_uuid())
            .fetch_all(conn)
            .await?;
    Ok(parts.into_iter().flat_map(|Json(seats)| seats).collect())
}

/// The seats that are held or sold.
pub(crate) async fn taken(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<HashSet<SeatId>> {
    let seats: Vec<Uuid> = sqlx::query_scalar(
        "select seat_id from seat_claims where performance_id = $1 and ended_at is null",
    )
    .bind(performance.as_uuid())
    .fetch_all(conn)
    .await?;
    Ok(seats.into_iter().map(SeatId).collect())
}

pub(crate) async fn zones(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<Vec<Zone>> {
    let rows: Vec<(Uuid, String, Vec<String>, i32, i32)> = sqlx::query_as(
        "select z.bucket_id, z.zone, z.categories, l.remaining, l.capacity
         from zones z join zone_levels l using (performance_id, bucket_id)
         where z.performance_id = $1 order by z.position",
    )
    .bind(performance.as_uuid())
    .fetch_all(conn)
    .await?;
    let units = |number: i32| u32::try_from(number).map_err(DbError::impossible_row);
    rows.into_iter()
        .map(|(bucket, zone, categories, remaining, capacity)| {
            let categories = categories.iter().map(|code| code.parse());
            Ok(Zone {
                bucket_id: BucketId(bucket),
                zone,
                remaining: units(remaining)?,
                capacity: units(capacity)?,
                categories: categories
                    .collect::<Result<_, _>>()
                    .map_err(DbError::impossible_row)?,
            })
        })
        .collect()
}

fn performance_of(row: &PgRow) -> DbResult<Performance> {
    let Json(categories): Json<Vec<PricedCategory>> = row.try_get("categories")?;
    Ok(Performance {
        performance_id: PerformanceId(row.try_get("performance_id")?),
        event_id: EventId(row.try_get("event_id")?),
        start_time: row.try_get("start_time")?,
        doors_at: row.try_get("doors_at")?,
        ends_at: row.try_get("ends_at")?,
        sales_opens_at: row.try_get("sales_opens_at")?,
        sales_closes_at: row.try_get("sales_closes_at")?,
        venue_id: VenueId(row.try_get("venue_id")?),
        venue_name: row.try_get("venue_name")?,
        cancelled: row.try_get("cancelled")?,
        categories,
    })
}
