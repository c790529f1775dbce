//! Whether webhooks reach us.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection};
use sqlx::FromRow;

use crate::contexts::payment::model::WebhookWatch;

#[derive(Debug, FromRow)]
struct WatchRow {
    refused_since: Option<DateTime<Utc>>,
    refused_at: Option<DateTime<Utc>>,
    refused: i64,
    cause: Option<String>,
    missed_since: Option<DateTime<Utc>>,
    taken_at: Option<DateTime<Utc>>,
}

/// What is known, how many were refused, and why the last one was. The row is locked.
pub(crate) async fn lock(conn: &mut PgConnection) -> DbResult<(WebhookWatch, i64, Option<String>)> {
    let row: WatchRow = sqlx::query_as(
        "select refused_since, refused_at, refused, cause, missed_since, taken_at
         from payment.webhook_watch for update",
    )
    .fetch_one(conn)
    .await?;
    let watch = WebhookWatch {
        refused: row.refused_since.zip(row.refused_at),
        missed_since: row.missed_since,
        taken_at: row.taken_at,
    };
    Ok((watch, row.refused, row.cause))
}

pub(crate) async fn count_refused(
    conn: &mut PgConnection,
    cause: &str,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "update payment.webhook_watch set refused_since = coalesce(refused_since, $1),
             refused_at = $1, refused = refused + 1, cause = $2",
    )
    .bind(now)
    .bind(cause)
    .execute(conn)
    .await?;
    Ok(())
}

/// A comparison has booked what none had told.
pub(crate) async fn note_missed(conn: &mut PgConnection, now: DateTime<Utc>) -> DbResult<()> {
    sqlx::query("update payment.webhook_watch set missed_since = $1 where missed_since is null")
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// One was taken. Writes nothing unless there is trouble, and waits for nobody who notes the same.
pub(crate) async fn note_taken(conn: &mut PgConnection, now: DateTime<Utc>) -> DbResult<()> {
    sqlx::query(
        "update payment.webhook_watch set taken_at = $1 where only_one in (
             select only_one from payment.webhook_watch
             where refused_since is not null or missed_since is not null
             for update skip locked)",
    )
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// None are refused any more.
pub(crate) async fn end_refused(conn: &mut PgConnection) -> DbResult<()> {
    sqlx::query(
        "update payment.webhook_watch set refused_since = null, refused_at = null, refused = 0,
             cause = null",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// They come again.
pub(crate) async fn end_missed(conn: &mut PgConnection) -> DbResult<()> {
    sqlx::query("update payment.webhook_watch set missed_since = null")
        .execute(conn)
        .await?;
    Ok(())
}
