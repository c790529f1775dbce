//! What happens to a ticket after it was issued.

use std::collections::BTreeMap;

use eventify_contracts::ticketing::{TicketIssued, TicketRevoked};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::Tx;
use eventify_protocol::ids::{OrderId, PerformanceId, TicketId};

use super::Error;
use super::issuing::terms;
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::model::{IssueError, Performance, Refused, Ticket};
use crate::contexts::ticketing::{NAME, store};

pub(crate) async fn find(app: &App, id: TicketId) -> Result<Ticket, Error> {
    let mut conn = app.db.read(NAME).await?;
    store::find_ticket(&mut conn, id)
        .await?
        .ok_or(Error::UnknownTicket(id))
}

pub(crate) async fn find_with_performance(
    app: &App,
    id: TicketId,
) -> Result<(Ticket, Option<Performance>), Error> {
    let mut conn = app.db.read(NAME).await?;
    let ticket = store::find_ticket(&mut conn, id)
        .await?
        .ok_or(Error::UnknownTicket(id))?;
    let mut performances = store::list_performances(&mut conn, &[ticket.performance_id]).await?;
    let performance = performances.remove(&ticket.performance_id);
    Ok((ticket, performance))
}

/// The performances of tickets, as far as they are known.
pub(crate) async fn performances_of(
    app: &App,
    tickets: &[Ticket],
) -> Result<BTreeMap<PerformanceId, Performance>, Error> {
    let ids: Vec<_> = tickets.iter().map(|ticket| ticket.performance_id).collect();
    let mut conn = app.db.read(NAME).await?;
    Ok(store::list_performances(&mut conn, &ids).await?)
}

pub(crate) async fn revoke(
    app: &App,
    cause: &Cause,
    id: TicketId,
    reason: &str,
) -> Result<Ticket, Error> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let ticket = lock(&mut tx, id).await?.revoke(reason, app.clock.now())?;
    store::update_tickets(&mut tx, std::slice::from_ref(&ticket)).await?;
    publish_revoked(app, &mut tx, &ticket, reason);
    tx.commit().await?;
    Ok(ticket)
}

/// Revokes exactly these tickets of an order. Those that were revoked before stay as they are.
pub(crate) async fn revoke_of_order(
    app: &App,
    tx: &mut Tx,
    order: OrderId,
    ids: &[TicketId],
    reason: &str,
) -> Result<(), Error> {
    let mut revoked = Vec::new();
    for ticket in store::lock_tickets(tx, ids).await? {
        if ticket.order_id != order {
            tracing::error!(code = "ticketing.refund_of_foreign_ticket", ticket_id = %ticket.id,
                order_id = %order, "a refund names a ticket of another order");
            continue;
        }
        match ticket.revoke(reason, app.clock.now()) {
            Ok(ticket) => revoked.push(ticket),
            Err(Refused::Revoked | Refused::Used | Refused::Over) => {}
        }
    }
    store::update_tickets(tx, &revoked).await?;
    for ticket in &revoked {
        publish_revoked(app, tx, ticket, reason);
    }
    Ok(())
}

/// Gives a ticket a new token; the old one no longer admits.
pub(crate) async fn reissue(app: &App, cause: &Cause, id: TicketId) -> Result<Ticket, Error> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let ticket = lock(&mut tx, id).await?;
    let show = ticket.performance_id;
    let mut shows = store::list_performances(&mut tx, &[show]).await?;
    let performance = shows
        .remove(&show)
        .ok_or(IssueError::UnknownPerformance(show))?;
    let (signer, now) = (&app.keys.ring()?.tickets, app.clock.now());
    let bounds = terms(app, signer).bounds(&performance, now);
    let ticket = ticket.next_revision(&performance, bounds, now)?;
    let token = signer.sign(&ticket.claims()).map_err(IssueError::from)?;
    let ticket = Ticket {
        token: token.as_str().to_owned(),
        token_hash: token.hash(),
        ..ticket
    };
    store::update_tickets(&mut tx, std::slice::from_ref(&ticket)).await?;
    let event = TicketIssued {
        order_id: ticket.order_id,
        customer_id: ticket.customer_id.as_uuid(),
        tickets: vec![ticket.facts()],
    };
    tx.publish(app.clock.new_id(), ticket.version, &event);
    tx.commit().await?;
    Ok(ticket)
}

async fn lock(tx: &mut Tx, id: TicketId) -> Result<Ticket, Error> {
    let mut tickets = store::lock_tickets(tx, &[id]).await?;
    tickets.pop().ok_or(Error::UnknownTicket(id))
}

fn publish_revoked(app: &App, tx: &mut Tx, ticket: &Ticket, reason: &str) {
    let event = TicketRevoked {
        ticket_id: ticket.id,
        order_id: ticket.order_id,
        reason: reason.to_owned(),
        ticket: ticket.facts(),
    };
    tx.publish(app.clock.new_id(), ticket.version, &event);
}
