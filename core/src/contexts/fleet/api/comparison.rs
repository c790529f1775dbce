//! The venue's feed is compared with ticketing's tickets, before doors and daily, and repaired by new
//! entries (ADMISSION 5.2). The rows of `feed_state` are what is compared: every snapshot is made of
//! them.
//!
//! No alarm is false: a difference counts when all that was committed before the statement is
//! settled, and ticketing looks once more, under the ticket's lock, where it may be newer.

use eventify_protocol::ids::VenueId;
use eventify_sync::core::feed::FeedHead;
use serde_json::json;

use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::api::uplink;
use crate::contexts::fleet::model::alarm::Alarm;
use crate::contexts::fleet::model::comparison::doubts;
use crate::contexts::fleet::store::comparisons;
use crate::contexts::fleet::store::feed::{self, Feed};
use crate::contexts::ticketing;
use eventify_contracts::fleet::{TicketDoubt, TicketsDoubted, TicketsQuestioned};
use eventify_contracts::ticketing::{StatedTicket, TicketSum, TicketsRestated, TicketsStated};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx, outbox};

/// Doubts of one message.
const MAX_DOUBTS: usize = 500;

/// Tickets that an alarm names.
const MAX_NAMED: usize = 10;

/// Compares the sums of a range; asks for each ticket if they differ. With the last range the feed's
/// own digest is to be looked at, when there has been time for repairs.
pub(crate) async fn weigh(app: &App, tx: &mut Tx, stated: &TicketsStated) -> DbResult<()> {
    let mut sum = TicketSum::NONE;
    comparisons::each_ticket(tx, stated.venue_id, &stated.range, |held| {
        if let Some(hash) = held.counted(&stated.range) {
            sum = sum.with(hash);
        }
    })
    .await?;
    if stated.range.through.is_none() {
        comparisons::add(tx, stated).await?;
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

/// Judges every statement whose time has come.
pub(crate) async fn judge_all(app: &App, cause: &Cause) -> DbResult<()> {
    loop {
        // Before the feed is read: what is settled now, is in it.
        let mut theirs = app.db.read(ticketing::NAME).await?;
        let settled_before = outbox::oldest_unprojected(&mut theirs).await?;
        drop(theirs);
        let mut tx = app.db.begin(NAME, cause).await?;
        let Some(stated) = comparisons::take(&mut tx, settled_before).await? else {
            return Ok(());
        };
        match &stated.tickets {
            Some(tickets) => judge(app, &mut tx, &stated, tickets).await?,
            None => check_digest(app, &mut tx, stated.venue_id).await?,
        }
        tx.commit().await?;
    }
}

async fn judge(
    app: &App,
    tx: &mut Tx,
    stated: &TicketsStated,
    tickets: &[StatedTicket],
) -> DbResult<()> {
    let named: std::collections::BTreeSet<_> =
        tickets.iter().map(|ticket| ticket.ticket_id).collect();
    let mut held = Vec::new();
    comparisons::each_ticket(tx, stated.venue_id, &stated.range, |ticket| {
        if named.contains(&ticket.id) || ticket.counted(&stated.range).is_some() {
            held.push(ticket);
        }
    })
    .await?;
    let found: Vec<TicketDoubt> = doubts(&stated.range, tickets, held);
    for part in found.chunks(MAX_DOUBTS) {
        let event = TicketsDoubted {
            venue_id: stated.venue_id,
            tickets: part.to_vec(),
        };
        tx.publish(app.clock.new_id(), 1, &event);
    }
    Ok(())
}

/// The digest must be that of the rows, or no node that begins anew ever agrees with it. It is not
/// where a row was changed behind the writer's back and has been replaced since.
async fn check_digest(app: &App, tx: &mut Tx, venue: VenueId) -> DbResult<()> {
    let held = feed::lock(tx, venue).await?;
    let counted = feed::recount(tx, venue, &held.key).await?;
    let Feed { head, .. } = held;
    if counted == head.digest {
        return Ok(());
    }
    let right = FeedHead {
        digest: counted,
        ..head
    };
    feed::correct(tx, venue, &right).await?;
    let details = json!({ "position": head.position, "held": head.digest, "rows": counted });
    let alarm = Alarm::new("feed_digest_wrong")
        .in_venue(venue)
        .with(details);
    uplink::raise_with(app, tx, &alarm).await
}

/// Raises the alarm: the feed held these wrongly.
pub(crate) async fn complain(app: &App, tx: &mut Tx, restated: &TicketsRestated) -> DbResult<()> {
    let known = restated.tickets.iter().map(|ticket| ticket.ticket_id);
    let unknown = restated.unknown.iter().map(|ticket| ticket.ticket_id);
    let named: Vec<_> = known.chain(unknown).take(MAX_NAMED).collect();
    let alarm = Alarm::new("feed_differs_from_ticketing")
        .in_venue(restated.venue_id)
        .with(json!({
            "restated": restated.tickets.len(),
            "unknown": restated.unknown.len(),
            "ticketIds": named,
        }));
    uplink::raise_with(app, tx, &alarm).await
}
