//! Applies events to the read model. Each function can be repeated, and called in any order.

use chrono::{DateTime, Utc};
use eventify_contracts::event_management::{EventFacts, PerformanceCancelled, PerformanceFacts};
use eventify_contracts::inventory::{
    BucketLevel, SeatingLaidOut, SeatsReleased, SeatsReserved, VenueFacts,
};
use eventify_kernel::db::{DbError, DbResult, PgConnection, insert_rows};
use eventify_protocol::ids::{EventId, PerformanceId, VenueId};
use serde_json::json;
use sqlx::types::Json;

/// Counts a performance's map up, first thing in the transaction of a change: those of one performance
/// follow each other from here on.
async fn next_map_version(conn: &mut PgConnection, performance: PerformanceId) -> DbResult<i64> {
    let version = sqlx::query_scalar(
        "insert into catalogue.map_versions as known (performance_id, version) values ($1, 1)
         on conflict (performance_id) do update set version = known.version + 1
         returning version",
    )
    .bind(performance)
    .fetch_one(conn)
    .await?;
    Ok(version)
}

/// An event as of a version; an older one changes nothing.
pub(crate) async fn upsert_event(
    conn: &mut PgConnection,
    id: EventId,
    facts: &EventFacts,
    status: &str,
    version: i32,
) -> DbResult<()> {
    let row = json!({
        "event_id": id,
        "title": facts.title,
        "description": facts.description,
        "city": facts.city,
        "tags": facts.tags,
        "status": status,
        "published_at": facts.published_at,
        "version": version,
    });
    insert_rows(
        conn,
        "insert into catalogue.events as known",
        &[row],
        "on conflict (event_id) do update set title = excluded.title,
             description = excluded.description, city = excluded.city, tags = excluded.tags,
             status = excluded.status, published_at = excluded.published_at,
             version = excluded.version
         where known.version < excluded.version",
    )
    .await?;
    Ok(())
}

pub(crate) async fn upsert_performance(
    conn: &mut PgConnection,
    id: PerformanceId,
    facts: &PerformanceFacts,
    version: i32,
) -> DbResult<()> {
    next_map_version(conn, id).await?;
    let row = json!({
        "performance_id": id,
        "event_id": facts.event_id,
        "venue_id": facts.venue_id,
        "venue_name": facts.venue_name,
        "start_time": facts.times.start_time,
        "doors_at": facts.times.doors_at,
        "ends_at": facts.times.ends_at,
        "sales_opens_at": facts.sales_opens_at,
        "sales_closes_at": facts.sales_closes_at,
        "categories": facts.categories,
        "cancelled": false,
        "version": version,
    });
    insert_rows(
        conn,
        "insert into catalogue.performances as known",
        &[row],
        "on conflict (performance_id) do update set venue_name = excluded.venue_name,
             start_time = excluded.start_time, doors_at = excluded.doors_at,
             ends_at = excluded.ends_at, sales_opens_at = excluded.sales_opens_at,
             sales_closes_at = excluded.sales_closes_at, categories = excluded.categories,
             version = greatest(known.version, excluded.version)
         where known.version < excluded.version or known.venue_name is null",
    )
    .await?;
    Ok(())
}

