//! Statements of a venue's tickets, with which fleet compares the venue's feed (`ADMISSION` 5.2).
//!
//! A statement goes out page by page, each with the sum of its tickets. Where the feed has another
//! sum, fleet asks for the page ticket by ticket, and reports those that are certainly wrong. These
//! are stated again with a version above the one in the feed: then fleet and every node accept them,
//! by the rule that an older version never overwrites a newer one.

use std::collections::{BTreeMap, BTreeSet};

use eventify_contracts::fleet::{Doubt, TicketDoubt, TicketsDoubted, TicketsQuestioned};
use eventify_contracts::ticketing::{
    StatedTicket, TicketRange, TicketSum, TicketsRestated, TicketsStated, UnknownTicket,
};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{TicketId, VenueId};

use crate::contexts::ticketing::App;
use crate::contexts::ticketing::model::Ticket;
use crate::contexts::ticketing::{NAME, store};

/// Tickets of one page.
const PAGE: u16 = 500;

/// States the tickets of every venue whose statement is due: daily, and before doors.
pub(crate) async fn state_due_venues(app: &App, cause: &Cause) -> DbResult<()> {
    let now = app.clock.now();
    let mut conn = app.db.read(NAME).await?;
    let venues = store::list_due_venues(&mut conn, now, &app.state.settings).await?;
    drop(conn);
    // What fails for one venue holds up no other's.
    let mut stated = Ok(());
    for venue in venues {
        stated = stated.and(state_venue(app, cause, venue).await);
    }
    stated
}

async fn state_venue(app: &App, cause: &Cause, venue: VenueId) -> DbResult<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    store::upsert_statement(&mut tx, venue, now).await?;
    let all = TicketRange {
        after: None,
        through: None,
        expiring_after: now.timestamp(),
    };
    state(app, &mut tx, venue, all, false).await?;
    tx.commit().await
}

/// States a range ticket by ticket.
pub(crate) async fn state_each(
    app: &App,
    tx: &mut Tx,
    question: &TicketsQuestioned,
) -> DbResult<()> {
    state(app, tx, question.venue_id, question.range, true).await
}

/// States a range in pages; together they are the whole range.
async fn state(
    app: &App,
    tx: &mut Tx,
    venue: VenueId,
    range: TicketRange,
    each: bool,
) -> DbResult<()> {
    let mut rest = range;
    loop {
        let tickets = store::list_tickets_in(tx, venue, &rest, PAGE).await?;
        let as_of = store::database_now(tx).await?;
        let last = tickets.len() < usize::from(PAGE);
        let end = tickets.last().map(|ticket| ticket.id).filter(|_| !last);
        let tickets: Vec<StatedTicket> = tickets.iter().map(stated).collect();
        let sum = tickets
            .iter()
            .fold(TicketSum::NONE, |sum, ticket| sum.with(ticket.hash));
        let event = TicketsStated {
            venue_id: venue,
            range: TicketRange {
                through: end.or(range.through),
                ..rest
            },
            count: sum.count,
            digest: sum.digest,
            tickets: each.then_some(tickets),
            as_of,
        };
        tx.publish(app.clock.new_id(), 1, &event);
        match end {
            Some(end) => rest.after = Some(end),
            None => return Ok(()),
        }
    }
}

fn stated(ticket: &Ticket) -> StatedTicket {
    StatedTicket {
        ticket_id: ticket.id,
        version: ticket.version,
        hash: Hash32::of(&ticket.facts().entry().to_bytes()),
    }
}

/// States again what is wrong in the feed. Whether it is shows under the tickets' locks: the ticket
/// never had a version above its own.
pub(crate) async fn restate(app: &App, tx: &mut Tx, doubted: &TicketsDoubted) -> DbResult<()> {
    let ids: BTreeSet<TicketId> = doubted
        .tickets
        .iter()
        .map(|doubt| doubt.ticket_id)
        .collect();
    let ids: Vec<TicketId> = ids.into_iter().collect();
    let mut stored: BTreeMap<TicketId, Ticket> = store::lock_tickets(tx, &ids)
        .await?
        .into_iter()
        .filter(|ticket| ticket.venue_id == doubted.venue_id)
        .map(|ticket| (ticket.id, ticket))
        .collect();
    let (mut restated, mut unknown) = (Vec::new(), Vec::new());
    for doubt in &doubted.tickets {
        match (stored.remove(&doubt.ticket_id), doubt.held_version) {
            (Some(ticket), in_feed) if is_wrong(&ticket, doubt) => {
                match ticket.restated(in_feed.unwrap_or_default(), app.clock.now()) {
                    Some(ticket) => restated.push(ticket),
                    None => tracing::error!(code = "ticketing.versions_exhausted",
                        ticket_id = %doubt.ticket_id, "no version is left to state a ticket again"),
                }
            }
            (None, Some(version)) => unknown.push(UnknownTicket {
                ticket_id: doubt.ticket_id,
                version,
            }),
            (Some(_), _) | (None, None) => {}
        }
    }
    if restated.is_empty() && unknown.is_empty() {
        return Ok(());
    }
    store::update_tickets(tx, &restated).await?;
    let event = TicketsRestated {
        venue_id: doubted.venue_id,
        tickets: restated.iter().map(Ticket::facts).collect(),
        unknown,
    };
    tx.publish(app.clock.new_id(), 1, &event);
    Ok(())
}

/// Of the other doubts fleet was certain already.
fn is_wrong(ticket: &Ticket, doubt: &TicketDoubt) -> bool {
    let own = u64::try_from(ticket.version).unwrap_or_default();
    match doubt.doubt {
        Doubt::Missing | Doubt::Older | Doubt::Altered => true,
        // It may have changed, or have been issued, since it was stated.
        Doubt::Newer | Doubt::Unknown => doubt.held_version.is_some_and(|in_feed| in_feed > own),
    }
}
