//! Snapshots: made once for a position, pulled by every node that needs one (ADMISSION 5.4).

use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{SnapshotId, VenueId};
use eventify_protocol::sync::{Chunk, Down, Position, Pull, SnapshotGone};
use eventify_sync::core::feed::FeedHead;
use sha2::{Digest as _, Sha256};

use super::messages;
use crate::contexts::fleet::model::node::Node;
use crate::contexts::fleet::model::parts::{MAX_CATCH_UP, MAX_PART_BYTES, array_of, parts};
use crate::contexts::fleet::store::snapshots::{self, Freshness, Snapshot};
use crate::contexts::fleet::store::{feed, watermark};
use crate::contexts::fleet::{App, NAME};

/// A snapshot is reused until this many entries have followed it,
const FRESH_ENTRIES: u64 = 1_000;
/// or until it is this old, in seconds, while the entries since can be sent: a venue that sells fast, or a
/// node that asks without end, makes the core write no more of them.
const MADE_AT_MOST_EVERY: u32 = 60;

/// Most chunks in the answer to one `Pull`; the node asks for more.
const MAX_CHUNKS_PER_PULL: u32 = 16;

/// A snapshot of the venue that is fresh enough; made if there is none.
pub(crate) async fn fresh(app: &App, cause: &Cause, venue: VenueId) -> DbResult<Snapshot> {
    if let Some(snapshot) = find(app, venue).await? {
        return Ok(snapshot);
    }
    // One at a time in a process, and one process a venue; the others wait here, without a connection, and
    // find it.
    let _turn = app.state.snapshots().acquire().await;
    if let Some(snapshot) = find(app, venue).await? {
        return Ok(snapshot);
    }
    let elected = app.db.elect(NAME, &format!("snapshot/{venue}")).await?;
    let made = match find(app, venue).await {
        Ok(Some(snapshot)) => Ok(snapshot),
        Ok(None) => make(app, cause, venue).await,
        Err(error) => Err(error),
    };
    elected.resign().await;
    made
}

async fn find(app: &App, venue: VenueId) -> DbResult<Option<Snapshot>> {
    let mut conn = app.db.read(NAME).await?;
    let Some(feed) = feed::find(&mut conn, venue).await? else {
        return Ok(None);
    };
    let epoch = watermark::epoch(&mut conn).await?;
    let behind = |entries| {
        let from = feed.head.position.0.saturating_sub(entries);
        Position(from.max(feed.compacted_to.0))
    };
    let fresh = Freshness {
        position: behind(FRESH_ENTRIES),
        young_position: behind(MAX_CATCH_UP),
        young_seconds: MADE_AT_MOST_EVERY,
    };
    let Some(newest) = snapshots::find_newest(&mut conn, venue, epoch, fresh).await? else {
        return Ok(None);
    };
    // From now on compaction keeps the entries after it.
    snapshots::mark_pulled(&mut conn, newest.id, venue).await
}

async fn make(app: &App, cause: &Cause, venue: VenueId) -> DbResult<Snapshot> {
    let mut tx = app.db.begin(NAME, cause).await?;
    watermark::repeatable_read(&mut tx).await?;
    let FeedHead { position, digest } = feed::find(&mut tx, venue)
        .await?
        .map(|feed| feed.head)
        .ok_or_else(|| DbError::impossible_row("a node's venue has no feed"))?;
    let rows = feed::list_rows(&mut tx, venue).await?;
    let parts = parts(&rows, MAX_PART_BYTES);
    let mut chunks: Vec<Vec<u8>> = parts.iter().map(|part| array_of(part)).collect();
    if chunks.is_empty() {
        chunks.push(array_of::<Vec<u8>>(&[]));
    }
    let mut hash = Sha256::new();
    for chunk in &chunks {
        hash.update(chunk);
    }
    let snapshot = Snapshot {
        id: SnapshotId(app.clock.new_id()),
        venue,
        epoch: watermark::epoch(&mut tx).await?,
        position,
        digest,
        chunks: u32::try_from(chunks.len()).map_err(DbError::impossible_row)?,
        hash: Hash32(hash.finalize().into()),
    };
    snapshots::insert(&mut tx, &snapshot, &chunks).await?;
    tx.commit().await?;
    tracing::info!(
        code = "fleet.snapshot_made",
        venue_id = %venue,
        position = position.0,
        rows = rows.len(),
        "a snapshot was made"
    );
    Ok(snapshot)
}

/// Sends the chunks that a node asked for, or that their snapshot was deleted: it would wait for them
/// for long, and have no cache meanwhile.
pub(crate) async fn send_chunks(app: &App, node: &Node, pull: &Pull) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    let pulled = snapshots::mark_pulled(&mut conn, pull.snapshot, node.venue_id).await?;
    let Some(snapshot) = pulled else {
        tracing::warn!(
            code = "fleet.snapshot_gone",
            node_id = %node.node_id,
            snapshot_id = %pull.snapshot,
            "a node asked for a snapshot that no longer exists"
        );
        let gone = SnapshotGone {
            snapshot: pull.snapshot,
        };
        messages::send(app, node.node_id, Down::SnapshotGone(gone)).await;
        return Ok(());
    };
    let count = pull.count.min(MAX_CHUNKS_PER_PULL);
    let chunks = snapshots::list_chunks(&mut conn, snapshot.id, pull.from, count).await?;
    drop(conn);
    for (index, bytes) in chunks {
        let chunk = Chunk {
            snapshot: snapshot.id,
            index,
            of: snapshot.chunks,
            bytes: bytes.into(),
        };
        messages::send(app, node.node_id, Down::Chunk(chunk)).await;
    }
    Ok(())
}
