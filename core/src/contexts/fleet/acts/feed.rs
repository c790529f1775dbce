//! The feed's writer: pending changes become entries, in one transaction; then nodes get them, and
//! the rows in the publishing contexts' outboxes are marked as projected (ADMISSION 1.3, 5.1).

use std::collections::{BTreeMap, BTreeSet};

use eventify_contracts::flows::FEEDING;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, PgConnection, Tx, outbox};
use eventify_protocol::ids::{NodeId, VenueId};
use eventify_protocol::sync::{Down, Epoch, FeedEntry, JournalAck, Position};
use eventify_sync::core::feed::{MAX_BATCH_ENTRIES, append};
use uuid::Uuid;

use super::{messages, venues, welcome};
use crate::contexts::fleet::store::pending::{Change, Origin, Pending, Whose, Work};
use crate::contexts::fleet::store::{batches, feed, nodes, pending, watermark};
use crate::contexts::fleet::{App, NAME, jobs};

/// Hands changes to the writer. A message without entries is handed over too: its outbox row is to
/// be marked.
pub(crate) async fn enqueue(app: &App, tx: &mut Tx, changes: &[Change]) -> DbResult<()> {
    let entries = changes.iter().flat_map(|change| &change.entries);
    let venues: BTreeSet<VenueId> = entries.map(|(venue, _)| *venue).collect();
    for venue in venues {
        venues::ensure(app, tx, venue).await?;
    }
    pending::insert(tx, changes).await?;
    tx.wake(app.jobs.wake(jobs::WRITE_FEED));
    Ok(())
}

/// Hands fleet's own changes, of venues that have a feed, to the writer.
pub(crate) async fn enqueue_own(
    app: &App,
    tx: &mut Tx,
    entries: Vec<(VenueId, FeedEntry)>,
) -> DbResult<()> {
    insert_own(app, tx, entries).await.map(drop)
}

/// The same, of entries that repair rows: the writer counts the digest anew.
pub(crate) async fn enqueue_repairs(
    app: &App,
    tx: &mut Tx,
    entries: Vec<(VenueId, FeedEntry)>,
) -> DbResult<()> {
    let message = insert_own(app, tx, entries).await?;
    pending::mark_recount(tx, message).await
}

async fn insert_own(app: &App, tx: &mut Tx, entries: Vec<(VenueId, FeedEntry)>) -> DbResult<Uuid> {
    let origin = Origin {
        message: app.clock.new_id(),
        source: NAME,
    };
    pending::insert(tx, &[Change { origin, entries }]).await?;
    tx.wake(app.jobs.wake(jobs::WRITE_FEED));
    Ok(origin.message)
}

/// Pending work of one venue, in order.
#[derive(Default)]
struct Share {
    entries: Vec<FeedEntry>,
    batches: Vec<Uuid>,
    recount: bool,
}

/// What one transaction has written, for the nodes.
#[derive(Default)]
struct Written {
    deltas: Vec<(VenueId, Position, Vec<FeedEntry>)>,
    acks: Vec<(NodeId, JournalAck)>,
    skipped: usize,
}

/// Writes up to [`MAX_BATCH_ENTRIES`] of what is pending, and returns the messages that it came from. If
/// that fails, each venue gets a transaction of its own: what can't be written for one holds up no other.
pub(crate) async fn write_batch(app: &App, cause: &Cause) -> DbResult<BTreeSet<Uuid>> {
    match write_of(app, cause, Whose::All).await {
        Err(error) if app.db.answers(NAME).await => write_one_by_one(app, cause, error).await,
        done => done,
    }
}

/// Fails only if nothing could be written.
async fn write_one_by_one(app: &App, cause: &Cause, error: DbError) -> DbResult<BTreeSet<Uuid>> {
    let mut conn = app.db.read(NAME).await?;
    let venues = pending::list_venues(&mut conn).await?;
    drop(conn);
    let mut messages = BTreeSet::new();
    for venue in venues {
        match write_of(app, cause, Whose::Of(venue)).await {
            Ok(written) => messages.extend(written),
            Err(error) => tracing::error!(
                code = "fleet.feed_not_written",
                venue_id = venue.map(tracing::field::display),
                %error,
                "changes of a venue's feed can't be written; those of the others are"
            ),
        }
    }
    if messages.is_empty() {
        return Err(error);
    }
    Ok(messages)
}

