//! Raised alarms: one row for each code, node and day, with a count.

use chrono::{DateTime, Utc};
use eventify_kernel::db::alarms::StandingAlarm;
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{NodeId, VenueId};
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::contexts::fleet::model::alarm::Alarm;

/// An alarm as the API lists it.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RaisedAlarm {
    alarm_id: Uuid,
    code: String,
    venue_id: Option<VenueId>,
    node_id: Option<NodeId>,
    first_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    occurrences: i64,
    #[sqlx(json)]
    details: Value,
}

/// An alarm of any context, as the API lists it.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum ListedAlarm {
    Standing(StandingView),
    Raised(RaisedAlarm),
}

/// One that stands until what it is about is over.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StandingView {
    code: String,
    subject: String,
    /// What to do.
    act: String,
    first_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    occurrences: i64,
    details: Value,
}

impl From<StandingAlarm> for StandingView {
    fn from(alarm: StandingAlarm) -> Self {
        Self {
            code: alarm.kind,
            subject: alarm.subject,
            act: alarm.act,
            first_at: alarm.raised_at,
            last_at: alarm.last_at,
            occurrences: alarm.occurrences,
            details: alarm.details,
        }
    }
}

/// Inserts an alarm, or counts it if it was raised before today.
pub(crate) async fn insert_or_count(
    conn: &mut PgConnection,
    id: Uuid,
    alarm: &Alarm,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into fleet.alarms as stored (alarm_id, code, venue_id, node_id, raised_on, first_at,
             last_at, occurrences, details)
         values ($1, $2, $3, $4, $5, $6, $6, 1, $7)
         on conflict (code, node_id, venue_id, raised_on) do update
         set last_at = excluded.last_at, occurrences = stored.occurrences + 1,
             details = excluded.details",
    )
    .bind(id)
    .bind(alarm.code.as_ref())
    .bind(alarm.venue)
    .bind(alarm.node)
    .bind(now.date_naive())
    .bind(now)
    .bind(Json(&alarm.details))
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest first: those of these venues, or all, including those of no venue.
pub(crate) async fn list(
    conn: &mut PgConnection,
    venues: Option<&[VenueId]>,
    (offset, limit): (i64, i64),
) -> DbResult<(Vec<RaisedAlarm>, i64)> {
    let rows = sqlx::query_as(
        "select alarm_id, code, venue_id, node_id, first_at, last_at, occurrences, details
         from fleet.alarms where $1::uuid[] is null or venue_id = any($1)
         order by last_at desc, alarm_id offset $2 limit $3",
    )
    .bind(venues)
    .bind(offset)
    .bind(limit)
    .fetch_all(&mut *conn)
    .await?;
    let total = sqlx::query_scalar(
        "select count(*) from fleet.alarms where $1::uuid[] is null or venue_id = any($1)",
    )
    .bind(venues)
    .fetch_one(conn)
    .await?;
    Ok((rows, total))
}
