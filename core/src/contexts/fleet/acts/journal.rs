//! Journals: stored, sent on to ticketing, acknowledged when their effects are in the feed
//! (ADMISSION 4, 7).

use eventify_contracts::fleet::JournalAccepted;
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, PgConnection, Tx};
use eventify_protocol::ids::{IncarnationId, NodeId};
use eventify_protocol::sync::{JournalAck, JournalBatch, JournalEntry, SealedRow};
use eventify_sync::core::journal::{Accepted, Ends, Refused, accept, overlap};
use serde_json::json;

use super::{FleetError, alarms, nodes as node_acts};
use crate::contexts::fleet::model::alarm::{Alarm, Code};
use crate::contexts::fleet::model::node::Node;
use crate::contexts::fleet::store::batches::{self, Batch};
use crate::contexts::fleet::store::journals;
use crate::contexts::fleet::store::{journal_rows, nodes, watermark};
use crate::contexts::fleet::{App, NAME};

/// Rows that contradict the chain and are kept of one batch: no node puts more into one.
const MAX_EVIDENCE_ROWS: usize = 512;
/// Such bytes that are kept of a node within a day.
const MAX_EVIDENCE_A_DAY: i64 = 16 * 1024 * 1024;

/// Stores a batch of rows. Returns an acknowledgement if the node is to get one now; while the rows
/// are on their way through ticketing there is none: the feed's writer will send it.
pub(crate) async fn receive(
    app: &App,
    cause: &Cause,
    node: NodeId,
    batch: &JournalBatch,
) -> DbResult<Option<JournalAck>> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let Some(node) = nodes::lock(&mut tx, node).await? else {
        return Ok(None);
    };
    let ends = journals::find_current(&mut tx, node.node_id).await?;
    let head = ends.map(|ends| ends.stored);
    let stored = match overlap(head.as_ref(), batch) {
        Some(seq) => journal_rows::hash_at(&mut tx, node.node_id, batch.incarnation, seq).await?,
        None => None,
    };
    match accept(node.node_id, head.as_ref(), stored, batch) {
        Ok(accepted) if accepted.rows.is_empty() => {
            let epoch = watermark::epoch(&mut tx).await?;
            let done = ends.filter(|ends| ends.cover(batch));
            Ok(done.map(|ends| ends.acknowledgement(epoch)))
        }
        Ok(accepted) => {
            store(app, tx, &node, batch.incarnation, &accepted).await?;
            Ok(None)
        }
        Err(refused) => refuse(app, tx, &node, ends, batch, &refused).await,
    }
}

async fn store(
    app: &App,
    mut tx: Tx,
    node: &Node,
    incarnation: IncarnationId,
    accepted: &Accepted,
) -> DbResult<()> {
    let (Some(first), Some(last)) = (accepted.rows.first(), accepted.rows.last()) else {
        return Ok(());
    };
    if first.row().seq == 1 {
        journals::insert(&mut tx, node.node_id, incarnation, accepted.succeeds).await?;
        raise_loss(app, &mut tx, node, first).await?;
    }
    journal_rows::insert(&mut tx, node.node_id, &accepted.rows).await?;
    journals::update_end(&mut tx, node.node_id, last).await?;
    let batch = Batch {
        batch_id: app.clock.new_id(),
        node_id: node.node_id,
        incarnation,
        from_seq: first.row().seq,
        to_seq: last.row().seq,
    };
    // Rows of a revoked node are evidence; an administrator decides (ADMISSION 4.4).
    let is_held = node.is_revoked();
    batches::insert(&mut tx, &batch, is_held).await?;
    if !is_held {
        let rows = accepted.rows.iter().map(SealedRow::bytes);
        publish(app, &mut tx, node, &batch, rows);
    }
    tx.commit().await
}

/// A file that goes on without rows that were known to exist: whom they let in is nowhere any more.
async fn raise_loss(app: &App, tx: &mut Tx, node: &Node, first: &SealedRow) -> DbResult<()> {
    let JournalEntry::Opened {
        after_loss: Some(known),
        ..
    } = &first.row().entry
    else {
        return Ok(());
    };
    let stored = journals::stored_end(tx, node.node_id, known.incarnation).await?;
    let details = json!({
        "known": known,
        "stored": stored,
        "by": first.row().incarnation,
    });
    let alarm = Alarm::new(Code::JournalRowsLost).of_node(node.venue_id, node.node_id);
    alarms::raise_in(app, tx, &alarm.with(details)).await
}

