//! The tables of users and issuers.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection};
use sqlx::FromRow;
use uuid::Uuid;

use super::model::{Issuer, Issuers, User};

/// A user of any of these issuers, of the first one that has it.
pub(super) async fn find(
    conn: &mut PgConnection,
    issuers: &[&str],
    sub: &str,
) -> DbResult<Option<Uuid>> {
    let user_id = sqlx::query_scalar(
        "select user_id from identity.users where iss = any($1) and sub = $2
         order by array_position($1, iss) limit 1",
    )
    .bind(issuers)
    .bind(sub)
    .fetch_optional(conn)
    .await?;
    Ok(user_id)
}

pub(super) async fn first_seen_at(
    conn: &mut PgConnection,
    user_id: Uuid,
) -> DbResult<Option<DateTime<Utc>>> {
    let at = sqlx::query_scalar("select first_seen_at from identity.users where user_id = $1")
        .bind(user_id)
        .fetch_optional(conn)
        .await?;
    Ok(at)
}

/// Two first requests at the same time: one row is inserted, both return its id.
pub(super) async fn insert(
    conn: &mut PgConnection,
    user: &User,
    iss: &str,
    sub: &str,
) -> DbResult<Uuid> {
    sqlx::query(
        "insert into identity.users (user_id, iss, sub, first_seen_at) values ($1, $2, $3, $4)
         on conflict (iss, sub) do nothing",
    )
    .bind(user.user_id)
    .bind(iss)
    .bind(sub)
    .bind(user.first_seen_at)
    .execute(&mut *conn)
    .await?;
    let user_id =
        sqlx::query_scalar("select user_id from identity.users where iss = $1 and sub = $2")
            .bind(iss)
            .bind(sub)
            .fetch_one(conn)
            .await?;
    Ok(user_id)
}

#[derive(Debug, FromRow)]
struct IssuerRow {
    iss: String,
    issuer_id: Uuid,
    is_first: bool,
    succeeds: Option<String>,
    known_since: DateTime<Utc>,
    vanished_at: Option<DateTime<Utc>>,
}

impl From<IssuerRow> for Issuer {
    fn from(row: IssuerRow) -> Self {
        Self {
            iss: row.iss,
            issuer_id: row.issuer_id,
            is_first: row.is_first,
            succeeds: row.succeeds,
            known_since: row.known_since,
            vanished_at: row.vanished_at,
        }
    }
}

/// All issuers. Nobody writes one until the transaction ends.
pub(super) async fn lock_issuers(conn: &mut PgConnection) -> DbResult<Issuers> {
    sqlx::query("lock table identity.issuers in share row exclusive mode")
        .execute(&mut *conn)
        .await?;
    let rows: Vec<IssuerRow> = sqlx::query_as(
        "select iss, issuer_id, is_first, succeeds, known_since, vanished_at from identity.issuers",
    )
    .fetch_all(conn)
    .await?;
    Ok(Issuers::new(rows.into_iter().map(Issuer::from).collect()))
}

pub(super) async fn save_issuer(conn: &mut PgConnection, issuer: &Issuer) -> DbResult<()> {
    sqlx::query(
        "insert into identity.issuers (iss, issuer_id, is_first, succeeds, known_since, vanished_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (iss) do update
         set succeeds = excluded.succeeds, vanished_at = excluded.vanished_at",
    )
    .bind(&issuer.iss)
    .bind(issuer.issuer_id)
    .bind(issuer.is_first)
    .bind(&issuer.succeeds)
    .bind(issuer.known_since)
    .bind(issuer.vanished_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether anybody of these issuers was ever here.
pub(super) async fn has_users(conn: &mut PgConnection, issuers: &[&str]) -> DbResult<bool> {
    let any = sqlx::query_scalar("select exists (select from identity.users where iss = any($1))")
        .bind(issuers)
        .fetch_one(conn)
        .await?;
    Ok(any)
}
