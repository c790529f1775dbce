//! Rows of the tasks table. [`crate::tasks`] says what they are for.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::DbResult;
use crate::cause::Cause;

/// A claimed row.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Claimed {
    pub(crate) key: Uuid,
    pub(crate) payload: Value,
    /// Attempts begun, this one included.
    pub(crate) attempts: i32,
    pub(crate) failures: i32,
    pub(crate) revision: i32,
    pub(crate) correlation_id: Uuid,
}

/// A row as an operator sees it: without the payload, which can be personal.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    pub kind: String,
    pub key: Uuid,
    /// Failed attempts.
    pub failures: i32,
    pub last_error: Option<String>,
    pub due_at: DateTime<Utc>,
    /// Set when the work can't be done as it stands.
    pub parked_at: Option<DateTime<Utc>>,
    pub correlation_id: Uuid,
    pub created_at: DateTime<Utc>,
}

/// Writes a task, or requests it anew: due then, with fresh attempts.
pub(super) async fn request(
    conn: &mut PgConnection,
    (kind, key): (&str, Uuid),
    payload: &Value,
    (now, due_at): (DateTime<Utc>, DateTime<Utc>),
    cause: &Cause,
) -> DbResult<()> {
    sqlx::query(
        "insert into tasks as known (kind, key, payload, due_at, correlation_id, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (kind, key) do update set payload = excluded.payload,
             due_at = excluded.due_at, attempts = 0, failures = 0, last_error = null,
             parked_at = null,
             revision = known.revision + 1",
    )
    .bind(kind)
    .bind(key)
    .bind(payload)
    .bind(due_at)
    .bind(cause.correlation.as_uuid())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a task whose work is not wanted any more.
pub(super) async fn withdraw(conn: &mut PgConnection, kind: &str, key: Uuid) -> DbResult<()> {
    sqlx::query("delete from tasks where kind = $1 and key = $2")
        .bind(kind)
        .bind(key)
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes the tasks that have been due longest; they are due again at the end of the lease.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    kind: &str,
    (now, leased_until): (DateTime<Utc>, DateTime<Utc>),
    limit: u16,
) -> DbResult<Vec<Claimed>> {
    let rows = sqlx::query_as(
        "update tasks set due_at = $3, attempts = attempts + 1, revision = revision + 1
         where kind = $1 and key in (
             select key from tasks
             where kind = $1 and due_at <= $2 and parked_at is null
             order by due_at limit $4 for update skip locked)
         returning key, payload, attempts, failures, revision, correlation_id",
    )
    .bind(kind)
    .bind(now)
    .bind(leased_until)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// The claimed work is done. A task that was requested anew meanwhile stays.
pub(crate) async fn finish(conn: &mut PgConnection, kind: &str, claimed: &Claimed) -> DbResult<()> {
    sqlx::query("delete from tasks where kind = $1 and key = $2 and revision = $3")
        .bind(kind)
        .bind(claimed.key)
        .bind(claimed.revision)
        .execute(conn)
        .await?;
    Ok(())
}

/// The claimed work goes on then; `failure` counts as a failed attempt.
pub(crate) async fn postpone(
    conn: &mut PgConnection,
    kind: &str,
    claimed: &Claimed,
    due_at: DateTime<Utc>,
    failure: Option<&str>,
) -> DbResult<()> {
    sqlx::query(
        "update tasks set due_at = $4, last_error = coalesce($5, last_error),
             failures = failures + (case when $5::text is null then 0 else 1 end)
         where kind = $1 and key = $2 and revision = $3",
    )
    .bind(kind)
    .bind(claimed.key)
    .bind(claimed.revision)
    .bind(due_at)
    .bind(failure)
    .execute(conn)
    .await?;
    Ok(())
}

/// The claimed work can't be done: it waits for an operator.
pub(crate) async fn park(
    conn: &mut PgConnection,
    kind: &str,
    claimed: &Claimed,
    now: DateTime<Utc>,
    reason: &str,
) -> DbResult<()> {
    sqlx::query(
        "update tasks set parked_at = $4, failures = failures + 1, last_error = $5
         where kind = $1 and key = $2 and revision = $3",
    )
    .bind(kind)
    .bind(claimed.key)
    .bind(claimed.revision)
    .bind(now)
    .bind(reason)
    .execute(conn)
    .await?;
    Ok(())
}

/// Tasks that are parked or have failed at least once, the oldest first.
///
/// # Errors
/// The query failed.
pub async fn list_troubled(conn: &mut PgConnection, limit: u32) -> DbResult<Vec<Listed>> {
    let rows = sqlx::query_as(
        "select kind, key, failures, last_error, due_at, parked_at, correlation_id, created_at
         from tasks where parked_at is not null or last_error is not null
         order by created_at, kind, key limit $1",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// How many tasks are parked.
///
/// # Errors
/// The table can't be read.
pub async fn count_parked(conn: &mut PgConnection) -> DbResult<i64> {
    let count = sqlx::query_scalar("select count(*) from tasks where parked_at is not null")
        .fetch_one(conn)
        .await?;
    Ok(count)
}

/// Tasks that have failed so often and are still tried.
pub(crate) async fn count_failing(conn: &mut PgConnection, failures: i32) -> DbResult<i64> {
    let count =
        sqlx::query_scalar("select count(*) from tasks where parked_at is null and failures >= $1")
            .bind(failures)
            .fetch_one(conn)
            .await?;
    Ok(count)
}

/// Makes a task due now, parked or not; false if there is none. That it was attempted before stays
/// known.
///
/// # Errors
/// The update failed.
pub async fn retry(
    conn: &mut PgConnection,
    (kind, key): (&str, Uuid),
    now: DateTime<Utc>,
) -> DbResult<bool> {
    let done = sqlx::query(
        "update tasks set due_at = $3, failures = 0, parked_at = null, revision = revision + 1
         where kind = $1 and key = $2",
    )
    .bind(kind)
    .bind(key)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Drops a parked task; false if there is none. One that isn't parked is still being worked on.
///
/// # Errors
/// The delete failed.
pub async fn drop_parked(conn: &mut PgConnection, kind: &str, key: Uuid) -> DbResult<bool> {
    let done =
        sqlx::query("delete from tasks where kind = $1 and key = $2 and parked_at is not null")
            .bind(kind)
            .bind(key)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() == 1)
}
