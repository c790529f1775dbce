//! How far each journal file has been applied, and batches that came too early.

use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::ids::{IncarnationId, NodeId, VenueId};
use sqlx::FromRow;

use super::{signed, unsigned};
use crate::contexts::ticketing::model::Batch;

#[derive(FromRow)]
struct BatchRow {
    through_seq: i64,
    venue_id: VenueId,
    rows: Vec<Vec<u8>>,
}

/// Takes the file's row lock, and returns the last row that was applied.
pub(crate) async fn lock_journal(
    conn: &mut PgConnection,
    node: NodeId,
    incarnation: IncarnationId,
) -> DbResult<u64> {
    let through: i64 = sqlx::query_scalar(
        "insert into ticketing.journals as stored (node_id, incarnation, applied_through)
         values ($1, $2, 0)
         on conflict (node_id, incarnation) do update set applied_through = stored.applied_through
         returning applied_through",
    )
    .bind(node)
    .bind(incarnation)
    .fetch_one(conn)
    .await?;
    unsigned(through)
}

/// Until those before it have been applied.
pub(crate) async fn insert_batch(conn: &mut PgConnection, batch: &Batch) -> DbResult<()> {
    sqlx::query(
        "insert into ticketing.waiting_batches
             (node_id, incarnation, from_seq, through_seq, venue_id, rows)
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(batch.node)
    .bind(batch.incarnation)
    .bind(signed(batch.from)?)
    .bind(signed(batch.through)?)
    .bind(batch.venue)
    .bind(&batch.rows)
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes out the batch that begins with this row, if it is there.
pub(crate) async fn take_batch(
    conn: &mut PgConnection,
    node: NodeId,
    incarnation: IncarnationId,
    from: u64,
) -> DbResult<Option<Batch>> {
    let row: Option<BatchRow> = sqlx::query_as(
        "delete from ticketing.waiting_batches
         where node_id = $1 and incarnation = $2 and from_seq = $3
         returning through_seq, venue_id, rows",
    )
    .bind(node)
    .bind(incarnation)
    .bind(signed(from)?)
    .fetch_optional(conn)
    .await?;
    let batch = |row: BatchRow| {
        Ok(Batch {
            node,
            venue: row.venue_id,
            incarnation,
            from,
            through: unsigned(row.through_seq)?,
            rows: row.rows,
        })
    };
    row.map(batch).transpose()
}

/// The rows of the batch have been applied.
pub(crate) async fn update_journal(conn: &mut PgConnection, batch: &Batch) -> DbResult<()> {
    sqlx::query(
        "update ticketing.journals set applied_through = $3
         where node_id = $1 and incarnation = $2",
    )
    .bind(batch.node)
    .bind(batch.incarnation)
    .bind(signed(batch.through)?)
    .execute(conn)
    .await?;
    Ok(())
}
