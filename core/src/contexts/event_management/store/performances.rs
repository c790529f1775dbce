//! Performances.

use eventify_protocol::ids::{EventId, PerformanceId, PricingSchemeId, SeatingPlanId, VenueId};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::contexts::event_management::model::performance::{Performance, Times};
use eventify_kernel::db::{DbResult, PgConnection};

pub(crate) async fn add(
    conn: &mut PgConnection,
    event: EventId,
    performance: &Performance,
) -> DbResult<()> {
    let times = &performance.times;
    sqlx::query(
        "insert into performances (performance_id, event_id, start_time, doors_at, ends_at,
             sales_opens_at, sales_closes_at, venue_id, seating_plan_id, pricing_scheme_id, status,
             created_at, updated_at, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'scheduled', $11, $11, $12)",
    )
    .bind(performance.id.as_uuid())
    .bind(event.as_uuid())
    .bind(times.start)
    .bind(times.doors)
    .bind(times.end)
    .bind(times.sales_open)
    .bind(times.sales_close)
    .bind(performance.venue.as_uuid())
    .bind(performance.plan.as_uuid())
    .bind(performance.pricing.as_uuid())
    .bind(performance.created_at)
    .bind(performance.version)
    .execute(conn)
    .await?;
    Ok(())
}

/// An event's performances, by their beginning. Changed under the event's lock only.
pub(crate) async fn of_event(
    conn: &mut PgConnection,
    event: EventId,
) -> DbResult<Vec<Performance>> {
    let rows = sqlx::query(
        "select performance_id, start_time, doors_at, ends_at, sales_opens_at, sales_closes_at,
             venue_id, seating_plan_id, pricing_scheme_id, status = 'cancelled' as cancelled,
             created_at, updated_at, version
         from performances where event_id = $1 order by start_time, performance_id",
    )
    .bind(event.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.iter().map(performance).collect()
}

pub(crate) async fn cancel(conn: &mut PgConnection, performance: &Performance) -> DbResult<()> {
    sqlx::query(
        "update performances set status = 'cancelled', updated_at = $2, version = $3
         where performance_id = $1",
    )
    .bind(performance.id.as_uuid())
    .bind(performance.updated_at)
    .bind(performance.version)
    .execute(conn)
    .await?;
    Ok(())
}

fn performance(row: &PgRow) -> DbResult<Performance> {
    Ok(Performance {
        id: PerformanceId(row.try_get("performance_id")?),
        times: Times {
            start: row.try_get("start_time")?,
            doors: row.try_get("doors_at")?,
            end: row.try_get("ends_at")?,
            sales_open: row.try_get("sales_opens_at")?,
            sales_close: row.try_get("sales_closes_at")?,
        },
        venue: VenueId(row.try_get("venue_id")?),
        plan: SeatingPlanId(row.try_get("seating_plan_id")?),
        pricing: PricingSchemeId(row.try_get("pricing_scheme_id")?),
        cancelled: row.try_get("cancelled")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        version: row.try_get("version")?,
    })
}
