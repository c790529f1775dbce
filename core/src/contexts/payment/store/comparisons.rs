//! Comparisons with the provider.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection, insert_rows};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

/// A comparison, as the API shows it.
#[derive(Clone, Debug, FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Comparison {
    pub(crate) comparison_id: Uuid,
    /// What the provider has made from then …
    pub(crate) since: DateTime<Utc>,
    /// … until then is read.
    pub(crate) until: DateTime<Utc>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) parts_left: i32,
    pub(crate) seen: i64,
    pub(crate) booked: i64,
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct NewRow {
    comparison_id: Uuid,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    started_at: DateTime<Utc>,
    parts_left: i32,
    seen: i64,
    booked: i64,
}

pub(crate) async fn insert(conn: &mut PgConnection, comparison: &Comparison) -> DbResult<()> {
    let row = NewRow {
        comparison_id: comparison.comparison_id,
        since: comparison.since,
        until: comparison.until,
        started_at: comparison.started_at,
        parts_left: comparison.parts_left,
        seen: 0,
        booked: 0,
    };
    insert_rows(conn, "insert into payment.comparisons", &[row], "").await?;
    Ok(())
}

pub(crate) async fn find(conn: &mut PgConnection, id: Uuid) -> DbResult<Option<Comparison>> {
    let row = sqlx::query_as(
        "select comparison_id, since, until, started_at, parts_left, seen, booked, finished_at
         from payment.comparisons where comparison_id = $1",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// The one that began last.
pub(crate) async fn latest(conn: &mut PgConnection) -> DbResult<Option<Comparison>> {
    let row = sqlx::query_as(
        "select comparison_id, since, until, started_at, parts_left, seen, booked, finished_at
         from payment.comparisons order by started_at desc limit 1",
    )
    .fetch_optional(conn)
    .await?;
    Ok(row)
}

/// Until when the last one that came to its end has read.
pub(crate) async fn read_until(conn: &mut PgConnection) -> DbResult<Option<DateTime<Utc>>> {
    let until = sqlx::query_scalar(
        "select max(until) from payment.comparisons where finished_at is not null",
    )
    .fetch_one(conn)
    .await?;
    Ok(until)
}

/// When the oldest payment was made.
pub(crate) async fn oldest_payment(conn: &mut PgConnection) -> DbResult<Option<DateTime<Utc>>> {
    let oldest = sqlx::query_scalar("select min(created_at) from payment.payments")
        .fetch_one(conn)
        .await?;
    Ok(oldest)
}

/// Counts what was read; `ended` when a part is read to its end.
pub(crate) async fn count(
    conn: &mut PgConnection,
    id: Uuid,
    (seen, booked): (i64, i64),
    ended: Option<DateTime<Utc>>,
) -> DbResult<()> {
    sqlx::query(
        "update payment.comparisons set seen = seen + $2, booked = booked + $3,
             parts_left = parts_left - (case when $4::timestamptz is null then 0 else 1 end),
             finished_at = case when $4 is not null and parts_left <= 1 then $4 end
         where comparison_id = $1",
    )
    .bind(id)
    .bind(seen)
    .bind(booked)
    .bind(ended)
    .execute(conn)
    .await?;
    Ok(())
}
