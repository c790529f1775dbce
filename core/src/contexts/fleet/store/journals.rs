//! Journal files and their ends.

use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{IncarnationId, NodeId};
use eventify_protocol::sync::{JournalHead, Position, SealedRow};
use eventify_sync::core::journal::Ends;

use super::signed;

#[derive(sqlx::FromRow)]
struct Row {
    incarnation: IncarnationId,
    #[sqlx(try_from = "i64")]
    seq: u64,
    hash: [u8; 32],
    #[sqlx(try_from = "i64")]
    acked_seq: u64,
    acked_hash: [u8; 32],
    #[sqlx(try_from = "i64")]
    acked_position: u64,
}

impl From<Row> for Ends {
    fn from(row: Row) -> Self {
        let head = |seq, hash| JournalHead {
            incarnation: row.incarnation,
            seq,
            hash: Hash32(hash),
        };
        Self {
            stored: head(row.seq, row.hash),
            acknowledged: head(row.acked_seq, row.acked_hash),
            position: Position(row.acked_position),
        }
    }
}

/// The ends of the file that a node opened last. A caller that writes has locked the node's row.
pub(crate) async fn find_current(conn: &mut PgConnection, node: NodeId) -> DbResult<Option<Ends>> {
    let row: Option<Row> = sqlx::query_as(
        "select incarnation, seq, hash, acked_seq, acked_hash, acked_position from fleet.journals
         where node_id = $1 order by file_number desc limit 1",
    )
    .bind(node)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// Whether a file is known, the current one or one before it.
pub(crate) async fn exists(
    conn: &mut PgConnection,
    node: NodeId,
    incarnation: IncarnationId,
) -> DbResult<bool> {
    let exists = sqlx::query_scalar(
        "select exists (select from fleet.journals where node_id = $1 and incarnation = $2)",
    )
    .bind(node)
    .bind(incarnation)
    .fetch_one(conn)
    .await?;
    Ok(exists)
}

/// The last row that is stored of a file.
pub(crate) async fn stored_end(
    conn: &mut PgConnection,
    node: NodeId,
    incarnation: IncarnationId,
) -> DbResult<Option<u64>> {
    let seq: Option<i64> = sqlx::query_scalar(
        "select seq from fleet.journals where node_id = $1 and incarnation = $2",
    )
    .bind(node)
    .bind(incarnation)
    .fetch_optional(conn)
    .await?;
    seq.map(|seq| u64::try_from(seq).map_err(DbError::impossible_row))
        .transpose()
}

/// A new file, before its first row.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    node: NodeId,
    incarnation: IncarnationId,
    succeeds: Option<JournalHead>,
) -> DbResult<()> {
    sqlx::query(
        "insert into fleet.journals (node_id, incarnation, hash, acked_hash, succeeds_incarnation,
             succeeds_seq, succeeds_hash)
         values ($1, $2, $3, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(node)
    .bind(incarnation)
    .bind(Hash32::ZERO.0)
    .bind(succeeds.map(|head| head.incarnation))
    .bind(succeeds.map(|head| signed(head.seq)).transpose()?)
    .bind(succeeds.map(|head| head.hash.0))
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves a file's stored end to its last row.
pub(crate) async fn update_end(
    conn: &mut PgConnection,
    node: NodeId,
    last: &SealedRow,
) -> DbResult<()> {
    sqlx::query(
        "update fleet.journals set seq = $3, hash = $4 where node_id = $1 and incarnation = $2",
    )
    .bind(node)
    .bind(last.row().incarnation)
    .bind(signed(last.row().seq)?)
    .bind(last.hash().0)
    .execute(conn)
    .await?;
    Ok(())
}
