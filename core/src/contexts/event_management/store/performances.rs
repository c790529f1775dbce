//! Performances.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection, insert_rows};
use eventify_protocol::ids::{EventId, PerformanceId, PricingSchemeId, SeatingPlanId, VenueId};
use eventify_protocol::zone::TimeZone;
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use crate::contexts::event_management::model::performance::Performance;
use crate::contexts::event_management::model::times::{Margins, Times};

#[derive(FromRow)]
struct PerformanceRow {
    performance_id: PerformanceId,
    start_time: DateTime<Utc>,
    doors_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    sales_opens_at: Option<DateTime<Utc>>,
    sales_closes_at: Option<DateTime<Utc>>,
    venue_id: VenueId,
    time_zone: Option<String>,
    seating_plan_id: SeatingPlanId,
    pricing_scheme_id: PricingSchemeId,
    cancelled: bool,
    awaits_venue: bool,
    confirmed_version: i32,
    declined_version: i32,
    first_admits_until: Option<DateTime<Utc>>,
    reentry: bool,
    restarts_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    event: EventId,
    performance: &Performance,
) -> DbResult<()> {
    let times = &performance.times;
    let row = json!({
        "performance_id": performance.id,
        "event_id": event,
        "start_time": times.start,
        "doors_at": times.doors,
        "ends_at": times.end,
        "sales_opens_at": times.sales_open,
        "sales_closes_at": times.sales_close,
        "venue_id": performance.venue,
        "seating_plan_id": performance.plan,
        "pricing_scheme_id": performance.pricing,
        "status": "scheduled",
        "awaits_venue": performance.awaits_venue,
        "confirmed_version": performance.confirmed_version,
        "declined_version": performance.declined_version,
        "first_admits_until": performance.first_admits_until,
        "reentry": performance.reentry,
        "restarts_at": performance.restarts_at,
        "published_window": true,
        "created_at": performance.created_at,
        "updated_at": performance.updated_at,
        "version": performance.version,
    });
    insert_rows(
        conn,
        "insert into event_management.performances",
        &[row],
        "",
    )
    .await?;
    Ok(())
}

/// An event's performances, by their beginning. Changed under the event's lock only.
pub(crate) async fn list(conn: &mut PgConnection, event: EventId) -> DbResult<Vec<Performance>> {
    let rows: Vec<PerformanceRow> = sqlx::query_as(
        "select performance_id, start_time, doors_at, ends_at, sales_opens_at, sales_closes_at,
             venue_id, seating_plan_id, pricing_scheme_id, status = 'cancelled' as cancelled,
             awaits_venue, confirmed_version, declined_version, first_admits_until, reentry, restarts_at, created_at,
             updated_at, version,
             (select coalesce(venue.time_zone, plan.time_zone)
              from event_management.known_plans as plan
                  left join event_management.known_venues as venue using (venue_id)
              where plan.seating_plan_id = performances.seating_plan_id) as time_zone
         from event_management.performances
         where event_id = $1 order by start_time, performance_id",
    )
    .bind(event)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Performance::from).collect())
}

