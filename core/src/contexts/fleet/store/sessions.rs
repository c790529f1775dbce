//! The starts of nodes, as far as they matter: the last few of each.

use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{NodeId, SessionId};
use eventify_protocol::time::CoreTime;
use eventify_sync::core::sessions::Session;

/// Sessions of a node that are kept: a copy that was told to stop does not come back for longer.
const KEPT: i64 = 32;

#[derive(sqlx::FromRow)]
struct Row {
    session_id: SessionId,
    first_heard: i64,
    is_duplicate: bool,
}

/// Eldest first. The caller has locked the node's row.
pub(crate) async fn list(conn: &mut PgConnection, node: NodeId) -> DbResult<Vec<Session>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select session_id, first_heard, is_duplicate from fleet.node_sessions
         where node_id = $1 order by number",
    )
    .bind(node)
    .fetch_all(conn)
    .await?;
    let sessions = rows.into_iter().map(|row| Session {
        id: row.session_id,
        first_heard: CoreTime(row.first_heard),
        is_duplicate: row.is_duplicate,
    });
    Ok(sessions.collect())
}

/// A session is heard for the first time, now by the database's clock.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    node: NodeId,
    session: SessionId,
) -> DbResult<()> {
    sqlx::query(
        "insert into fleet.node_sessions (node_id, session_id, first_heard)
         values ($1, $2, (extract(epoch from clock_timestamp()) * 1000000)::bigint)",
    )
    .bind(node)
    .bind(session)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "delete from fleet.node_sessions where node_id = $1 and number <=
             (select number from fleet.node_sessions where node_id = $1
              order by number desc offset $2 limit 1)",
    )
    .bind(node)
    .bind(KEPT)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a copy of the node was told to stop.
pub(crate) async fn has_duplicate(conn: &mut PgConnection, node: NodeId) -> DbResult<bool> {
    let exists = sqlx::query_scalar(
        "select exists (select from fleet.node_sessions where node_id = $1 and is_duplicate)",
    )
    .bind(node)
    .fetch_one(conn)
    .await?;
    Ok(exists)
}

pub(crate) async fn mark_duplicates(
    conn: &mut PgConnection,
    node: NodeId,
    sessions: &[SessionId],
) -> DbResult<()> {
    sqlx::query(
        "update fleet.node_sessions set is_duplicate = true
         where node_id = $1 and session_id = any($2)",
    )
    .bind(node)
    .bind(sessions)
    .execute(conn)
    .await?;
    Ok(())
}
