//! Performances that wait to be laid out.

use chrono::{DateTime, Utc};
use eventify_contracts::event_management::PerformanceScheduled;
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::{CorrelationId, PerformanceId};
use uuid::Uuid;

/// Organisers of one round: bounds what is in memory.
const MAX_TURNS: i64 = 100;

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Waiting {
    pub(crate) performance_id: PerformanceId,
    pub(crate) correlation_id: Uuid,
    #[sqlx(json)]
    pub(crate) scheduled: PerformanceScheduled,
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    scheduled: &PerformanceScheduled,
    correlation: CorrelationId,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let facts = serde_json::to_value(scheduled).map_err(DbError::impossible_row)?;
    sqlx::query(
        "insert into inventory.layouts (performance_id, owner_id, scheduled, correlation_id, created_at)
         values ($1, $2, $3, $4, $5) on conflict do nothing",
    )
    .bind(scheduled.performance_id)
    .bind(scheduled.facts.owner_id)
    .bind(facts)
    .bind(correlation.as_uuid())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// The oldest of each organiser; who has waited longest is first.
pub(crate) async fn list_oldest_of_each(conn: &mut PgConnection) -> DbResult<Vec<Waiting>> {
    let waiting = sqlx::query_as(
        "select performance_id, correlation_id, scheduled
         from (select distinct on (owner_id) * from inventory.layouts
             order by owner_id, created_at, performance_id) as oldest
         order by created_at, performance_id limit $1",
    )
    .bind(MAX_TURNS)
    .fetch_all(conn)
    .await?;
    Ok(waiting)
}

pub(crate) async fn delete(conn: &mut PgConnection, performance: PerformanceId) -> DbResult<()> {
    sqlx::query("delete from inventory.layouts where performance_id = $1")
        .bind(performance)
        .execute(conn)
        .await?;
    Ok(())
}
