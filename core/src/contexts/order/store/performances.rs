//! Performances, as event_management published them.

use chrono::{DateTime, Utc};
use eventify_contracts::order::RefundReason;
use eventify_kernel::db::{DbResult, PgConnection, insert_rows};
use eventify_protocol::ids::{EventId, OrderId, PerformanceId, UserId};
use serde::Serialize;
use sqlx::FromRow;

use crate::contexts::order::model::Performance;

/// A performance as it was scheduled or moved.
#[derive(Debug, Serialize)]
pub(crate) struct PerformanceRow {
    pub(crate) performance_id: PerformanceId,
    pub(crate) event_id: EventId,
    pub(crate) owner_id: UserId,
    pub(crate) org_id: Option<String>,
    pub(crate) start_time: DateTime<Utc>,
    pub(crate) doors_at: DateTime<Utc>,
    pub(crate) version: i32,
}

#[derive(Debug, FromRow)]
struct ScheduledRow {
    performance_id: PerformanceId,
    owner_id: UserId,
    org_id: Option<String>,
    begins: DateTime<Utc>,
    cancelled: bool,
}

/// Replaces a performance, unless the stored version is as new.
pub(crate) async fn upsert_performance(
    conn: &mut PgConnection,
    performance: &PerformanceRow,
) -> DbResult<()> {
    insert_rows(
        conn,
        r#"insert into "order".performances as stored"#,
        &[performance],
        "on conflict (performance_id) do update set owner_id = excluded.owner_id,
             org_id = excluded.org_id, start_time = excluded.start_time,
             doors_at = excluded.doors_at, version = excluded.version
         where stored.version < excluded.version",
    )
    .await?;
    Ok(())
}

pub(crate) async fn insert_cancelled_performance(
    conn: &mut PgConnection,
    performance: PerformanceId,
) -> DbResult<()> {
    sqlx::query(
        r#"insert into "order".cancelled_performances (performance_id) values ($1)
         on conflict do nothing"#,
    )
    .bind(performance)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn list_performances(
    conn: &mut PgConnection,
    ids: &[PerformanceId],
) -> DbResult<Vec<Performance>> {
    let rows: Vec<ScheduledRow> = sqlx::query_as(
        r#"select performance_id, owner_id, org_id, least(start_time, doors_at) as begins,
             exists (select from "order".cancelled_performances as cancelled
                 where cancelled.performance_id = performances.performance_id) as cancelled
         from "order".performances where performance_id = any($1)"#,
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    let performance = |row: ScheduledRow| Performance {
        performance_id: row.performance_id,
        owner_id: row.owner_id,
        org_id: row.org_id,
        begins: row.begins,
        cancelled: row.cancelled,
    };
    Ok(rows.into_iter().map(performance).collect())
}

/// Paid orders with tickets for cancelled performances that have no refund, and whose last such
/// refund was not refused since a time.
pub(crate) async fn list_refundable_orders(
    conn: &mut PgConnection,
    refused_since: DateTime<Utc>,
    limit: u16,
) -> DbResult<Vec<OrderId>> {
    let ids = sqlx::query_scalar(
        r#"select distinct order_id from "order".order_tickets
         join "order".cancelled_performances using (performance_id)
         join "order".orders using (order_id)
         where refund_id is null and status in ('paid', 'partially_refunded') and not exists (
             select from "order".order_refunds as refused where refused.order_id = orders.order_id
                 and refused.status = 'failed' and refused.reason = $3
                 and refused.updated_at > $2)
         limit $1"#,
    )
    .bind(i64::from(limit))
    .bind(refused_since)
    .bind(RefundReason::EventCancelled.name())
    .fetch_all(conn)
    .await?;
    Ok(ids)
}