async fn write_of(app: &App, cause: &Cause, whose: Whose) -> DbResult<BTreeSet<Uuid>> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let claimed = pending::claim(&mut tx, whose, MAX_BATCH_ENTRIES).await?;
    let messages: BTreeSet<Uuid> = claimed.iter().map(|pending| pending.message).collect();
    if messages.is_empty() {
        return Ok(messages);
    }
    let ids: Vec<i64> = claimed.iter().map(|pending| pending.id).collect();
    let epoch = watermark::epoch(&mut tx).await?;
    let mut written = Written::default();
    for (venue, share) in shares(claimed) {
        write_share(&mut tx, venue, epoch, share, &mut written).await?;
    }
    pending::mark_written(&mut tx, &ids).await?;
    let venues: Vec<VenueId> = written.deltas.iter().map(|(venue, ..)| *venue).collect();
    let enrolled = nodes::list_enrolled(&mut tx, &venues).await?;
    tx.commit().await?;
    if written.skipped > 0 {
        tracing::info!(
            code = "fleet.older_entries_skipped",
            entries = written.skipped,
            "entries were not written because the feed has newer versions"
        );
    }
    send(app, epoch, &enrolled, written).await;
    Ok(messages)
}

/// By venue, so that two writers would lock venues in the same order.
fn shares(claimed: Vec<Pending>) -> BTreeMap<VenueId, Share> {
    let mut shares = BTreeMap::<VenueId, Share>::new();
    for Pending { work, recount, .. } in claimed {
        match work {
            Work::Entry { venue, entry } => {
                let share = shares.entry(venue).or_default();
                share.entries.push(entry);
                share.recount |= recount;
            }
            Work::Batch { venue, batch } => shares.entry(venue).or_default().batches.push(batch),
            Work::None => {}
        }
    }
    shares
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
        feed.head.digest = feed::digest_of_rows(conn, venue, &feed.key).await?;
    }
    let subjects = share.entries.iter().map(|entry| &entry.subject);
    let present = feed::newest_of(conn, venue, subjects).await?;
    let new = append(feed.head, &feed.key, present, share.entries);
    written.skipped += new.dropped;
    if !new.entries.is_empty() {
        feed::append(conn, venue, &new).await?;
        let entries = new.entries.into_iter().map(|(_, entry)| entry).collect();
        written.deltas.push((venue, feed.head.position, entries));
    } else if share.recount {
        feed::update_digest(conn, venue, &feed.head).await?;
    }
    for batch in share.batches {
        let ack = batches::mark_applied(conn, batch, new.head.position, epoch).await?;
        written.acks.extend(ack);
    }
    Ok(())
}

async fn send(app: &App, epoch: Epoch, enrolled: &[(VenueId, NodeId)], written: Written) {
    for (venue, after, entries) in written.deltas {
        let nodes = enrolled.iter().filter(|(of, _)| *of == venue);
        let nodes: Vec<NodeId> = nodes.map(|(_, node)| *node).collect();
        welcome::send_deltas(app, &nodes, epoch, after, entries).await;
    }
    for (node, ack) in written.acks {
        messages::send(app, node, Down::JournalAck(ack)).await;
    }
}

/// Marks the outbox rows of those of these messages, or of all, that are fully written. Safe to
/// repeat: a crash after any statement only makes the next run do it again.
pub(crate) async fn mark_projected(app: &App, among: Option<&BTreeSet<Uuid>>) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    for (source, messages) in pending::fully_written(&mut conn, among).await? {
        if let Some(context) = FEEDING.into_iter().find(|context| *context == source) {
            let mut theirs = app.db.read(context).await?;
            outbox::mark_projected(&mut theirs, &messages).await?;
        }
        pending::delete_written(&mut conn, &messages).await?;
    }
    Ok(())
}
