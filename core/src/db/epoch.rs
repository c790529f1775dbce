//! Which database a process works on (`ADMISSION` 5.3).

use eventify_protocol::sync::Epoch;
use sqlx::PgConnection;

use super::DbResult;

/// Which database this is: its system identifier, and the timeline that it writes. The control
/// file's timeline (`pg_control_checkpoint`) follows only with the first checkpoint after a
/// promotion; the name of the WAL file follows at once.
///
/// Two databases' promises to a node are never mixed: every message that rests on rows names it.
///
/// # Errors
/// As any statement.
pub async fn epoch(conn: &mut PgConnection) -> DbResult<Epoch> {
    let (system, timeline): (i64, i32) = sqlx::query_as(
        "select (select system_identifier from pg_control_system()),
             ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int",
    )
    .fetch_one(conn)
    .await?;
    Ok(Epoch {
        system: system.cast_unsigned(),
        timeline: timeline.cast_unsigned(),
    })
}
