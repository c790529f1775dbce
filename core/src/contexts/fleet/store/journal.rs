//! Journal files, their rows, and the batches on their way through ticketing.

use chrono::{DateTime, Utc};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{IncarnationId, NodeId};
use eventify_protocol::sync::{
    Decision, Epoch, JournalAck, JournalEntry, JournalHead, Position, SealedRow,
};
use eventify_protocol::verdict::DecidedBy;
use uuid::Uuid;

use super::{hash, signed, unsigned};
use crate::contexts::fleet::model::health::mode_name;
use eventify_kernel::db::{DbResult, PgConnection};

/// Rows of one statement: it has 21 parameters for each, and PostgreSQL counts them in 16 bits.
const MAX_ROWS_A_STATEMENT: usize = 1_000;

/// A file's two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Stored without gaps up to here.
    pub(crate) stored: JournalHead,
    /// In the feed up to here…
    pub(crate) acked: JournalHead,
    /// …and by this position.
    pub(crate) position: Position,
}

impl Ends {
    /// What a node may forget: all effects up to there are in the feed.
    pub(crate) fn acknowledgement(&self, epoch: Epoch) -> JournalAck {
        acknowledge(self.acked, self.position, epoch)
    }

    /// What a node with another chain is shown: an end that its chain doesn't have.
    pub(crate) fn contradiction(&self, epoch: Epoch) -> JournalAck {
        acknowledge(self.stored, self.position, epoch)
    }
}

fn acknowledge(end: JournalHead, position: Position, epoch: Epoch) -> JournalAck {
    let JournalHead {
        incarnation,
        seq,
        hash,
    } = end;
    JournalAck {
        incarnation,
        seq,
        hash,
        position,
        epoch,
    }
}

/// What is said of a file of which nothing is held.
pub(crate) fn nothing_of(incarnation: IncarnationId, epoch: Epoch) -> JournalAck {
    acknowledge(JournalHead::empty(incarnation), Position(0), epoch)
}

#[derive(sqlx::FromRow)]
struct EndsRow {
    incarnation: Uuid,
    seq: i64,
    hash: Vec<u8>,
    acked_seq: i64,
    acked_hash: Vec<u8>,
    acked_position: i64,
}

impl EndsRow {
    fn ends(self) -> DbResult<Ends> {
        let incarnation = IncarnationId(self.incarnation);
        let head = |seq, bytes: &[u8]| {
            DbResult::Ok(JournalHead {
                incarnation,
                seq: unsigned(seq)?,
                hash: hash(bytes)?,
            })
        };
        Ok(Ends {
            stored: head(self.seq, &self.hash)?,
            acked: head(self.acked_seq, &self.acked_hash)?,
            position: Position(unsigned(self.acked_position)?),
        })
    }
}

/// The ends of the file that a node opened last. The node's row is locked, or it doesn't matter.
pub(crate) async fn current(conn: &mut PgConnection, node: NodeId) -> DbResult<Option<Ends>> {
    let row: Option<EndsRow> = sqlx::query_as(
        "select incarnation, seq, hash, acked_seq, acked_hash, acked_position from journals
         where node_id = $1 order by file_number desc limit 1",
    )
    .bind(node.as_uuid())
    .fetch_optional(conn)
    .await?;
    row.map(EndsRow::ends).transpose()
}

/// Whether a file is known, the present one or one before it.
pub(crate) async fn is_known(
    conn: &mut PgConnection,
    node: NodeId,
    incarnation: IncarnationId,
) -> DbResult<bool> {
    let known = sqlx::query_scalar(
        "select exists (select from journals where node_id = $1 and incarnation = $2)",
    )
    .bind(node.as_uuid())
    .bind(incarnation.as_uuid())
    .fetch_one(conn)
    .await?;
    Ok(known)
}