/// Also of a performance that is not known yet: `performance.scheduled` completes the row later.
pub(crate) async fn cancel_performance(
    conn: &mut PgConnection,
    cancelled: &PerformanceCancelled,
    version: i32,
) -> DbResult<()> {
    next_map_version(conn, cancelled.performance_id).await?;
    sqlx::query(
        "insert into catalogue.performances as known
             (performance_id, event_id, venue_id, start_time, categories, cancelled, version)
         values ($1, $2, $3, $4, '[]', true, $5)
         on conflict (performance_id) do update set cancelled = true,
             version = greatest(known.version, excluded.version)",
    )
    .bind(cancelled.performance_id)
    .bind(cancelled.event_id)
    .bind(cancelled.venue_id)
    .bind(cancelled.start_time)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

/// The versions of a performance that its venue has confirmed and declined; older ones change nothing.
pub(crate) async fn upsert_venue_words(
    conn: &mut PgConnection,
    id: PerformanceId,
    (confirmed, declined): (i32, i32),
) -> DbResult<()> {
    next_map_version(conn, id).await?;
    sqlx::query(
        "insert into catalogue.venue_words as known (performance_id, confirmed, declined)
         values ($1, $2, $3)
         on conflict (performance_id) do update set
             confirmed = greatest(known.confirmed, excluded.confirmed),
             declined = greatest(known.declined, excluded.declined)",
    )
    .bind(id)
    .bind(confirmed)
    .bind(declined)
    .execute(conn)
    .await?;
    Ok(())
}

/// A venue as of a version; an older one changes nothing.
pub(crate) async fn upsert_venue(
    conn: &mut PgConnection,
    id: VenueId,
    facts: &VenueFacts,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "insert into catalogue.venues as known (venue_id, name, time_zone, version)
         values ($1, $2, $3, $4)
         on conflict (venue_id) do update set name = excluded.name,
             time_zone = excluded.time_zone, version = excluded.version
         where known.version < excluded.version",
    )
    .bind(id)
    .bind(&facts.name)
    .bind(facts.time_zone.name())
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

/// A part of a performance's seats, and its zones.
pub(crate) async fn insert_seating(
    conn: &mut PgConnection,
    seating: &SeatingLaidOut,
) -> DbResult<()> {
    next_map_version(conn, seating.performance_id).await?;
    sqlx::query(
        "insert into catalogue.seating (performance_id, part, seats) values ($1, $2, $3)
         on conflict do nothing",
    )
    .bind(seating.performance_id)
    .bind(i32::try_from(seating.part).map_err(DbError::impossible_row)?)
    .bind(Json(&seating.seats))
    .execute(&mut *conn)
    .await?;
    let zones = (0..).zip(&seating.zones).map(|(position, zone): (u32, _)| {
        json!({
            "performance_id": seating.performance_id,
            "bucket_id": zone.bucket_id,
            "zone": zone.zone,
            "categories": zone.categories,
            "position": position,
        })
    });
    let zones: Vec<_> = zones.collect();
    insert_rows(
        conn,
        "insert into catalogue.zones",
        &zones,
        "on conflict do nothing",
    )
    .await?;
    for zone in &seating.zones {
        let full = BucketLevel {
            bucket_id: zone.bucket_id,
            remaining: zone.capacity,
            capacity: zone.capacity,
        };
        upsert_level(conn, seating.performance_id, &full, 0).await?;
    }
    Ok(())
}

/// What is left of zones as of a version; an older one changes nothing.
pub(crate) async fn upsert_levels(
    conn: &mut PgConnection,
    performance: PerformanceId,
    levels: &[BucketLevel],
    version: i32,
) -> DbResult<()> {
    next_map_version(conn, performance).await?;
    for level in levels {
        upsert_level(conn, performance, level, version).await?;
    }
    Ok(())
}

async fn upsert_level(
    conn: &mut PgConnection,
    performance: PerformanceId,
    level: &BucketLevel,
    version: i32,
) -> DbResult<()> {
    let int = |units: u32| i32::try_from(units).map_err(DbError::impossible_row);
    sqlx::query(
        "insert into catalogue.zone_levels as known
             (performance_id, bucket_id, remaining, capacity, version)
         values ($1, $2, $3, $4, $5)
         on conflict (performance_id, bucket_id) do update set remaining = excluded.remaining,
             capacity = excluded.capacity, version = excluded.version
         where known.version < excluded.version",
    )
    .bind(performance)
    .bind(level.bucket_id)
    .bind(int(level.remaining)?)
    .bind(int(level.capacity)?)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

/// The seats are taken, unless their release arrived first.
pub(crate) async fn insert_claims(
    conn: &mut PgConnection,
    reserved: &SeatsReserved,
) -> DbResult<()> {
    let version = next_map_version(conn, reserved.performance_id).await?;
    sqlx::query(
        "insert into catalogue.seat_claims (performance_id, seat_id, hold_id, version)
         select $1, seat_id, $2, $4 from unnest($3::uuid[]) as taken (seat_id) order by seat_id
         on conflict do nothing",
    )
    .bind(reserved.performance_id)
    .bind(reserved.hold_id)
    .bind(&reserved.seat_ids)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

/// The claims of a hold on these seats have ended for good.
pub(crate) async fn end_claims(
    conn: &mut PgConnection,
    released: &SeatsReleased,
    at: DateTime<Utc>,
) -> DbResult<()> {
    let version = next_map_version(conn, released.performance_id).await?;
    sqlx::query(
        "insert into catalogue.seat_claims (performance_id, seat_id, hold_id, ended_at, version)
         select $1, seat_id, $2, $4, $5 from unnest($3::uuid[]) as freed (seat_id) order by seat_id
         on conflict (performance_id, seat_id, hold_id) do update set ended_at = excluded.ended_at,
             version = excluded.version",
    )
    .bind(released.performance_id)
    .bind(released.hold_id)
    .bind(&released.seat_ids)
    .bind(at)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete_claims_ended_before(
    conn: &mut PgConnection,
    time: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "with gone as (
             delete from catalogue.seat_claims where ended_at < $1
             returning performance_id, version)
         update catalogue.map_versions as known
         set known_since = greatest(known.known_since, newest.version)
         from (select performance_id, max(version) as version from gone group by performance_id)
             as newest
         where newest.performance_id = known.performance_id",
    )
    .bind(time)
    .execute(conn)
    .await?;
    Ok(())
}
