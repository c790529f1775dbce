//! Key sets that were in force.

use chrono::{DateTime, Utc};
use eventify_protocol::keys::SignedKeySet;

use eventify_kernel::db::{DbError, DbResult, PgConnection};

/// One process at a time puts a set in force.
pub(crate) async fn lock_key_sets(conn: &mut PgConnection) -> DbResult<()> {
    sqlx::query("lock table key_sets in share row exclusive mode")
        .execute(conn)
        .await?;
    Ok(())
}

/// The set in force.
pub(crate) async fn newest_key_set(conn: &mut PgConnection) -> DbResult<Option<SignedKeySet>> {
    let signed: Option<Vec<u8>> =
        sqlx::query_scalar("select signed from key_sets order by version desc limit 1")
            .fetch_optional(conn)
            .await?;
    Ok(signed.map(SignedKeySet::from_bytes))
}

/// Adds a set.
pub(crate) async fn add_key_set(
    conn: &mut PgConnection,
    version: u64,
    signed: &SignedKeySet,
    now: DateTime<Utc>,
) -> DbResult<()> {
    sqlx::query("insert into key_sets (version, signed, published_at) values ($1, $2, $3)")
        .bind(i64::try_from(version).map_err(DbError::impossible_row)?)
        .bind(signed.as_bytes())
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}