/// Enters a file at its first row.
pub(crate) async fn open(
    conn: &mut PgConnection,
    node: NodeId,
    incarnation: IncarnationId,
    succeeds: Option<JournalHead>,
) -> DbResult<()> {
    sqlx::query(
        "insert into journals (node_id, incarnation, hash, acked_hash, succeeds_incarnation,
             succeeds_seq, succeeds_hash)
         values ($1, $2, $3, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(node.as_uuid())
    .bind(incarnation.as_uuid())
    .bind(Hash32::ZERO.0.as_slice())
    .bind(succeeds.map(|head| head.incarnation.as_uuid()))
    .bind(succeeds.map(|head| signed(head.seq)).transpose()?)
    .bind(succeeds.map(|head| head.hash.0.to_vec()))
    .execute(conn)
    .await?;
    Ok(())
}

/// The hash of a stored row.
pub(crate) async fn hash_at(
    conn: &mut PgConnection,
    node: NodeId,
    incarnation: IncarnationId,
    seq: u64,
) -> DbResult<Option<Hash32>> {
    let row: Option<Vec<u8>> = sqlx::query_scalar(
        "select hash from journal_rows where node_id = $1 and incarnation = $2 and seq = $3",
    )
    .bind(node.as_uuid())
    .bind(incarnation.as_uuid())
    .bind(signed(seq)?)
    .fetch_optional(conn)
    .await?;
    row.map(|bytes| hash(&bytes)).transpose()
}

/// Stores rows that follow the stored end, and the new end.
pub(crate) async fn append(
    conn: &mut PgConnection,
    node: NodeId,
    rows: &[SealedRow],
) -> DbResult<()> {
    let Some(last) = rows.last() else {
        return Ok(());
    };
    for part in rows.chunks(MAX_ROWS_A_STATEMENT) {
        insert(conn, node, part).await?;
    }
    sqlx::query("update journals set seq = $3, hash = $4 where node_id = $1 and incarnation = $2")
        .bind(node.as_uuid())
        .bind(last.row().incarnation.as_uuid())
        .bind(signed(last.row().seq)?)
        .bind(last.hash().0.as_slice())
        .execute(conn)
        .await?;
    Ok(())
}

async fn insert(conn: &mut PgConnection, node: NodeId, rows: &[SealedRow]) -> DbResult<()> {
    let columns = rows.iter().map(Columns::of).collect::<DbResult<Vec<_>>>()?;
    let mut insert = sqlx::QueryBuilder::new(
        "insert into journal_rows (node_id, incarnation, seq, hash, bytes, kind, wall_at,
             core_earliest, core_latest, scan_id, scanner_id, gate_id, ticket_id, performance_id,
             verdict, mode, decided_by, cache_age_ms, point_position, point_truth, voids_seq) ",
    );
    insert.push_values(columns, |mut values, row| {
        let core = row.sealed.row().at.core;
        values
            .push_bind(node.as_uuid())
            .push_bind(row.sealed.row().incarnation.as_uuid())
            .push_bind(row.seq)
            .push_bind(row.sealed.hash().0.to_vec())
            .push_bind(row.sealed.bytes())
            .push_bind(row.kind)
            .push_bind(row.wall_at)
            .push_bind(core.map(|core| core.earliest.0))
            .push_bind(core.map(|core| core.latest.0))
            .push_bind(row.scan)
            .push_bind(row.of_decision(|it| Some(it.scanner.into())))
            .push_bind(row.of_decision(|it| Some(it.gate.into())))
            .push_bind(row.of_decision(|it| it.ticket.map(Into::into)))
            .push_bind(row.of_decision(|it| it.performance.map(Into::into)))
            .push_bind(row.decision.map(|it| it.verdict.name()))
            .push_bind(row.decision.map(|it| mode_name(it.mode)))
            .push_bind(row.decided_by)
            .push_bind(row.cache_age_ms)
            .push_bind(row.position)
            .push_bind(row.truth)
            .push_bind(row.voids_seq);
    });
    // Each number of rows is a statement of its own: none is worth being kept.
    insert.build().persistent(false).execute(conn).await?;
    Ok(())
}

/// A row as the table has it.
struct Columns<'a> {
    sealed: &'a SealedRow,
    decision: Option<&'a Decision>,
    seq: i64,
    kind: &'static str,
    wall_at: Option<DateTime<Utc>>,
    scan: Option<Uuid>,
    decided_by: Option<&'static str>,
    cache_age_ms: Option<i64>,
    position: Option<i64>,
    truth: Option<i64>,
    voids_seq: Option<i64>,
}

impl<'a> Columns<'a> {
    fn of(sealed: &'a SealedRow) -> DbResult<Self> {
        let row = sealed.row();
        let (kind, decision, voided) = match &row.entry {
            JournalEntry::Opened { .. } => ("opened", None, None),
            JournalEntry::Decision(decision) => ("decision", Some(decision), None),
            JournalEntry::Voided { row, scan } => ("voided", None, Some((*row, *scan))),
        };
        let scan = decision.map(|it| it.scan).or(voided.map(|(_, scan)| scan));
        let age = decision.and_then(|it| it.cache_age_ms);
        let point = decision.and_then(|it| it.point);
        Ok(Self {
            sealed,
            decision,
            seq: signed(row.seq)?,
            kind,
            wall_at: DateTime::from_timestamp_micros(row.at.wall.0),
            scan: scan.map(Into::into),
            decided_by: decision.map(|it| match it.decided_by {
                DecidedBy::Core => "core",
                DecidedBy::Edge => "edge",
            }),
            cache_age_ms: age.map(signed).transpose()?,
            position: point.map(|point| signed(point.position.0)).transpose()?,
            truth: point.map(|point| point.truth.0),
            voids_seq: voided.map(|(row, _)| signed(row)).transpose()?,
        })
    }

    fn of_decision(&self, read: fn(&Decision) -> Option<Uuid>) -> Option<Uuid> {
        self.decision.and_then(read)
    }
}

/// Keeps bytes that contradict the chain; again changes nothing. True if they are news.
pub(crate) async fn keep_fork(
    conn: &mut PgConnection,
    node: NodeId,
    incarnation: IncarnationId,
    seq: u64,
    bytes: &[u8],
) -> DbResult<bool> {
    let done = sqlx::query(
        "insert into journal_forks (node_id, incarnation, seq, hash, bytes)
         values ($1, $2, $3, $4, $5) on conflict do nothing",
    )
    .bind(node.as_uuid())
    .bind(incarnation.as_uuid())
    .bind(signed(seq)?)
    .bind(Hash32::of(bytes).0.as_slice())
    .bind(bytes)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
