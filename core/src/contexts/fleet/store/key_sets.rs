//! Signed key sets, as ticketing publishes them.

use eventify_kernel::db::{DbResult, PgConnection};

use super::signed;

/// Held by who inserts a key set until commit: no venue is inserted meanwhile, so none misses it.
pub(crate) async fn lock_exclusive(conn: &mut PgConnection) -> DbResult<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('fleet/key_set', 0))")
        .execute(conn)
        .await?;
    Ok(())
}

/// Held by who inserts a venue until commit: no key set is inserted meanwhile.
pub(crate) async fn lock_shared(conn: &mut PgConnection) -> DbResult<()> {
    sqlx::query("select pg_advisory_xact_lock_shared(hashtextextended('fleet/key_set', 0))")
        .execute(conn)
        .await?;
    Ok(())
}

/// Inserts a key set; true if it is newer than all before it.
pub(crate) async fn insert_if_newest(
    conn: &mut PgConnection,
    version: u64,
    bytes: &[u8],
) -> DbResult<bool> {
    let is_newest = sqlx::query_scalar(
        "with stored as (insert into fleet.key_sets (version, bytes) values ($1, $2)
             on conflict do nothing)
         select not exists (select from fleet.key_sets where version >= $1)",
    )
    .bind(signed(version)?)
    .bind(bytes)
    .fetch_one(conn)
    .await?;
    Ok(is_newest)
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(try_from = "i64")]
    version: u64,
    bytes: Vec<u8>,
}

/// The newest key set, with its version.
pub(crate) async fn find_newest(conn: &mut PgConnection) -> DbResult<Option<(u64, Vec<u8>)>> {
    let row: Option<Row> =
        sqlx::query_as("select version, bytes from fleet.key_sets order by version desc limit 1")
            .fetch_optional(conn)
            .await?;
    Ok(row.map(|row| (row.version, row.bytes)))
}