pub(crate) async fn cancel(conn: &mut PgConnection, performance: &Performance) -> DbResult<()> {
    sqlx::query(
        "update event_management.performances
         set status = 'cancelled', updated_at = $2, version = $3 where performance_id = $1",
    )
    .bind(performance.id)
    .bind(performance.updated_at)
    .bind(performance.version)
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes the times of a performance that has moved, or that is published again.
pub(crate) async fn update_times(
    conn: &mut PgConnection,
    performance: &Performance,
) -> DbResult<()> {
    let times = &performance.times;
    sqlx::query(
        "update event_management.performances
         set start_time = $2, doors_at = $3, ends_at = $4, sales_opens_at = $5,
             sales_closes_at = $6, awaits_venue = $7, first_admits_until = $8,
             published_window = true, updated_at = $9, version = $10, reentry = $11,
             restarts_at = $12
         where performance_id = $1",
    )
    .bind(performance.id)
    .bind(times.start)
    .bind(times.doors)
    .bind(times.end)
    .bind(times.sales_open)
    .bind(times.sales_close)
    .bind(performance.awaits_venue)
    .bind(performance.first_admits_until)
    .bind(performance.updated_at)
    .bind(performance.version)
    .bind(performance.reentry)
    .bind(performance.restarts_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// The venue has confirmed a version.
pub(crate) async fn confirm(
    conn: &mut PgConnection,
    id: PerformanceId,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "update event_management.performances set confirmed_version = $2
         where performance_id = $1 and confirmed_version < $2",
    )
    .bind(id)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

/// The venue has declined a version.
pub(crate) async fn decline(
    conn: &mut PgConnection,
    id: PerformanceId,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "update event_management.performances set declined_version = $2
         where performance_id = $1 and declined_version < $2",
    )
    .bind(id)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

/// A performance that its venue has declined, as it is planned now.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Declined {
    pub(crate) performance_id: PerformanceId,
    pub(crate) event_id: EventId,
    pub(crate) venue_id: VenueId,
    pub(crate) start_time: DateTime<Utc>,
    pub(crate) owner_id: Uuid,
    pub(crate) org_id: Option<String>,
}

/// Those that are not over.
pub(crate) async fn list_declined(
    conn: &mut PgConnection,
    margins: Margins,
    now: DateTime<Utc>,
) -> DbResult<Vec<Declined>> {
    let declined = sqlx::query_as(
        "select performance_id, event_id, venue_id, start_time, owner_id, org_id
         from event_management.performances as show join event_management.events using (event_id)
         where show.status = 'scheduled' and awaits_venue
             and declined_version >= show.version and confirmed_version < show.version
             and coalesce(ends_at, start_time + $2) > $1
         order by performance_id",
    )
    .bind(now)
    .bind(margins.after_start)
    .fetch_all(conn)
    .await?;
    Ok(declined)
}

/// Another performance in the same hall at the same time.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Overlap {
    pub(crate) performance_id: PerformanceId,
    pub(crate) start_time: DateTime<Utc>,
}

/// The first performances in the same venue that take place, from doors to end, while this one does.
pub(crate) async fn list_overlaps(
    conn: &mut PgConnection,
    performance: &Performance,
    margins: Margins,
    limit: i64,
) -> DbResult<Vec<Overlap>> {
    let overlaps = sqlx::query_as(
        "select performance_id, start_time from event_management.performances
         where venue_id = $1 and performance_id <> $2 and status = 'scheduled'
             and doors_at < $4 and coalesce(ends_at, start_time + $5) > $3
         order by start_time, performance_id limit $6",
    )
    .bind(performance.venue)
    .bind(performance.id)
    .bind(performance.times.doors)
    .bind(performance.times.admits_until(margins))
    .bind(margins.after_start)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(overlaps)
}

/// Events with performances that were never published with the times at which they admit.
pub(crate) async fn list_events_without_window(
    conn: &mut PgConnection,
    limit: i64,
) -> DbResult<Vec<EventId>> {
    let events = sqlx::query_scalar(
        "select distinct event_id from event_management.performances
         where not published_window and status = 'scheduled' order by event_id limit $1",
    )
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(events)
}

/// Those of an event.
pub(crate) async fn list_without_window(
    conn: &mut PgConnection,
    event: EventId,
) -> DbResult<Vec<PerformanceId>> {
    let ids = sqlx::query_scalar(
        "select performance_id from event_management.performances
         where event_id = $1 and not published_window and status = 'scheduled'
         order by performance_id",
    )
    .bind(event)
    .fetch_all(conn)
    .await?;
    Ok(ids)
}

impl From<PerformanceRow> for Performance {
    fn from(row: PerformanceRow) -> Self {
        Self {
            id: row.performance_id,
            times: Times {
                start: row.start_time,
                doors: row.doors_at,
                end: row.ends_at,
                sales_open: row.sales_opens_at,
                sales_close: row.sales_closes_at,
            },
            venue: row.venue_id,
            zone: TimeZone::or_utc(row.time_zone.as_deref()),
            plan: row.seating_plan_id,
            pricing: row.pricing_scheme_id,
            cancelled: row.cancelled,
            awaits_venue: row.awaits_venue,
            confirmed_version: row.confirmed_version,
            declined_version: row.declined_version,
            first_admits_until: row.first_admits_until,
            reentry: row.reentry,
            restarts_at: row.restarts_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}
