//! Journals: stored, handed to ticketing, acknowledged when their effects are in the feed
//! (ADMISSION 4, 7).

use eventify_protocol::ids::{IncarnationId, NodeId};
use eventify_protocol::sync::{JournalAck, JournalBatch, SealedRow};
use eventify_sync::core::journal::{Accepted, Refused, accept as judge, overlap};
use serde_json::{Value, json};

use super::{FleetError, nodes as node_acts, uplink};
use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::model::alarm::Alarm;
use crate::contexts::fleet::model::node::Node;
use crate::contexts::fleet::store::batches::{self, Batch};
use crate::contexts::fleet::store::journal::{self, Ends};
use crate::contexts::fleet::store::{nodes, watermark};
use eventify_contracts::fleet::JournalAccepted;
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, PgConnection, Tx};

/// Takes a batch of rows. Answers what the node is to be told now: nothing while the rows are on
/// their way through ticketing, their acknowledgement follows from the feed's writer.
pub(crate) async fn take(
    app: &App,
    cause: &Cause,
    node: NodeId,
    batch: &JournalBatch,
) -> DbResult<Option<JournalAck>> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let Some(node) = nodes::lock(&mut tx, node).await? else {
        return Ok(None);
    };
    let ends = journal::current(&mut tx, node.node_id).await?;
    let held = ends.map(|ends| ends.stored);
    let stored = match overlap(held.as_ref(), batch) {
        Some(seq) => journal::hash_at(&mut tx, node.node_id, batch.incarnation, seq).await?,
        None => None,
    };
    match judge(node.node_id, held.as_ref(), stored, batch) {
        Ok(accepted) if accepted.rows.is_empty() => {
            let epoch = watermark::epoch(&mut tx).await?;
            let done = ends.filter(|ends| ends.acked.seq >= last_row(batch));
            Ok(done.map(|ends| ends.acknowledgement(epoch)))
        }
        Ok(accepted) => {
            store(app, tx, &node, batch.incarnation, &accepted).await?;
            Ok(None)
        }
        Err(refused) => refuse(app, tx, &node, ends, batch, &refused).await,
    }
}

fn last_row(batch: &JournalBatch) -> u64 {
    (batch.from + u64::try_from(batch.rows.len()).unwrap_or(u64::MAX)).saturating_sub(1)
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
        journal::open(&mut tx, node.node_id, incarnation, accepted.succeeds).await?;
    }
    journal::append(&mut tx, node.node_id, &accepted.rows).await?;
    let id = app.clock.new_id();
    let (from, to) = (first.row().seq, last.row().seq);
    let batch = Batch {
        id,
        node: node.node_id,
        incarnation,
        from,
        to,
    };
    // What a revoked node says is evidence; an administrator decides (ADMISSION 4.4).
    let held = node.is_revoked();
    batches::add(&mut tx, &batch, held).await?;
    if !held {
        publish(
            app,
            &mut tx,
            node,
            &batch,
            accepted.rows.iter().map(SealedRow::bytes),
        );
    }
    tx.commit().await
}

fn publish<'a>(
    app: &App,
    tx: &mut Tx,
    node: &Node,
    batch: &Batch,
    rows: impl IntoIterator<Item = &'a [u8]>,
) {
    let event = JournalAccepted {
        batch_id: batch.id,
        node_id: node.node_id,
        venue_id: node.venue_id,
        incarnation: batch.incarnation,
        from: batch.from,
        to: batch.to,
        rows: JournalAccepted::encode(rows),
    };
    tx.publish(app.clock.new_id(), 1, &event);
}

/// Nothing is taken. A node that is only ahead goes on from the acknowledged end; one with another
/// chain is shown the stored end, which that chain doesn't have, and begins a new file.
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
    let nothing = journal::nothing_of(incarnation, epoch);
    let acked = ends.map_or(nothing, |ends| ends.acknowledgement(epoch));
    let (code, answer) = match refused {
        Refused::Future { .. } => return Ok(Some(acked)),
        Refused::UnknownIncarnation
            if journal::is_known(&mut tx, node.node_id, incarnation).await? =>
        {
            // A late batch of a file that another has succeeded.
            return Ok(Some(acked));
        }
        Refused::Fork { .. } | Refused::UnknownIncarnation => {
            let stored = ends.map_or(nothing, |ends| ends.contradiction(epoch));
            ("journal_fork", stored)
        }
        // Only an end whose effects are in the feed may be told to a node that has it.
        Refused::Malformed(_) => ("journal_row_malformed", acked),
        Refused::BrokenChain { .. } => ("journal_chain_broken", acked),
    };
    let news = keep_evidence(&mut tx, node.node_id, batch).await?;
    tx.commit().await?;
    if news {
        let details = details(ends, batch, refused);
        let alarm = Alarm::new(code)
            .of(node.venue_id, node.node_id)
            .with(details);
        uplink::raise(app, &alarm).await?;
    }
    Ok(Some(answer))
}

fn details(ends: Option<Ends>, batch: &JournalBatch, refused: &Refused) -> Value {
    json!({
        "reason": refused.to_string(),
        "batch": { "incarnation": batch.incarnation, "from": batch.from, "rows": batch.rows.len() },
        "held": ends.map(|ends| ends.stored),
    })
}

/// Both sides of a fork are kept; true if any of it is news.
async fn keep_evidence(
    conn: &mut PgConnection,
    node: NodeId,
    batch: &JournalBatch,
) -> DbResult<bool> {
    let mut news = false;
    for (seq, bytes) in (batch.from..).zip(&batch.rows) {
        news |= journal::keep_fork(conn, node, batch.incarnation, seq, bytes).await?;
    }
    Ok(news)
}

/// An administrator takes a revoked node's rows as they are; answers how many batches went on.
pub(crate) async fn accept(
    app: &App,
    cause: &Cause,
    principal: &Principal,
    node: NodeId,
) -> Result<usize, FleetError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let node = node_acts::own(&mut tx, principal, node).await?;
    let released = batches::release(&mut tx, node.node_id, principal.user_id).await?;
    for batch in &released {
        let rows = batches::rows(&mut tx, batch).await?;
        publish(app, &mut tx, &node, batch, rows.iter().map(Vec::as_slice));
    }
    tx.commit().await?;
    Ok(released.len())
}
