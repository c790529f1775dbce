//! What event_management says about performances.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{EventId, PerformanceId, UserId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::contexts::ticketing::model::Performance;
use eventify_kernel::db::{DbResult, PgConnection};

#[derive(FromRow)]
struct Row {
    performance_id: Uuid,
    event_id: Uuid,
    event_title: String,
    owner_id: Uuid,
    org_id: Option<String>,
    venue_id: Uuid,
    doors_at: DateTime<Utc>,
    start_time: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
}

impl From<Row> for Performance {
    fn from(row: Row) -> Self {
        Self {
            id: row.performance_id.into(),
            event_id: row.event_id.into(),
            event_title: row.event_title,
            owner_id: row.owner_id.into(),
            org_id: row.org_id,
            venue_id: row.venue_id.into(),
            doors_at: row.doors_at,
            start_time: row.start_time,
            ends_at: row.ends_at,
        }
    }
}

/// Notes a performance; an older version says nothing.
pub(crate) async fn schedule(
    conn: &mut PgConnection,
    performance: &Performance,
    version: i32,
) -> DbResult<()> {
    sqlx::query(
        "insert into performances as held (performance_id, event_id, event_title, owner_id, org_id,
             venue_id, doors_at, start_time, ends_at, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (performance_id) do update set event_title = excluded.event_title,
             owner_id = excluded.owner_id, org_id = excluded.org_id, venue_id = excluded.venue_id,
             doors_at = excluded.doors_at, start_time = excluded.start_time,
             ends_at = excluded.ends_at, version = excluded.version
         where held.version < excluded.version",
    )
    .bind(performance.id.as_uuid())
    .bind(performance.event_id.as_uuid())
    .bind(&performance.event_title)
    .bind(performance.owner_id.as_uuid())
    .bind(&performance.org_id)
    .bind(performance.venue_id.as_uuid())
    .bind(performance.doors_at)
    .bind(performance.start_time)
    .bind(performance.ends_at)
    .bind(version)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn performances(
    conn: &mut PgConnection,
    ids: &[PerformanceId],
) -> DbResult<BTreeMap<PerformanceId, Performance>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select performance_id, event_id, event_title, owner_id, org_id, venue_id, doors_at,
             start_time, ends_at
         from performances where performance_id = any($1)",
    )
    .bind(ids.iter().map(|id| id.as_uuid()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(Performance::from)
        .map(|performance| (performance.id, performance))
        .collect())
}

/// Owner and organisation of an event that has a performance.
pub(crate) async fn organiser_of_event(
    conn: &mut PgConnection,
    event: EventId,
) -> DbResult<Option<(UserId, Option<String>)>> {
    let row: Option<(Uuid, Option<String>)> = sqlx::query_as(
        "select owner_id, org_id from performances where event_id = $1
         order by version desc limit 1",
    )
    .bind(event.as_uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(owner, org)| (owner.into(), org)))
}
