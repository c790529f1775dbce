//! Raised alarms: one row for each code, node and day, with a count.

use chrono::{DateTime, Utc};
use eventify_kernel::db::alarms::StandingAlarm;
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{NodeId, VenueId};
use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::contexts::fleet::model::alarm::{Alarm, act_of};

/// An alarm as the API lists it.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RaisedAlarm {
    alarm_id: Uuid,
    #[serde(flatten)]
    #[sqlx(rename = "code", try_from = "String")]
    code: ListedCode,
    pub(crate) venue_id: Option<VenueId>,
    node_id: Option<NodeId>,
    first_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    pub(crate) occurrences: i64,
    #[sqlx(json)]
    details: Value,
    /// When somebody has looked at it, and who; none after it has occurred again.
    pub(crate) seen_at: Option<DateTime<Utc>>,
    seen_by: Option<Uuid>,
}

/// A code, and what to do about it.
#[derive(Clone, Debug, Serialize)]
struct ListedCode {
    code: String,
    act: &'static str,
}

impl From<String> for ListedCode {
    fn from(code: String) -> Self {
        let act = act_of(&code);
        Self { code, act }
    }
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
             details = excluded.details, seen_at = null, seen_by = null",
    )
    .bind(id)
    .bind(alarm.code.name())
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
        "select alarm_id, code, venue_id, node_id, first_at, last_at, occurrences, details,
             seen_at, seen_by
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

/// Reads an alarm, which nobody else changes meanwhile.
pub(crate) async fn lock(conn: &mut PgConnection, id: Uuid) -> DbResult<Option<RaisedAlarm>> {
    let row = sqlx::query_as(
        "select alarm_id, code, venue_id, node_id, first_at, last_at, occurrences, details,
             seen_at, seen_by
         from fleet.alarms where alarm_id = $1 for update",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Somebody has looked at an alarm. Returns it as it is then.
pub(crate) async fn mark_seen(
    conn: &mut PgConnection,
    id: Uuid,
    now: DateTime<Utc>,
    by: Uuid,
) -> DbResult<RaisedAlarm> {
    let row = sqlx::query_as(
        "update fleet.alarms set seen_at = $2, seen_by = $3 where alarm_id = $1
         returning alarm_id, code, venue_id, node_id, first_at, last_at, occurrences, details,
             seen_at, seen_by",
    )
    .bind(id)
    .bind(now)
    .bind(by)
    .fetch_one(conn)
    .await?;
    Ok(row)
}
