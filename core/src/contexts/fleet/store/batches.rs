//! Batches of stored journal rows on their way through ticketing: held, sent, applied.

use eventify_protocol::ids::{IncarnationId, NodeId, VenueId};
use eventify_protocol::sync::{Epoch, JournalAck, Position};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::{hash, signed, unsigned};
use eventify_kernel::db::{DbResult, PgConnection};

/// Rows that ticketing applies together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) id: Uuid,
    pub(crate) node: NodeId,
    pub(crate) incarnation: IncarnationId,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

type Row = (Uuid, Uuid, Uuid, i64, i64);

fn batch((id, node, incarnation, from, to): Row) -> DbResult<Batch> {
    Ok(Batch {
        id,
        node: NodeId(node),
        incarnation: IncarnationId(incarnation),
        from: unsigned(from)?,
        to: unsigned(to)?,
    })
}

/// Enters a batch: sent to ticketing, or held for an administrator.
pub(crate) async fn add(conn: &mut PgConnection, batch: &Batch, held: bool) -> DbResult<()> {
    sqlx::query(
        "insert into journal_batches (batch_id, node_id, incarnation, from_seq, to_seq, state)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(batch.id)
    .bind(batch.node.as_uuid())
    .bind(batch.incarnation.as_uuid())
    .bind(signed(batch.from)?)
    .bind(signed(batch.to)?)
    .bind(if held { "held" } else { "sent" })
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets all held batches of a node go, in the name of an administrator.
pub(crate) async fn release(
    conn: &mut PgConnection,
    node: NodeId,
    by: Uuid,
) -> DbResult<Vec<Batch>> {
    let rows: Vec<Row> = sqlx::query_as(
        "with released as (
             update journal_batches set state = 'sent', accepted_by = $2
             where node_id = $1 and state = 'held'
             returning batch_id, node_id, incarnation, from_seq, to_seq, received_at)
         select batch_id, node_id, incarnation, from_seq, to_seq from released
         order by received_at, from_seq",
    )
    .bind(node.as_uuid())
    .bind(by)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(batch).collect()
}

/// The exact bytes of a batch's rows, in order.
pub(crate) async fn rows(conn: &mut PgConnection, batch: &Batch) -> DbResult<Vec<Vec<u8>>> {
    let rows = sqlx::query_scalar(
        "select bytes from journal_rows
         where node_id = $1 and incarnation = $2 and seq between $3 and $4 order by seq",
    )
    .bind(batch.node.as_uuid())
    .bind(batch.incarnation.as_uuid())
    .bind(signed(batch.from)?)
    .bind(signed(batch.to)?)
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

pub(crate) async fn find(conn: &mut PgConnection, id: Uuid) -> DbResult<Option<Batch>> {
    let row: Option<Row> = sqlx::query_as(
        "select batch_id, node_id, incarnation, from_seq, to_seq from journal_batches
         where batch_id = $1",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    row.map(batch).transpose()
}

/// The batch that begins with a row, and its node's venue.
pub(crate) async fn of_rows(
    conn: &mut PgConnection,
    node: NodeId,
    incarnation: IncarnationId,
    from: u64,
) -> DbResult<Option<(Batch, VenueId)>> {
    let row: Option<(Uuid, i64, Uuid)> = sqlx::query_as(
        "select batch_id, to_seq, venue_id from journal_batches join nodes using (node_id)
         where node_id = $1 and incarnation = $2 and from_seq = $3",
    )
    .bind(node.as_uuid())
    .bind(incarnation.as_uuid())
    .bind(signed(from)?)
    .fetch_optional(conn)
    .await?;
    row.map(|(id, to, venue)| {
        Ok((
            Batch {
                id,
                node,
                incarnation,
                from,
                to: unsigned(to)?,
            },
            VenueId(venue),
        ))
    })
    .transpose()
}

/// Stores beside each row what ticketing made of it.
pub(crate) async fn note_outcomes(
    conn: &mut PgConnection,
    batch: &Batch,
    outcomes: &[(u64, Value)],
) -> DbResult<()> {
    let seqs = outcomes
        .iter()
        .map(|(seq, _)| signed(*seq))
        .collect::<DbResult<Vec<_>>>()?;
    sqlx::query(
        "update journal_rows as held set outcome = row.outcome
         from unnest($3::bigint[], $4::jsonb[]) as row (seq, outcome)
         where held.node_id = $1 and held.incarnation = $2 and held.seq = row.seq",
    )
    .bind(batch.node.as_uuid())
    .bind(batch.incarnation.as_uuid())
    .bind(seqs)
    .bind(
        outcomes
            .iter()
            .map(|(_, outcome)| Json(outcome))
            .collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A batch's effects are in the feed at a position: moves the file's acknowledged end up to the
/// first row that is still on its way, and answers it.
pub(crate) async fn applied(
    conn: &mut PgConnection,
    id: Uuid,
    position: Position,
    epoch: Epoch,
) -> DbResult<Option<(NodeId, JournalAck)>> {
    let Some(batch) = find(conn, id).await? else {
        return Ok(None);
    };
    // The file's row first: two batches of one file are applied one after the other.
    sqlx::query("select from journals where node_id = $1 and incarnation = $2 for update")
        .bind(batch.node.as_uuid())
        .bind(batch.incarnation.as_uuid())
        .execute(&mut *conn)
        .await?;
    sqlx::query("update journal_batches set state = 'applied' where batch_id = $1")
        .bind(id)
        .execute(&mut *conn)
        .await?;
    let row: (i64, Vec<u8>, i64) = sqlx::query_as(
        "with done as (
             select coalesce(
                 (select min(from_seq) - 1 from journal_batches
                  where node_id = $1 and incarnation = $2 and state <> 'applied'),
                 (select seq from journals where node_id = $1 and incarnation = $2)) as seq),
         ends as (
             select done.seq, held.hash from done join journal_rows as held
             on held.node_id = $1 and held.incarnation = $2 and held.seq = done.seq)
         update journals as file set
             acked_seq = coalesce((select ends.seq from ends), file.acked_seq),
             acked_hash = coalesce((select ends.hash from ends), file.acked_hash),
             acked_position = greatest(file.acked_position, $3)
         where file.node_id = $1 and file.incarnation = $2
         returning acked_seq, acked_hash, acked_position",
    )
    .bind(batch.node.as_uuid())
    .bind(batch.incarnation.as_uuid())
    .bind(signed(position.0)?)
    .fetch_one(conn)
    .await?;
    let (seq, bytes, position) = row;
    let ack = JournalAck {
        incarnation: batch.incarnation,
        seq: unsigned(seq)?,
        hash: hash(&bytes)?,
        position: Position(unsigned(position)?),
        epoch,
    };
    Ok(Some((batch.node, ack)))
}
