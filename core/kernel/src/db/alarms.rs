//! Rows of the standing alarms. [`crate::alarms`] says what they are for.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::DbResult;
use crate::alarms::Alarm;

/// An alarm that stands.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct StandingAlarm {
    pub kind: String,
    pub subject: String,
    /// What to do, in words.
    pub act: String,
    #[sqlx(json)]
    pub details: Value,
    pub raised_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
    pub occurrences: i64,
}

/// Inserts or counts an alarm; true when it did not stand before.
pub(crate) async fn raise(
    conn: &mut PgConnection,
    alarm: &Alarm,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let occurrences: i64 = sqlx::query_scalar(
        "insert into standing_alarms as known
             (kind, subject, act, details, raised_at, last_at, occurrences)
         values ($1, $2, $3, $4, $5, $5, 1)
         on conflict (kind, subject) do update set act = excluded.act,
             details = excluded.details, last_at = excluded.last_at,
             raised_at = case when known.cleared_at is null then known.raised_at
                 else excluded.raised_at end,
             occurrences = case when known.cleared_at is null then known.occurrences + 1
                 else 1 end,
             cleared_at = null
         returning occurrences",
    )
    .bind(alarm.kind)
    .bind(&alarm.subject)
    .bind(alarm.act)
    .bind(Json(&alarm.details))
    .bind(now)
    .fetch_one(conn)
    .await?;
    Ok(occurrences == 1)
}

/// True when it stood.
pub(crate) async fn clear(
    conn: &mut PgConnection,
    kind: &str,
    subject: &str,
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let done = sqlx::query(
        "update standing_alarms set cleared_at = $3
         where kind = $1 and subject = $2 and cleared_at is null",
    )
    .bind(kind)
    .bind(subject)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn list_standing(
    conn: &mut PgConnection,
    limit: u16,
) -> DbResult<Vec<StandingAlarm>> {
    let rows = sqlx::query_as(
        "select kind, subject, act, details, raised_at, last_at, occurrences
         from standing_alarms where cleared_at is null
         order by last_at desc, kind, subject limit $1",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(rows)
}
