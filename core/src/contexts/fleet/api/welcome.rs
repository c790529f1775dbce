//! `Hello`: what the node holds, and how it gets from there to the head (ADMISSION 5.3).

use eventify_protocol::ids::{MessageId, NodeId};
use eventify_protocol::sync::{
    DIGEST_ALGORITHM, Delta, Down, Epoch, FeedEntry, Hello, Plan, Position,
};
use eventify_sync::core::welcome::{Known, NoPlan, StoredSnapshot, answer};
use serde_json::json;

use super::{snapshots, uplink};
use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::model::alarm::Alarm;
use crate::contexts::fleet::model::feed::{MAX_CATCH_UP, MAX_PART_BYTES, parts};
use crate::contexts::fleet::model::node::Node;
use crate::contexts::fleet::store::{feed, journal, watermark};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult};

/// Entries read and sent at a time.
const PAGE: u64 = 1_000;

/// Answers a `Hello` with `Welcome`, which names the journal's acknowledged end, and with what the
/// plan names.
pub(crate) async fn welcome(
    app: &App,
    cause: &Cause,
    node: &Node,
    hello_id: MessageId,
    hello: &Hello,
) -> DbResult<()> {
    let mut known = look(app, cause, node, hello).await?;
    complain(app, node, hello, &known).await?;
    let mut planned = answer(hello_id, hello, &known);
    if planned == Err(NoPlan::MakeSnapshot) {
        let made = snapshots::fresh(app, cause, node.venue_id).await?;
        let snapshots::Snapshot {
            id,
            position,
            chunks,
            hash,
            ..
        } = made;
        known.snapshot = Some(StoredSnapshot {
            id,
            position,
            chunks,
            hash,
        });
        // It may hold more than the head that was looked up before it was made.
        known.head = known.head.max(position);
        planned = answer(hello_id, hello, &known);
    }
    let Ok(welcome) = planned else { return Ok(()) };
    let plan = welcome.plan.clone();
    uplink::send(app, node.node_id, Down::Welcome(welcome)).await;
    match plan {
        Plan::Delta { from } => catch_up(app, node, known.epoch, from, known.head).await,
        Plan::Snapshot { .. } => Ok(()),
    }
}

/// What the core holds, of one moment.
async fn look(app: &App, cause: &Cause, node: &Node, hello: &Hello) -> DbResult<Known> {
    let mut tx = app.db.begin(NAME, cause).await?;
    watermark::repeatable_read(&mut tx).await?;
    let feed = feed::find(&mut tx, node.venue_id)
        .await?
        .ok_or_else(|| DbError::impossible_row("a node's venue has no feed"))?;
    let ends = journal::current(&mut tx, node.node_id).await?;
    let epoch = watermark::epoch(&mut tx).await?;
    let head = feed.head.position;
    // Entries that are held, but too many to be sent one by one, count as not held.
    let oldest = feed.compacted_to.0.max(head.0.saturating_sub(MAX_CATCH_UP)) + 1;
    Ok(Known {
        epoch,
        head,
        digest_key: feed.key,
        digest_at_node: feed::digest_at(&mut tx, node.venue_id, hello.head).await?,
        oldest: Position(oldest),
        snapshot: None,
        acknowledged: ends.map(|ends| ends.acked),
    })
}

/// Raises what must not be: another digest at the same position of the same history, or a node
/// that can't speak our digest.
async fn complain(app: &App, node: &Node, hello: &Hello, known: &Known) -> DbResult<()> {
    let alarm = |code| Alarm::new(code).of(node.venue_id, node.node_id);
    if let (Some(theirs), Some(ours)) = (hello.digest, known.digest_at_node)
        && hello.epoch == Some(known.epoch)
        && theirs != ours
    {
        let details = json!({ "position": hello.head, "node": theirs, "core": ours });
        uplink::raise(app, &alarm("digest_mismatch").with(details)).await?;
    }
    if !hello.algorithms.contains(&DIGEST_ALGORITHM) {
        let details = json!({ "speaks": hello.algorithms, "needed": DIGEST_ALGORITHM });
        uplink::raise(app, &alarm("digest_algorithm_unknown").with(details)).await?;
    }
    Ok(())
}

/// Sends the entries between two positions. What is written meanwhile, the writer sends itself.
async fn catch_up(
    app: &App,
    node: &Node,
    epoch: Epoch,
    mut from: Position,
    head: Position,
) -> DbResult<()> {
    while from < head {
        let mut conn = app.db.read(NAME).await?;
        let limit = PAGE.min(head.0 - from.0);
        let entries = feed::entries_after(&mut conn, node.venue_id, from, limit).await?;
        drop(conn);
        let sent = u64::try_from(entries.len()).unwrap_or_default();
        if sent == 0 {
            // Compacted under our hands: the node meets a gap and says `Hello` again.
            return Ok(());
        }
        send_deltas(app, &[node.node_id], epoch, from, entries).await;
        from = Position(from.0 + sent);
    }
    Ok(())
}

/// An entry with its size on the wire.
struct Sized(FeedEntry, Vec<u8>);

impl AsRef<[u8]> for Sized {
    fn as_ref(&self) -> &[u8] {
        &self.1
    }
}

/// Sends consecutive entries after a position, in messages that each node can take.
pub(super) async fn send_deltas(
    app: &App,
    nodes: &[NodeId],
    epoch: Epoch,
    after: Position,
    entries: Vec<FeedEntry>,
) {
    let sized = entries.into_iter().map(|entry| {
        let bytes = entry.to_bytes();
        Sized(entry, bytes)
    });
    let mut from = after;
    for part in parts(sized, MAX_PART_BYTES) {
        let entries: Vec<_> = part.into_iter().map(|Sized(entry, _)| entry).collect();
        let to = Position(from.0 + u64::try_from(entries.len()).unwrap_or_default());
        for node in nodes {
            let delta = Delta {
                epoch,
                from,
                to,
                entries: entries.clone(),
            };
            uplink::send(app, *node, Down::Delta(delta)).await;
        }
        from = to;
    }
}
