//! The venue's feed is compared with ticketing's tickets, and fleet's own performances and people, before doors
//! and daily, and repaired by new entries (ADMISSION 5.2). The rows of `feed_state` are compared, because
//! snapshots are made of them.
//!
//! No alarm is false: a difference counts when all that was committed before the statement is in the
//! feed, and ticketing checks each doubted ticket under its lock.

use std::collections::BTreeSet;

use eventify_contracts::fleet::{TicketsDoubted, TicketsQuestioned};
use eventify_contracts::ticketing::{StatedTicket, TicketSum, TicketsRestated, TicketsStated};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx, outbox};
use eventify_protocol::ids::VenueId;
use eventify_sync::core::feed::FeedHead;
use serde_json::json;

use super::{alarms, performances as performance_acts, staff};
use crate::contexts::fleet::model::alarm::{Alarm, Code};
use crate::contexts::fleet::model::comparison::doubts;
use crate::contexts::fleet::store::feed::{self, Feed};
use crate::contexts::fleet::store::{comparisons, performances, watermark};
use crate::contexts::fleet::{App, NAME};
use crate::contexts::ticketing;

/// Doubts of one message.
const MAX_DOUBTS: usize = 500;

/// Tickets that an alarm names.
const MAX_NAMED: usize = 10;

/// Compares the sums of a range, and asks for each ticket if they differ. With the last range the
/// performances and the people are compared; it is stored as well, and the feed's own digest is checked with it, when
/// there has been time for repairs.
pub(crate) async fn compare_sums(app: &App, tx: &mut Tx, stated: &TicketsStated) -> DbResult<()> {
    let mut sum = TicketSum::NONE;
    let range = &stated.range;
    let over = performances::list_over(tx, stated.venue_id, range.expiring_after).await?;
    comparisons::each_ticket(tx, stated.venue_id, range, |ticket| {
        if let Some(hash) = ticket.hash_unless(&over) {
            sum = sum.with(hash);
        }
    })
    .await?;
    if stated.range.through.is_none() {
        performance_acts::compare(app, tx, stated.venue_id, range.expiring_after).await?;
        staff::compare(app, tx, stated.venue_id).await?;
        comparisons::insert(tx, stated).await?;
    }
    if (sum.count, sum.digest) != (stated.count, stated.digest) {
        let event = TicketsQuestioned {
            venue_id: stated.venue_id,
            range: stated.range,
        };
        tx.publish(app.clock.new_id(), 1, &event);
    }
    Ok(())
}

/// Compares every stored statement before which all is in its venue's feed.
pub(crate) async fn compare_due(app: &App, cause: &Cause) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    let venues = comparisons::list_venues(&mut conn).await?;
    drop(conn);
    // What fails for one venue holds up no other's.
    let mut compared = Ok(());
    for venue in venues {
        compared = compared.and(compare_due_of(app, cause, venue).await);
    }
    compared
}

async fn compare_due_of(app: &App, cause: &Cause, venue: VenueId) -> DbResult<()> {
    loop {
        // Before the feed is read: what is projected now, is in it.
        let mut conn = app.db.read(ticketing::NAME).await?;
        let projected_before = outbox::oldest_unprojected(&mut conn, venue.into()).await?;
        drop(conn);
        let mut tx = app.db.begin(NAME, cause).await?;
        let Some(stated) = comparisons::claim(&mut tx, venue, projected_before).await? else {
            return Ok(());
        };
        match &stated.tickets {
            Some(tickets) => compare_tickets(app, &mut tx, &stated, tickets).await?,
            None => {
                if digest_differs(app, cause, stated.venue_id).await? {
                    correct_digest(app, &mut tx, stated.venue_id).await?;
                }
            }
        }
        tx.commit().await?;
    }
}

async fn compare_tickets(
    app: &App,
    tx: &mut Tx,
    stated: &TicketsStated,
    tickets: &[StatedTicket],
) -> DbResult<()> {
    let named: BTreeSet<_> = tickets.iter().map(|ticket| ticket.ticket_id).collect();
    let mut in_feed = Vec::new();
    let range = &stated.range;
    let over = performances::list_over(tx, stated.venue_id, range.expiring_after).await?;
    comparisons::each_ticket(tx, stated.venue_id, range, |ticket| {
        if named.contains(&ticket.id) || ticket.hash_unless(&over).is_some() {
            in_feed.push(ticket);
        }
    })
    .await?;
    for part in doubts(&over, tickets, in_feed).chunks(MAX_DOUBTS) {
        let event = TicketsDoubted {
            venue_id: stated.venue_id,
            tickets: part.to_vec(),
        };
        tx.publish(app.clock.new_id(), 1, &event);
    }
    Ok(())
}

/// Whether the feed's digest is that of its rows, by one snapshot of the database: counting takes long
/// in a large venue, and the writer, T and all gates would wait behind a lock, just before doors.
async fn digest_differs(app: &App, cause: &Cause, venue: VenueId) -> DbResult<bool> {
    let mut tx = app.db.begin(NAME, cause).await?;
    watermark::repeatable_read(&mut tx).await?;
    let Some(Feed { head, key, .. }) = feed::find(&mut tx, venue).await? else {
        return Ok(false);
    };
    Ok(feed::digest_of_rows(&mut tx, venue, &key).await? != head.digest)
}

/// Corrects the feed's digest if it is not that of the rows: no new replica would ever agree with it.
/// It differs where a row was changed behind the writer's back and has been replaced since.
async fn correct_digest(app: &App, tx: &mut Tx, venue: VenueId) -> DbResult<()> {
    let Feed { head, key, .. } = feed::lock(tx, venue).await?;
    let digest = feed::digest_of_rows(tx, venue, &key).await?;
    if digest == head.digest {
        return Ok(());
    }
    feed::update_digest(tx, venue, &FeedHead { digest, ..head }).await?;
    let details = json!({ "position": head.position, "held": head.digest, "rows": digest });
    let alarm = Alarm::new(Code::FeedDigestWrong)
        .of_venue(venue)
        .with(details);
    alarms::raise_in(app, tx, &alarm).await
}

/// Raises the alarm that rows of the feed were wrong.
pub(crate) async fn raise_difference(
    app: &App,
    tx: &mut Tx,
    restated: &TicketsRestated,
) -> DbResult<()> {
    let known = restated.tickets.iter().map(|ticket| ticket.ticket_id);
    let unknown = restated.unknown.iter().map(|ticket| ticket.ticket_id);
    let named: Vec<_> = known.chain(unknown).take(MAX_NAMED).collect();
    let alarm = Alarm::new(Code::FeedDiffersFromTicketing)
        .of_venue(restated.venue_id)
        .with(json!({
            "restated": restated.tickets.len(),
            "unknown": restated.unknown.len(),
            "ticketIds": named,
        }));
    alarms::raise_in(app, tx, &alarm).await
}
