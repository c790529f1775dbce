//! How far each journal file has been applied, and batches that came too early.

use eventify_protocol::ids::{IncarnationId, NodeId, VenueId};
use uuid::Uuid;

use super::unsigned;
use crate::contexts::ticketing::model::Batch;
use eventify_kernel::db::{DbError, DbResult, PgConnection};

fn signed(seq: u64) -> DbResult<i64> {
    i64::try_from(seq).map_err(DbError::impossible_row)
}

/// Takes the file's row lock; answers the last row that was applied.
pub(crate) async fn lock_journal(
    conn: &mut PgConnection,
    node: NodeId,
    incarnation: IncarnationId,
) -> DbResult<u64> {
    let through: i64 = sqlx::query_scalar(
        "insert into journals as held (node_id, incarnation, applied_through) values ($1, $2, 0)
         on conflict (node_id, incarnation) do update set applied_through = held.applied_through
         returning applied_through",
    )
    .bind(node.as_uuid())
    .bind(incarnation.as_uuid())
    .fetch_one(conn)
    .await?;
    unsigned(through)
}

/// Keeps a batch until those before it were applied.
pub(crate) async fn keep_batch(conn: &mut PgConnection, batch: &Batch) -> DbResult<()> {
    sqlx::query(
        "insert into waiting_batches (node_id, incarnation, from_seq, through_seq, venue_id, rows)
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(batch.node.as_uuid())
    .bind(batch.incarnation.as_uuid())
    .bind(signed(batch.from)?)
    .bind(signed(batch.through)?)
    .bind(batch.venue.as_uuid())
    .bind(&batch.rows)
    .execute(conn)
    .await?;
    Ok(())
}

/// The batch whose turn it is, if it is there.
pub(crate) async fn take_batch(
    conn: &mut PgConnection,
    node: NodeId,
    incarnation: IncarnationId,
    from: u64,
) -> DbResult<Option<Batch>> {
    let row: Option<(i64, Uuid, Vec<Vec<u8>>)> = sqlx::query_as(
        "delete from waiting_batches where node_id = $1 and incarnation = $2 and from_seq = $3
         returning through_seq, venue_id, rows",
    )
    .bind(node.as_uuid())
    .bind(incarnation.as_uuid())
    .bind(signed(from)?)
    .fetch_optional(conn)
    .await?;
    row.map(|(through, venue, rows)| {
        Ok(Batch {
            node,
            venue: VenueId(venue),
            incarnation,
            from,
            through: unsigned(through)?,
            rows,
        })
    })
    .transpose()
}

/// All rows up to here have been applied.
pub(crate) async fn applied(conn: &mut PgConnection, batch: &Batch) -> DbResult<()> {
    sqlx::query("update journals set applied_through = $3 where node_id = $1 and incarnation = $2")
        .bind(batch.node.as_uuid())
        .bind(batch.incarnation.as_uuid())
        .bind(signed(batch.through)?)
        .execute(conn)
        .await?;
    Ok(())
}
