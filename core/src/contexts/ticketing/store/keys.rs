//! Key sets that were in force.

use chrono::{DateTime, Utc};
use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::keys::SignedKeySet;

use super::signed;

/// One process at a time puts a set in force.
pub(crate) async fn lock_key_sets(conn: &mut PgConnection) -> DbResult<()> {
    sqlx::query("lock table ticketing.key_sets in share row exclusive mode")
        .execute(conn)
        .await?;
    Ok(())
}

/// The set in force.
pub(crate) async fn find_key_set(conn: &mut PgConnection) -> DbResult<Option<SignedKeySet>> {
    let newest: Option<Vec<u8>> =
        sqlx::query_scalar("select signed from ticketing.key_sets order by version desc limit 1")
            .fetch_optional(conn)
            .await?;
    Ok(newest.map(SignedKeySet::from_bytes))
}

pub(crate) async fn insert_key_set(
    conn: &mut PgConnection,
    version: u64,
    set: &SignedKeySet,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query(
        "insert into ticketing.key_sets (version, signed, published_at) values ($1, $2, $3)",
    )
    .bind(signed(version)?)
    .bind(set.as_bytes())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}
