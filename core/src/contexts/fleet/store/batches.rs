//! Batches of stored journal rows on their way through ticketing: held, sent, applied.

use eventify_kernel::db::{DbResult, PgConnection};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{IncarnationId, NodeId, VenueId};
use eventify_protocol::sync::{Epoch, JournalAck, Position};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::{column, signed};

/// Rows that ticketing applies together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Batch {
    pub(crate) batch_id: Uuid,
    pub(crate) node_id: NodeId,
    pub(crate) incarnation: IncarnationId,
    #[sqlx(try_from = "i64")]
    pub(crate) from_seq: u64,
    #[sqlx(try_from = "i64")]
    pub(crate) to_seq: u64,
}

/// A new batch: sent to ticketing, or held for an administrator.
pub(crate) async fn insert(conn: &mut PgConnection, batch: &Batch, is_held: bool) -> DbResult<()> {
    sqlx::query(
        "insert into fleet.journal_batches
             (batch_id, node_id, incarnation, from_seq, to_seq, state)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(batch.batch_id)
    .bind(batch.node_id)
    .bind(batch.incarnation)
    .bind(signed(batch.from_seq)?)
    .bind(signed(batch.to_seq)?)
    .bind(if is_held { "held" } else { "sent" })
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks all held batches of a node as sent, accepted by an administrator, and returns them.
pub(crate) async fn release(
    conn: &mut PgConnection,
    node: NodeId,
    by: Uuid,
) -> DbResult<Vec<Batch>> {
    let batches = sqlx::query_as(
        "with released as (
             update fleet.journal_batches set state = 'sent', accepted_by = $2
             where node_id = $1 and state = 'held'
             returning batch_id, node_id, incarnation, from_seq, to_seq, received_at)
         select batch_id, node_id, incarnation, from_seq, to_seq from released
         order by received_at, from_seq",
    )
    .bind(node)
    .bind(by)
    .fetch_all(conn)
    .await?;
    Ok(batches)
}

/// The exact bytes of a batch's rows, in order.
pub(crate) async fn list_rows(conn: &mut PgConnection, batch: &Batch) -> DbResult<Vec<Vec<u8>>> {
    let rows = sqlx::query_scalar(
        "select bytes from fleet.journal_rows
         where node_id = $1 and incarnation = $2 and seq between $3 and $4 order by seq",
    )
    .bind(batch.node_id)
    .bind(batch.incarnation)
    .bind(signed(batch.from_seq)?)
    .bind(signed(batch.to_seq)?)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// A batch with its node's venue.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(crate) struct VenueBatch {
    #[sqlx(flatten)]
    pub(crate) batch: Batch,
    pub(crate) venue_id: VenueId,
}

/// The batch that begins with a row.
pub(crate) async fn find_starting_at(
    conn: &mut PgConnection,
    node: NodeId,
    incarnation: IncarnationId,
    from: u64,
) -> DbResult<Option<VenueBatch>> {
    let batch = sqlx::query_as(
        "select batch_id, node_id, incarnation, from_seq, to_seq, venue_id
         from fleet.journal_batches join fleet.nodes using (node_id)
         where node_id = $1 and incarnation = $2 and from_seq = $3",
    )
    .bind(node)
    .bind(incarnation)
    .bind(signed(from)?)
    .fetch_optional(conn)
    .await?;
    Ok(batch)
}

/// Stores ticketing's outcome beside each row.
pub(crate) async fn update_outcomes(
    conn: &mut PgConnection,
    batch: &Batch,
    outcomes: &[(u64, Value)],
) -> DbResult<()> {
    let seqs = column(outcomes, |(seq, _)| signed(*seq)).into_iter();
    sqlx::query(
        "update fleet.journal_rows as stored set outcome = row.outcome
         from unnest($3::bigint[], $4::jsonb[]) as row (seq, outcome)
         where stored.node_id = $1 and stored.incarnation = $2 and stored.seq = row.seq",
    )
    .bind(batch.node_id)
    .bind(batch.incarnation)
    .bind(seqs.collect::<DbResult<Vec<_>>>()?)
    .bind(column(outcomes, |(_, outcome)| Json(outcome.clone())))
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct AckedRow {
    #[sqlx(try_from = "i64")]
    acked_seq: u64,
    acked_hash: [u8; 32],
    #[sqlx(try_from = "i64")]
    acked_position: u64,
}

/// A batch's effects are in the feed at a position: moves the file's acknowledged end up to the first
/// row that is still on its way, and returns the acknowledgement of it.
pub(crate) async fn mark_applied(
    conn: &mut PgConnection,
    id: Uuid,
    position: Position,
    epoch: Epoch,
) -> DbResult<Option<(NodeId, JournalAck)>> {
    let Some(batch) = find(conn, id).await? else {
        return Ok(None);
    };
    // The file's row first: two batches of one file are applied one after the other.
    sqlx::query("select from fleet.journals where node_id = $1 and incarnation = $2 for update")
        .bind(batch.node_id)
        .bind(batch.incarnation)
        .execute(&mut *conn)
        .await?;
    sqlx::query("update fleet.journal_batches set state = 'applied' where batch_id = $1")
        .bind(id)
        .execute(&mut *conn)
        .await?;
    let acked: AckedRow = sqlx::query_as(
        "with done as (
             select coalesce(
                 (select min(from_seq) - 1 from fleet.journal_batches
                  where node_id = $1 and incarnation = $2 and state <> 'applied'),
                 (select seq from fleet.journals where node_id = $1 and incarnation = $2)) as seq),
         ends as (
             select done.seq, stored.hash from done join fleet.journal_rows as stored
             on stored.node_id = $1 and stored.incarnation = $2 and stored.seq = done.seq)
         update fleet.journals as file set
             acked_seq = coalesce((select ends.seq from ends), file.acked_seq),
             acked_hash = coalesce((select ends.hash from ends), file.acked_hash),
             acked_position = greatest(file.acked_position, $3)
         where file.node_id = $1 and file.incarnation = $2
         returning acked_seq, acked_hash, acked_position",
    )
    .bind(batch.node_id)
    .bind(batch.incarnation)
    .bind(signed(position.0)?)
    .fetch_one(conn)
    .await?;
    let ack = JournalAck {
        incarnation: batch.incarnation,
        seq: acked.acked_seq,
        hash: Hash32(acked.acked_hash),
        position: Position(acked.acked_position),
        epoch,
    };
    Ok(Some((batch.node_id, ack)))
}

async fn find(conn: &mut PgConnection, id: Uuid) -> DbResult<Option<Batch>> {
    let batch = sqlx::query_as(
        "select batch_id, node_id, incarnation, from_seq, to_seq from fleet.journal_batches
         where batch_id = $1",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    Ok(batch)
}