fn publish<'a>(
    app: &App,
    tx: &mut Tx,
    node: &Node,
    batch: &Batch,
    rows: impl IntoIterator<Item = &'a [u8]>,
) {
    let event = JournalAccepted {
        batch_id: batch.batch_id,
        node_id: node.node_id,
        venue_id: node.venue_id,
        incarnation: batch.incarnation,
        from: batch.from_seq,
        to: batch.to_seq,
        rows: JournalAccepted::encode(rows),
    };
    tx.publish(app.clock.new_id(), 1, &event);
}

/// Stores nothing in the journal.
async fn refuse(
    app: &App,
    mut tx: Tx,
    node: &Node,
    ends: Option<Ends>,
    batch: &JournalBatch,
    refused: &Refused,
) -> DbResult<Option<JournalAck>> {
    let incarnation = batch.incarnation;
    let epoch = watermark::epoch(&mut tx).await?;
    let known = ends.unwrap_or(Ends::nothing(incarnation));
    let answer = known.acknowledgement(epoch);
    let code = match refused {
        Refused::Future { .. } => return Ok(Some(answer)),
        Refused::UnknownIncarnation
            if journals::exists(&mut tx, node.node_id, incarnation).await? =>
        {
            // A late batch of a file that has a successor.
            return Ok(Some(answer));
        }
        Refused::Fork { .. } | Refused::UnknownIncarnation => Code::JournalFork,
        Refused::Malformed(_) => Code::JournalRowMalformed,
        Refused::BrokenChain { .. } => Code::JournalChainBroken,
    };
    let kept = keep_evidence(app, &mut tx, node.node_id, batch).await?;
    tx.commit().await?;
    if kept != Kept::Known {
        let details = json!({
            "reason": refused.to_string(),
            "batch": { "incarnation": incarnation, "from": batch.from, "rows": batch.rows.len() },
            "held": ends.map(|ends| ends.stored),
            "kept": kept == Kept::New,
        });
        let alarm = Alarm::new(code)
            .of_node(node.venue_id, node.node_id)
            .with(details);
        alarms::raise(app, &alarm).await?;
    }
    Ok(Some(answer))
}

/// What became of a refused batch's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// They, or the first of many, stand beside the journal. A batch may have none.
    New,
    /// They stood there already.
    Known,
    /// They are new, and the node has had its share of the day.
    Nothing,
}

/// Stores the rows of a refused batch beside the journal, as far as the node's share of the day goes: a
/// node may have forked, and its rows are evidence; one that makes up rows without end fills no disk.
async fn keep_evidence(
    app: &App,
    conn: &mut PgConnection,
    node: NodeId,
    batch: &JournalBatch,
) -> DbResult<Kept> {
    if batch.last().is_none() {
        return Ok(Kept::New);
    }
    let now = app.clock.now();
    if app.state.has_spent_evidence(node, now) {
        return Ok(Kept::Nothing);
    }
    if journal_rows::evidence_of_day(conn, node).await? >= MAX_EVIDENCE_A_DAY {
        app.state.evidence_is_spent(node, now);
        return Ok(Kept::Nothing);
    }
    let rows = batch
        .numbers()
        .zip(batch.rows.iter().map(|row| row.as_slice()));
    let rows: Vec<_> = rows.take(MAX_EVIDENCE_ROWS).collect();
    let of = (node, batch.incarnation);
    let is_new = journal_rows::insert_forks(conn, of, &rows).await?;
    Ok(if is_new { Kept::New } else { Kept::Known })
}

/// An administrator accepts the held rows of a revoked node. Returns how many batches were sent on.
pub(crate) async fn accept_held(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    node: NodeId,
) -> Result<usize, FleetError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let node = node_acts::own(&mut tx, principal, node).await?;
    let released = batches::release(&mut tx, node.node_id, principal.user_id).await?;
    for batch in &released {
        let rows = batches::list_rows(&mut tx, batch).await?;
        publish(app, &mut tx, &node, batch, rows.iter().map(Vec::as_slice));
    }
    tx.commit().await?;
    Ok(released.len())
}
