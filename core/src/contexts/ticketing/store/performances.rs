//! Performances, as event_management publishes them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_contracts::event_management::PerformanceScheduled;
use eventify_kernel::db::{DbResult, PgConnection, insert_rows};
use eventify_protocol::ids::{EventId, PerformanceId, UserId, VenueId};
use serde::Serialize;
use sqlx::FromRow;

use crate::contexts::ticketing::model::Performance;

#[derive(FromRow, Serialize)]
struct Row {
    performance_id: PerformanceId,
    event_id: EventId,
    event_title: String,
    owner_id: UserId,
    org_id: Option<String>,
    venue_id: VenueId,
    doors_at: DateTime<Utc>,
    start_time: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    version: i32,
}

impl From<Row> for Performance {
    fn from(row: Row) -> Self {
        Self {
            id: row.performance_id,
            event_id: row.event_id,
            event_title: row.event_title,
            owner_id: row.owner_id,
            org_id: row.org_id,
            venue_id: row.venue_id,
            doors_at: row.doors_at,
            start_time: row.start_time,
            ends_at: row.ends_at,
        }
    }
}

/// An older version than the stored one changes nothing.
pub(crate) async fn upsert_performance(
    conn: &mut PgConnection,
    event: PerformanceScheduled,
    version: i32,
) -> DbResult<()> {
    let row = Row {
        performance_id: event.performance_id,
        event_id: event.event_id,
        event_title: event.event_title,
        owner_id: event.owner_id.into(),
        org_id: event.org_id,
        venue_id: event.venue_id,
        doors_at: event.doors_at,
        start_time: event.start_time,
        ends_at: event.ends_at,
        version,
    };
    insert_rows(
        conn,
        "insert into ticketing.performances as stored",
        &[row],
        "on conflict (performance_id) do update set event_title = excluded.event_title,
             owner_id = excluded.owner_id, org_id = excluded.org_id, venue_id = excluded.venue_id,
             doors_at = excluded.doors_at, start_time = excluded.start_time,
             ends_at = excluded.ends_at, version = excluded.version
         where stored.version < excluded.version",
    )
    .await?;
    Ok(())
}

pub(crate) async fn list_performances(
    conn: &mut PgConnection,
    ids: &[PerformanceId],
) -> DbResult<BTreeMap<PerformanceId, Performance>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select performance_id, event_id, event_title, owner_id, org_id, venue_id, doors_at,
             start_time, ends_at, version
         from ticketing.performances where performance_id = any($1)",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.performance_id, row.into()))
        .collect())
}

/// Owner and organisation of an event that has a performance.
pub(crate) async fn find_organiser(
    conn: &mut PgConnection,
    event: EventId,
) -> DbResult<Option<(UserId, Option<String>)>> {
    let organiser = sqlx::query_as(
        "select owner_id, org_id from ticketing.performances where event_id = $1
         order by version desc limit 1",
    )
    .bind(event)
    .fetch_optional(conn)
    .await?;
    Ok(organiser)
}

/// When the last performance ends, or begins, if its end is not planned.
pub(crate) async fn find_end_of_programme(
    conn: &mut PgConnection,
) -> DbResult<Option<DateTime<Utc>>> {
    let last =
        sqlx::query_scalar("select max(coalesce(ends_at, start_time)) from ticketing.performances")
            .fetch_one(conn)
            .await?;
    Ok(last)
}
