//! The answer to `Hello`: how the node gets from what it holds to the head (ADMISSION 5.3).

use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult};
use eventify_protocol::ids::{MessageId, NodeId};
use eventify_protocol::sync::{
    DIGEST_ALGORITHM, Delta, Down, Epoch, FeedEntry, Hello, Plan, Position,
};
use eventify_sync::core::welcome::{Known, NoPlan, StoredSnapshot, answer};
use serde_json::json;

use super::{alarms, holders, messages, scanners, sessions, snapshots};
use crate::contexts::fleet::model::alarm::{Alarm, Code};
use crate::contexts::fleet::model::node::Node;
use crate::contexts::fleet::model::parts::{MAX_CATCH_UP, MAX_PART_BYTES, parts};
use crate::contexts::fleet::store::{feed, journals, watermark};
use crate::contexts::fleet::{App, NAME};

/// Entries read and sent at a time.
const PAGE: u64 = 1_000;

/// Answers a `Hello` with `Welcome`, which names the journal's acknowledged end, and with the entries
/// that the plan requires.
pub(crate) async fn welcome(
    app: &App,
    cause: &Cause,
    node: &Node,
    hello_id: MessageId,
    hello: &Hello,
) -> DbResult<()> {
    if !sessions::is_the_node(app, cause, node, hello).await? {
        return Ok(());
    }
    let mut known = find_known(app, cause, node, hello).await?;
    raise_alarms(app, node, hello, &known).await?;
    let mut planned = answer(hello_id, hello, &known);
    if planned == Err(NoPlan::MakeSnapshot) {
        let snapshot = snapshots::fresh(app, cause, node.venue_id).await?;
        known.snapshot = Some(StoredSnapshot {
            id: snapshot.id,
            position: snapshot.position,
            chunks: snapshot.chunks,
            hash: snapshot.hash,
        });
        // It may be ahead of the head that was read before it was made.
        known.head = known.head.max(snapshot.position);
        planned = answer(hello_id, hello, &known);
    }
    let Ok(welcome) = planned else { return Ok(()) };
    let plan = welcome.plan.clone();
    messages::send(app, node.node_id, Down::Welcome(welcome)).await;
    scanners::send(app, node.node_id).await?;
    holders::greet(app, node.venue_id, node.node_id).await?;
    match plan {
        Plan::Delta { from } => send_entries(app, node, known.epoch, from, known.head).await,
        Plan::Snapshot { .. } => Ok(()),
    }
}

/// What the core holds, all of one moment.
async fn find_known(app: &App, cause: &Cause, node: &Node, hello: &Hello) -> DbResult<Known> {
    let mut tx = app.db.begin(NAME, cause).await?;
    watermark::repeatable_read(&mut tx).await?;
    let feed = feed::find(&mut tx, node.venue_id)
        .await?
        .ok_or_else(|| DbError::impossible_row("a node's venue has no feed"))?;
    let ends = journals::find_current(&mut tx, node.node_id).await?;
    let head = feed.head.position;
    // Entries that are held, but too many to be sent one by one, count as not held.
    let oldest = feed.compacted_to.0.max(head.0.saturating_sub(MAX_CATCH_UP)) + 1;
    Ok(Known {
        epoch: watermark::epoch(&mut tx).await?,
        head,
        digest_key: feed.key,
        digest_at_node: feed::digest_at(&mut tx, node.venue_id, hello.head).await?,
        oldest: Position(oldest),
        snapshot: None,
        acknowledged: ends.map(|ends| ends.acknowledged),
    })
}

/// Raises an alarm for another digest at the same position of the same history, and for a node that
/// doesn't support the core's digest.
async fn raise_alarms(app: &App, node: &Node, hello: &Hello, known: &Known) -> DbResult<()> {
    let alarm = |code| Alarm::new(code).of_node(node.venue_id, node.node_id);
    if let (Some(theirs), Some(ours)) = (hello.digest, known.digest_at_node)
        && hello.epoch == Some(known.epoch)
        && theirs != ours
    {
        let details = json!({ "position": hello.head, "node": theirs, "core": ours });
        alarms::raise(app, &alarm(Code::DigestMismatch).with(details)).await?;
    }
    if !hello.algorithms.contains(&DIGEST_ALGORITHM) {
        let details = json!({ "speaks": hello.algorithms, "needed": DIGEST_ALGORITHM });
        return alarms::raise(app, &alarm(Code::DigestAlgorithmUnknown).with(details)).await;
    }
    let mut conn = app.db.read(NAME).await?;
    alarms::end_in(app, &mut conn, Code::DigestAlgorithmUnknown, &node.node_id).await
}

/// Sends the entries between two positions. Entries after them are sent by the writer.
async fn send_entries(
    app: &App,
    node: &Node,
    epoch: Epoch,
    mut from: Position,
    head: Position,
) -> DbResult<()> {
    while from < head {
        let mut conn = app.db.read(NAME).await?;
        let limit = PAGE.min(head.0 - from.0);
        let entries = feed::list_entries_after(&mut conn, node.venue_id, from, limit).await?;
        drop(conn);
        let sent = u64::try_from(entries.len()).unwrap_or_default();
        if sent == 0 {
            // Compacted meanwhile: the node finds a gap and sends `Hello` again.
            return Ok(());
        }
        send_deltas(app, &[node.node_id], epoch, from, entries).await;
        from = Position(from.0 + sent);
    }
    Ok(())
}

/// An entry with its encoding.
struct Encoded(FeedEntry, Vec<u8>);

impl AsRef<[u8]> for Encoded {
    fn as_ref(&self) -> &[u8] {
        &self.1
    }
}

/// Sends consecutive entries after a position, in messages of a size that each node can take.
pub(super) async fn send_deltas(
    app: &App,
    nodes: &[NodeId],
    epoch: Epoch,
    after: Position,
    entries: Vec<FeedEntry>,
) {
    let encoded = entries.into_iter().map(|entry| {
        let bytes = entry.to_bytes();
        Encoded(entry, bytes)
    });
    let mut from = after;
    for part in parts(encoded, MAX_PART_BYTES) {
        let entries: Vec<_> = part.into_iter().map(|Encoded(entry, _)| entry).collect();
        let to = Position(from.0 + u64::try_from(entries.len()).unwrap_or_default());
        for node in nodes {
            let delta = Delta {
                epoch,
                from,
                to,
                entries: entries.clone(),
            };
            messages::send(app, *node, Down::Delta(delta)).await;
        }
        from = to;
    }
}
