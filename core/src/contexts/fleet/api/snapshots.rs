//! Snapshots: made once for a position, pulled by everybody (ADMISSION 5.4).

use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{SnapshotId, VenueId};
use eventify_protocol::sync::{Chunk, Down, Position, Pull};
use eventify_sync::core::feed::FeedHead;
use sha2::{Digest as _, Sha256};

use super::uplink;
use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::model::feed::{MAX_PART_BYTES, array_of, parts};
use crate::contexts::fleet::model::node::Node;
pub(super) use crate::contexts::fleet::store::snapshots::Snapshot;
use crate::contexts::fleet::store::{feed, snapshots, watermark};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult};

/// A snapshot serves until so many entries have followed it.
const FRESH_ENTRIES: u64 = 1_000;

/// Most chunks that one `Pull` is answered with; the node asks for more.
const MAX_CHUNKS_PER_PULL: u32 = 64;

/// A snapshot of the venue that is fresh enough; made if there is none.
pub(crate) async fn fresh(app: &App, cause: &Cause, venue: VenueId) -> DbResult<Snapshot> {
    if let Some(held) = find(app, venue).await? {
        return Ok(held);
    }
    // One process makes it; the others wait here and find it.
    let elected = app.db.elect(NAME, &format!("snapshot/{venue}")).await?;
    let made = match find(app, venue).await {
        Ok(Some(held)) => Ok(held),
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
    let from = feed
        .head
        .position
        .0
        .saturating_sub(FRESH_ENTRIES)
        .max(feed.compacted_to.0);
    let from = Position(from);
    let Some(held) = snapshots::newest(&mut conn, venue, epoch, from).await? else {
        return Ok(None);
    };
    // From now on compaction keeps what follows it.
    snapshots::pulled(&mut conn, held.id, venue).await
}

async fn make(app: &App, cause: &Cause, venue: VenueId) -> DbResult<Snapshot> {
    let mut tx = app.db.begin(NAME, cause).await?;
    watermark::repeatable_read(&mut tx).await?;
    let FeedHead { position, digest } = feed::find(&mut tx, venue)
        .await?
        .map(|feed| feed.head)
        .ok_or_else(|| DbError::impossible_row("a node's venue has no feed"))?;
    let rows = feed::rows(&mut tx, venue).await?;
    let mut chunks: Vec<Vec<u8>> = parts(&rows, MAX_PART_BYTES)
        .iter()
        .map(|part| array_of(part))
        .collect();
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
    snapshots::add(&mut tx, &snapshot, &chunks).await?;
    tx.commit().await?;
    tracing::info!(%venue, position = position.0, rows = rows.len(), "snapshot made");
    Ok(snapshot)
}

/// Sends the chunks that a node asked for. Of a snapshot that is gone, none: the node begins anew
/// with `Hello`.
pub(crate) async fn pull(app: &App, node: &Node, pull: &Pull) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    let Some(snapshot) = snapshots::pulled(&mut conn, pull.snapshot, node.venue_id).await? else {
        tracing::warn!(node = %node.node_id, snapshot = %pull.snapshot, "snapshot is gone");
        return Ok(());
    };
    let count = pull.count.min(MAX_CHUNKS_PER_PULL);
    let chunks = snapshots::chunks(&mut conn, snapshot.id, pull.from, count).await?;
    drop(conn);
    for (index, bytes) in chunks {
        let of = snapshot.chunks;
        let chunk = Chunk {
            snapshot: snapshot.id,
            index,
            of,
            bytes: bytes.into(),
        };
        uplink::send(app, node.node_id, Down::Chunk(chunk)).await;
    }
    Ok(())
}
