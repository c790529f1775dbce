//! Short codes for the tickets of before there were any. Each is a new version of its ticket, which the
//! feed follows.

use std::collections::BTreeMap;

use eventify_contracts::ticketing::TicketsCoded;
use eventify_kernel::cause::Cause;
use eventify_protocol::ids::{TicketId, VenueId};

use super::Error;
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::model::{Ticket, TicketCode};
use crate::contexts::ticketing::{NAME, store};

/// Tickets of one transaction: few, because gates may wait for one of them.
const TICKETS_AT_ONCE: u16 = 100;

/// Gives codes to all tickets that lack one and may still admit somebody.
pub(crate) async fn give_missing(app: &App, cause: &Cause) -> Result<(), Error> {
    let mut given = 0;
    loop {
        let mut conn = app.db.read(NAME).await?;
        let missing = store::list_without_code(&mut conn, app.clock.now(), TICKETS_AT_ONCE).await?;
        drop(conn);
        let codes = make(app, missing).await?;
        let coded = give(app, cause, &codes).await?;
        if coded == 0 {
            break;
        }
        given += coded;
    }
    if given > 0 {
        tracing::info!(
            code = "ticketing.codes_given",
            tickets = given,
            "tickets of before there were short codes have one now"
        );
    }
    Ok(())
}

/// Before any lock, and on a thread of its own: a hundred take a good part of a second.
async fn make(
    app: &App,
    missing: Vec<(TicketId, VenueId)>,
) -> Result<BTreeMap<TicketId, TicketCode>, Error> {
    let clock = app.clock.clone();
    let make = move || {
        let codes = missing.into_iter();
        codes
            .map(|(ticket, venue)| (ticket, TicketCode::new(&clock.random_bytes(), venue)))
            .collect()
    };
    tokio::task::spawn_blocking(make)
        .await
        .map_err(|_| Error::Interrupted)
}

async fn give(
    app: &App,
    cause: &Cause,
    codes: &BTreeMap<TicketId, TicketCode>,
) -> Result<usize, Error> {
    let ids: Vec<_> = codes.keys().copied().collect();
    let mut tx = app.db.begin(NAME, cause).await?;
    let locked = store::lock_tickets(&mut tx, &ids).await?;
    let without = locked.into_iter().filter(|ticket| ticket.code.is_none());
    let now = app.clock.now();
    let coded: Vec<_> = without
        .filter_map(|ticket| Some((*codes.get(&ticket.id)?, ticket)))
        .map(|(code, ticket)| ticket.with_code(code, now))
        .collect();
    store::update_tickets(&mut tx, &coded).await?;
    let mut by_venue = BTreeMap::<_, Vec<_>>::new();
    for ticket in &coded {
        by_venue.entry(ticket.venue_id).or_default().push(ticket);
    }
    for (venue_id, tickets) in by_venue {
        let event = TicketsCoded {
            venue_id,
            tickets: tickets.into_iter().map(Ticket::facts).collect(),
        };
        tx.publish(app.clock.new_id(), 1, &event);
    }
    tx.commit().await?;
    Ok(coded.len())
}
