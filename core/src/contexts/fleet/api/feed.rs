//! The feed's writer: what waits becomes entries, in one transaction; then the nodes are told and
//! the publishing contexts' outboxes settled (ADMISSION 1.3, 5.1).

use std::collections::{BTreeMap, BTreeSet};

use eventify_protocol::ids::{NodeId, VenueId};
use eventify_protocol::sync::{Down, Epoch, FeedEntry, JournalAck, Position};
use eventify_sync::core::feed::{MAX_BATCH_ENTRIES, append};
use uuid::Uuid;

use super::{uplink, welcome};
use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::store::pending::Waiting;
use crate::contexts::fleet::store::watermark::FEEDING;
use crate::contexts::fleet::store::{batches, feed, nodes, pending, watermark};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, PgConnection, outbox};

/// What one transaction has written, for the nodes.
#[derive(Default)]
struct Written {
    news: Vec<(VenueId, Position, Vec<FeedEntry>)>,
    acks: Vec<(NodeId, JournalAck)>,
    dropped: usize,
}

/// What waits for one venue, in order.
#[derive(Default)]
struct Share {
    entries: Vec<FeedEntry>,
    batches: Vec<Uuid>,
    recount: bool,
}

/// Writes up to [`MAX_BATCH_ENTRIES`] of what waits, and answers the messages that it came from.
pub(crate) async fn write_batch(app: &App, cause: &Cause) -> DbResult<BTreeSet<Uuid>> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let taken = pending::take(&mut tx, MAX_BATCH_ENTRIES).await?;
    let messages: BTreeSet<Uuid> = taken.iter().map(|pending| pending.message).collect();
    if messages.is_empty() {
        return Ok(messages);
    }
    let ids: Vec<i64> = taken.iter().map(|pending| pending.id).collect();
    // By venue, so that two writers would lock venues in the same order.
    let mut shares = BTreeMap::<VenueId, Share>::new();
    for pending in taken {
        match pending.what {
            Waiting::Entry { venue, entry } => {
                let share = shares.entry(venue).or_default();
                share.entries.push(entry);
                share.recount |= pending.recount;
            }
            Waiting::Batch { venue, batch } => shares.entry(venue).or_default().batches.push(batch),
            Waiting::Nothing => {}
        }
    }
    let mut written = Written::default();
    let epoch = watermark::epoch(&mut tx).await?;
    for (venue, share) in shares {
        write_share(&mut tx, venue, epoch, share, &mut written).await?;
    }
    pending::written(&mut tx, &ids).await?;
    let venues: Vec<VenueId> = written.news.iter().map(|(venue, ..)| *venue).collect();
    let listening = nodes::listening(&mut tx, &venues).await?;
    tx.commit().await?;
    if written.dropped > 0 {
        tracing::info!(
            dropped = written.dropped,
            "older versions left out of the feed"
        );
    }
    tell(app, epoch, &listening, written).await;
    Ok(messages)
}

async fn write_share(
    conn: &mut PgConnection,
    venue: VenueId,
    epoch: Epoch,
    share: Share,
    written: &mut Written,
) -> DbResult<()> {
    let mut feed = feed::lock(conn, venue).await?;
    if share.recount {
        feed.head.digest = feed::recount(conn, venue, &feed.key).await?;
    }
    let subjects = share.entries.iter().map(|entry| &entry.subject);
    let held = feed::held(conn, venue, subjects).await?;
    let new = append(feed.head, &feed.key, held, share.entries);
    written.dropped += new.dropped;
    if !new.entries.is_empty() {
        feed::append(conn, venue, &new).await?;
        let entries = new.entries.into_iter().map(|(_, entry)| entry).collect();
        written.news.push((venue, feed.head.position, entries));
    } else if share.recount {
        feed::correct(conn, venue, &feed.head).await?;
    }
    for batch in share.batches {
        written
            .acks
            .extend(batches::applied(conn, batch, new.head.position, epoch).await?);
    }
    Ok(())
}

async fn tell(app: &App, epoch: Epoch, listening: &[(VenueId, NodeId)], written: Written) {
    for (venue, after, entries) in written.news {
        let nodes: Vec<NodeId> = listening
            .iter()
            .filter(|(of, _)| *of == venue)
            .map(|(_, node)| *node)
            .collect();
        welcome::send_deltas(app, &nodes, epoch, after, entries).await;
    }
    for (node, ack) in written.acks {
        uplink::send(app, node, Down::JournalAck(ack)).await;
    }
}

/// Settles the outbox rows of those of these messages, or of all, that the feed holds wholly. Safe to
/// repeat: a crash after any statement only makes the next run do it again.
pub(crate) async fn settle(app: &App, among: Option<&BTreeSet<Uuid>>) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    let done = pending::to_settle(&mut conn, among).await?;
    for (source, messages) in done {
        if let Some(context) = FEEDING.into_iter().find(|context| *context == source) {
            let mut theirs = app.db.read(context).await?;
            outbox::mark_projected(&mut theirs, &messages).await?;
        }
        pending::forget(&mut conn, &messages).await?;
    }
    Ok(())
}
