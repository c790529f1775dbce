//! What was heard. Each function can be repeated, and called in any order.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{EventId, PerformanceId, SeatId};
use sqlx::types::Json;

use eventify_contracts::event_management::{
    EventFacts, PerformanceCancelled, PerformanceScheduled,
};
use eventify_contracts::inventory::{BucketLevel, SeatingLaidOut, SeatsReleased, SeatsReserved};
use eventify_kernel::db::{DbError, DbResult, PgConnection};

/// An event as of a version; an older one changes nothing.
pub(crate) async fn event(
    conn: &mut PgConnection,
    id: EventId,
    facts: &EventFacts,
    status: &str,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "insert into events as known
             (event_id, title, description, city, tags, status, published_at, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (event_id) do update set title = excluded.title,
             description = excluded.description, city = excluded.city, tags = excluded.tags,
             status = excluded.status, published_at = excluded.published_at,
             version = excluded.version
         where known.version < excluded.version",
    )
    .bind(id.as_uuid())
    .bind(&facts.title)
    .bind(&facts.description)
    .bind(&facts.city)
    .bind(&facts.tags)
    .bind(status)
    .bind(facts.published_at)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn scheduled(
    conn: &mut PgConnection,
    told: &PerformanceScheduled,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "insert into performances as known (performance_id, event_id, venue_id, venue_name,
             start_time, doors_at, ends_at, sales_opens_at, sales_closes_at, categories, cancelled,
             version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, false, $11)
         on conflict (performance_id) do update set venue_name = excluded.venue_name,
             start_time = excluded.start_time, doors_at = excluded.doors_at,
             ends_at = excluded.ends_at, sales_opens_at = excluded.sales_opens_at,
             sales_closes_at = excluded.sales_closes_at, categories = excluded.categories,
             version = greatest(known.version, excluded.version)
         where known.version < excluded.version or known.venue_name is null",
    )
    .bind(told.performance_id.as_uuid())
    .bind(told.event_id.as_uuid())
    .bind(told.venue_id.as_uuid())
    .bind(&told.venue_name)
    .bind(told.start_time)
    .bind(told.doors_at)
    .bind(told.ends_at)
    .bind(told.sales_opens_at)
    .bind(told.sales_closes_at)
    .bind(Json(&told.categories))
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Also of a performance that is not known yet: its other facts come later.
pub(crate) async fn cancelled(
    conn: &mut PgConnection,
    told: &PerformanceCancelled,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "insert into performances as known (performance_id, event_id, venue_id, start_time,
             categories, cancelled, version)
         values ($1, $2, $3, $4, '[]', true, $5)
         on conflict (performance_id) do update set cancelled = true,
             version = greatest(known.version, excluded.version)",
    )
    .bind(told.performance_id.as_uuid())
    .bind(told.event_id.as_uuid())
    .bind(told.venue_id.as_uuid())
    .bind(told.start_time)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

/// A part of a performance's seats, and its zones.
pub(crate) async fn laid_out(conn: &mut PgConnection, told: &SeatingLaidOut) -> DbResult<()> {
    sqlx::query(
        "insert into seating (performance_id, part, seats) values ($1, $2, $3)
         on conflict do nothing",
    )
    .bind(told.performance_id.as_uuid())
    .bind(i32::try_from(told.part).map_err(DbError::impossible_row)?)
    .bind(Json(&told.seats))
    .execute(&mut *conn)
    .await?;
    for (position, zone) in (0_i32..).zip(&told.zones) {
        sqlx::query(
            "insert into zones (performance_id, bucket_id, zone, categories, position)
             values ($1, $2, $3, $4, $5) on conflict do nothing",
        )
        .bind(told.performance_id.as_uuid())
        .bind(zone.bucket_id.as_uuid())
        .bind(&zone.zone)
        .bind(
            zone.categories
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
        )
        .bind(position)
        .execute(&mut *conn)
        .await?;
        let first = BucketLevel {
            bucket_id: zone.bucket_id,
            remaining: zone.capacity,
            capacity: zone.capacity,
        };
        level(conn, told.performance_id, &first, 0).await?;
    }
    Ok(())
}

/// What is left of a zone as of a version; an older one changes nothing.
pub(crate) async fn level(
    conn: &mut PgConnection,
    performance: PerformanceId,
    level: &BucketLevel,
    version: i32,
) -> DbResult<()> {
    let int = |units: u32| i32::try_from(units).map_err(DbError::impossible_row);
    sqlx::query(
        "insert into zone_levels as known (performance_id, bucket_id, remaining, capacity, version)
         values ($1, $2, $3, $4, $5)
         on conflict (performance_id, bucket_id) do update set remaining = excluded.remaining,
             capacity = excluded.capacity, version = excluded.version
         where known.version < excluded.version",
    )
    .bind(performance.as_uuid())
    .bind(level.bucket_id.as_uuid())
    .bind(int(level.remaining)?)
    .bind(int(level.capacity)?)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Seats are taken, unless their release was heard before.
pub(crate) async fn reserved(conn: &mut PgConnection, told: &SeatsReserved) -> DbResult<()> {
    sqlx::query(
        "insert into seat_claims (performance_id, seat_id, hold_id)
         select $1, seat_id, $2 from unnest($3::uuid[]) as taken (seat_id) order by seat_id
         on conflict do nothing",
    )
    .bind(told.performance_id.as_uuid())
    .bind(told.hold_id.as_uuid())
    .bind(uuids(&told.seat_ids))
    .execute(conn)
    .await?;
    Ok(())
}

/// The claims of a hold on these seats have ended for good.
pub(crate) async fn released(
    conn: &mut PgConnection,
    told: &SeatsReleased,
    at: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into seat_claims (performance_id, seat_id, hold_id, ended_at)
         select $1, seat_id, $2, $4 from unnest($3::uuid[]) as freed (seat_id) order by seat_id
         on conflict (performance_id, seat_id, hold_id) do update set ended_at = excluded.ended_at",
    )
    .bind(told.performance_id.as_uuid())
    .bind(told.hold_id.as_uuid())
    .bind(uuids(&told.seat_ids))
    .bind(at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets claims that ended before this.
pub(crate) async fn forget_ended(conn: &mut PgConnection, before: DateTime<Utc>) -> DbResult<()> {
    sqlx::query("delete from seat_claims where ended_at < $1")
        .bind(before)
        .execute(conn)
        .await?;
    Ok(())
}

fn uuids(seats: &[SeatId]) -> Vec<uuid::Uuid> {
    seats.iter().map(|seat| seat.as_uuid()).collect()
}
