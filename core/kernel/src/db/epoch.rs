//! Which database a process works on (`ADMISSION` 5.3).

use eventify_protocol::sync::Epoch;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::DbResult;

/// Which database this is: its system identifier, and the timeline that it writes. The control
/// file's timeline (`pg_control_checkpoint`) follows only with the first checkpoint after a
/// promotion; the name of the WAL file follows at once.
///
/// Two databases' promises to a node are never mixed: every message that rests on rows names it.
///
/// The identifier is that of the connection's server for as long as the connection lives, and reading
/// it opens the control file: so each connection of a pool reads it once ([`remember`]).
pub const COLUMNS: &str = "coalesce(nullif(current_setting('eventify.system', true), '')::bigint,
         (select system_identifier from pg_control_system())) as epoch_system,
     ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int as epoch_timeline";

/// Reads the columns of a row.
///
/// # Errors
/// They are not there.
pub fn read(row: &PgRow) -> DbResult<Epoch> {
    Ok(Epoch {
        system: row.try_get::<i64, _>("epoch_system")?.cast_unsigned(),
        timeline: row.try_get::<i32, _>("epoch_timeline")?.cast_unsigned(),
    })
}

/// Keeps the system identifier in the session of a new connection.
pub(super) async fn remember(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(
        "select set_config('eventify.system', system_identifier::text, false)
         from pg_control_system()",
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The epoch alone.
///
/// # Errors
/// As any statement.
pub async fn epoch(conn: &mut PgConnection) -> DbResult<Epoch> {
    let query = sqlx::AssertSqlSafe(format!("select {COLUMNS}"));
    read(&sqlx::query(query).fetch_one(conn).await?)
}
