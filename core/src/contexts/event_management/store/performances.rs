//! Performances.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection, insert_rows};
use eventify_protocol::ids::{EventId, PerformanceId, PricingSchemeId, SeatingPlanId, VenueId};
use serde_json::json;
use sqlx::FromRow;

use crate::contexts::event_management::model::performance::{Performance, Times};

#[derive(FromRow)]
struct PerformanceRow {
    performance_id: PerformanceId,
    start_time: DateTime<Utc>,
    doors_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    sales_opens_at: Option<DateTime<Utc>>,
    sales_closes_at: Option<DateTime<Utc>>,
    venue_id: VenueId,
    seating_plan_id: SeatingPlanId,
    pricing_scheme_id: PricingSchemeId,
    cancelled: bool,
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
             created_at, updated_at, version
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
            plan: row.seating_plan_id,
            pricing: row.pricing_scheme_id,
            cancelled: row.cancelled,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}
