//! Statements of a venue's tickets, with which fleet compares the venue's feed (ADMISSION 5.2).
//!
//! A statement goes out page by page, each with the sum of its tickets. Where the feed adds up to
//! something else, fleet asks for the page ticket by ticket, and doubts those that are wrong for
//! certain. These are restated with a version above the one that the feed holds: then the rule that
//! keeps older versions out lets them in, at fleet and at every node.

use std::collections::{BTreeMap, BTreeSet};

use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{TicketId, VenueId};

use crate::contexts::ticketing::App;
use crate::contexts::ticketing::model::Ticket;
use crate::contexts::ticketing::{NAME, store};
use eventify_contracts::fleet::{Doubt, TicketDoubt, TicketsDoubted, TicketsQuestioned};
use eventify_contracts::ticketing::{
    StatedTicket, TicketRange, TicketSum, TicketsRestated, TicketsStated, UnknownTicket,
};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};

/// Tickets of one page.
const PAGE: u16 = 500;

/// States the tickets of every venue whose statement is due: daily, and before doors.
pub(crate) async fn state_due(app: &App, cause: &Cause) -> DbResult<()> {
    let now = app.clock.now();
    let config = &app.state.settings;
    let schedule = store::Schedule {
        every: config.compare_every(),
        before_doors: config.compare_before_doors(),
        after_start: config.after_start(),
    };
    let mut conn = app.db.read(NAME).await?;
    let venues = store::venues_due(&mut conn, now, &schedule).await?;
    drop(conn);
    for venue in venues {
        let mut tx = app.db.begin(NAME, cause).await?;
        store::note_statement(&mut tx, venue, now).await?;
        let all = TicketRange {
            after: None,
            through: None,
            expiring_after: now.timestamp(),
        };
        state(app, &mut tx, venue, all, false).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// States a range ticket by ticket.
pub(crate) async fn answer(app: &App, tx: &mut Tx, asked: &TicketsQuestioned) -> DbResult<()> {
    state(app, tx, asked.venue_id, asked.range, true).await
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
        let tickets = store::tickets_in(tx, venue, &rest, PAGE).await?;
        let as_of = store::clock(tx).await?;
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

/// Restates what the feed holds wrongly. Under the tickets' locks it shows whether it does: a
/// version above the ticket's own is none that it ever had.
pub(crate) async fn restate(app: &App, tx: &mut Tx, doubted: &TicketsDoubted) -> DbResult<()> {
    let ids: BTreeSet<TicketId> = doubted
        .tickets
        .iter()
        .map(|doubt| doubt.ticket_id)
        .collect();
    let ids: Vec<TicketId> = ids.into_iter().collect();
    let mut known: BTreeMap<TicketId, Ticket> = store::lock_tickets(tx, &ids)
        .await?
        .into_iter()
        .filter(|ticket| ticket.venue_id == doubted.venue_id)
        .map(|ticket| (ticket.id, ticket))
        .collect();
    let (mut restated, mut unknown) = (Vec::new(), Vec::new());
    for doubt in &doubted.tickets {
        match (known.remove(&doubt.ticket_id), doubt.held_version) {
            (Some(ticket), held) if is_wrong(&ticket, doubt) => {
                let Some(ticket) = ticket.restated(held.unwrap_or_default(), app.clock.now())
                else {
                    tracing::error!(ticketId = %doubt.ticket_id, "no version left to restate with");
                    continue;
                };
                restated.push(ticket);
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
    store::save_tickets(tx, &restated).await?;
    let event = TicketsRestated {
        venue_id: doubted.venue_id,
        tickets: restated.iter().map(Ticket::facts).collect(),
        unknown,
    };
    tx.publish(app.clock.new_id(), 1, &event);
    Ok(())
}

/// Fleet was certain of the rest when it doubted.
fn is_wrong(ticket: &Ticket, doubt: &TicketDoubt) -> bool {
    let own = u64::try_from(ticket.version).unwrap_or_default();
    match doubt.doubt {
        Doubt::Missing | Doubt::Older | Doubt::Altered => true,
        // It may have changed, or have been issued, since it was stated.
        Doubt::Newer | Doubt::Unknown => doubt.held_version.is_some_and(|held| held > own),
    }
}
