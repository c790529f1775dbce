//! What event management has told about performances.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{EventId, OrderId, PerformanceId};
use sqlx::Row;
use uuid::Uuid;

use crate::contexts::order::model::Performance;
use eventify_contracts::order::RefundReason;
use eventify_kernel::db::{DbResult, PgConnection};

/// Takes the newest statement; an older one that comes later changes nothing.
pub(crate) async fn schedule(
    conn: &mut PgConnection,
    performance: &Performance,
    event: EventId,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "insert into performances (performance_id, event_id, owner_id, org_id, start_time, version)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (performance_id) do update set owner_id = excluded.owner_id,
             org_id = excluded.org_id, start_time = excluded.start_time,
             version = excluded.version
         where performances.version < excluded.version",
    )
    .bind(performance.performance_id.as_uuid())
    .bind(event.as_uuid())
    .bind(performance.owner_id.as_uuid())
    .bind(&performance.org_id)
    .bind(performance.start_time)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn cancel_performance(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<()> {
    sqlx::query(
        "insert into cancelled_performances (performance_id) values ($1) on conflict do nothing",
    )
    .bind(performance.as_uuid())
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn performances(
    conn: &mut PgConnection,
    ids: &[PerformanceId],
) -> DbResult<Vec<Performance>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query(
        "select performance_id, owner_id, org_id, start_time,
             exists (select from cancelled_performances
                 where performance_id = performances.performance_id) as cancelled
         from performances where performance_id = any($1)",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Performance {
                performance_id: row.try_get::<Uuid, _>("performance_id")?.into(),
                owner_id: row.try_get::<Uuid, _>("owner_id")?.into(),
                org_id: row.try_get("org_id")?,
                start_time: row.try_get::<DateTime<Utc>, _>("start_time")?,
                cancelled: row.try_get("cancelled")?,
            })
        })
        .collect()
}

/// Paid orders with tickets for cancelled performances that nobody refunds yet, and whose refund was
/// not refused since a time.
pub(crate) async fn refundable_orders(
    conn: &mut PgConnection,
    refused_since: DateTime<Utc>,
    limit: u16,
) -> DbResult<Vec<OrderId>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "select distinct order_id from order_tickets
         join cancelled_performances using (performance_id) join orders using (order_id)
         where refund_id is null and status in ('paid', 'partially_refunded') and not exists (
             select from order_refunds as refused where refused.order_id = orders.order_id
                 and refused.status = 'failed' and refused.reason = $3
                 and refused.updated_at > $2)
         limit $1",
    )
    .bind(i64::from(limit))
    .bind(refused_since)
    .bind(RefundReason::EventCancelled.name())
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(OrderId).collect())
}
