//! Idempotency keys: a committed claim with a lease, then the response (DECISIONS 21).
//!
//! A claim is known by the moment it was made. One that was taken over, because its process stood
//! still for longer than its lease, keeps nothing and frees nothing any more.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::{DbError, DbResult};

/// Which key: a caller's, on a route.
#[derive(Clone, Debug)]
pub struct KeyOf {
    /// Internal user id.
    pub caller: Uuid,
    /// `POST /orders`.
    pub route: String,
    /// What the client sent.
    pub key: String,
}

/// A key that is claimed.
#[derive(Clone, Debug)]
pub struct Claimed {
    of: KeyOf,
    at: DateTime<Utc>,
}

/// A response as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// HTTP status.
    pub status: u16,
    /// Headers that belong to the answer.
    pub headers: Vec<(String, String)>,
    /// Body; none was kept if it held a secret.
    pub body: Option<Vec<u8>>,
}

/// What a claim met.
#[derive(Clone, Debug)]
pub enum Claim {
    /// Run it.
    Ours(Claimed),
    /// It has run.
    Done(Stored),
    /// It is running.
    Running,
    /// The key belongs to a request with another body.
    OtherRequest,
}

/// Claims a key, committed at once. An abandoned claim (its lease is over) is taken over.
///
/// # Errors
/// The query failed.
pub async fn claim(
    conn: &mut PgConnection,
    of: KeyOf,
    request_hash: &[u8],
    now: DateTime<Utc>,
    leased_until: DateTime<Utc>,
) -> DbResult<Claim> {
    let won = sqlx::query(
        "insert into idempotency_keys as held
             (caller, route, key, request_hash, leased_until, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (caller, route, key) do update set leased_until = excluded.leased_until,
             created_at = excluded.created_at
         where held.request_hash = excluded.request_hash
             and held.status is null and held.leased_until <= $6",
    )
    .bind(of.caller)
    .bind(&of.route)
    .bind(&of.key)
    .bind(request_hash)
    .bind(leased_until)
    .bind(now)
    .execute(&mut *conn)
    .await?;
    if won.rows_affected() == 1 {
        return Ok(Claim::Ours(Claimed { of, at: now }));
    }
    type Row = (
        Vec<u8>,
        Option<i16>,
        Option<Json<Vec<(String, String)>>>,
        Option<Vec<u8>>,
    );
    let row: Option<Row> = sqlx::query_as(
        "select request_hash, status, headers, body from idempotency_keys
         where caller = $1 and route = $2 and key = $3",
    )
    .bind(of.caller)
    .bind(&of.route)
    .bind(&of.key)
    .fetch_optional(conn)
    .await?;
    Ok(match row {
        Some((hash, ..)) if hash != request_hash => Claim::OtherRequest,
        Some((_, Some(status), Some(Json(headers)), body)) => Claim::Done(Stored {
            status: u16::try_from(status).map_err(DbError::impossible_row)?,
            headers,
            body,
        }),
        // Also when the first one has just failed and given its claim up: try again.
        Some(_) | None => Claim::Running,
    })
}

/// The request still runs: its claim lasts until then.
///
/// # Errors
/// The update failed.
pub async fn renew(
    conn: &mut PgConnection,
    Claimed { of, at }: &Claimed,
    leased_until: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "update idempotency_keys set leased_until = $5
         where caller = $1 and route = $2 and key = $3 and created_at = $4 and status is null",
    )
    .bind(of.caller)
    .bind(&of.route)
    .bind(&of.key)
    .bind(at)
    .bind(leased_until)
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps the response for replay.
///
/// # Errors
/// The update failed.
pub async fn remember(
    conn: &mut PgConnection,
    Claimed { of, at }: &Claimed,
    response: &Stored,
) -> DbResult<()> {
    sqlx::query(
        "update idempotency_keys set status = $5, headers = $6, body = $7
         where caller = $1 and route = $2 and key = $3 and created_at = $4",
    )
    .bind(of.caller)
    .bind(&of.route)
    .bind(&of.key)
    .bind(at)
    .bind(i16::try_from(response.status).map_err(DbError::impossible_row)?)
    .bind(Json(&response.headers))
    .bind(&response.body)
    .execute(conn)
    .await?;
    Ok(())
}

/// Frees the key: the request failed on our side.
///
/// # Errors
/// The delete failed; the lease will end.
pub async fn give_up(conn: &mut PgConnection, Claimed { of, at }: &Claimed) -> DbResult<()> {
    sqlx::query(
        "delete from idempotency_keys
         where caller = $1 and route = $2 and key = $3 and created_at = $4",
    )
    .bind(of.caller)
    .bind(&of.route)
    .bind(&of.key)
    .bind(at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets keys older than this; `refused_before` those whose request was refused, and so has done nothing.
///
/// # Errors
/// The delete failed.
pub async fn sweep(
    conn: &mut PgConnection,
    older_than: DateTime<Utc>,
    refused_before: DateTime<Utc>,
) -> DbResult<u64> {
    let done = sqlx::query(
        "delete from idempotency_keys
         where created_at < $1 or (status between 400 and 499 and created_at < $2)",
    )
    .bind(older_than)
    .bind(refused_before)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
