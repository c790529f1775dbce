//! What happens to a ticket after it was issued.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use eventify_contracts::order::{OrderRefundGivenUp, OrderRefundOpened, RefundReason};
use eventify_contracts::ticketing::{
    NotSuspended, TicketIssued, TicketRevoked, TicketsReinstated, TicketsSuspended,
};
use eventify_kernel::alarms::{self, Alarm};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, PgConnection, Tx};
use eventify_protocol::ids::{OrderId, PerformanceId, RefundId, ScanId, TicketId, VenueId};
use eventify_protocol::zone::TimeZone;
use serde_json::json;

use super::Error;
use super::issuing::terms;
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::model::{
    IssueError, Performance, RefundedEntry, Ticket, TicketCode, refunded_admitted,
};
use crate::contexts::ticketing::{NAME, store};

/// Of one ticket.
pub(crate) const REISSUES_A_DAY: usize = 5;

pub(crate) async fn find(app: &App, id: TicketId) -> Result<Ticket, Error> {
    let mut conn = app.db.read(NAME).await?;
    store::find_ticket(&mut conn, id)
        .await?
        .ok_or(Error::UnknownTicket(id))
}

/// What tickets are for, as far as it is known: their performances, and what the clocks of their venues show.
#[derive(Debug)]
pub(crate) struct Shows {
    performances: BTreeMap<PerformanceId, Performance>,
    zones: BTreeMap<VenueId, TimeZone>,
}

impl Shows {
    pub(crate) fn performance(&self, ticket: &Ticket) -> Option<&Performance> {
        self.performances.get(&ticket.performance_id)
    }

    pub(crate) fn zone(&self, ticket: &Ticket) -> TimeZone {
        self.zones
            .get(&ticket.venue_id)
            .copied()
            .unwrap_or_default()
    }
}

pub(crate) async fn find_with_show(app: &App, id: TicketId) -> Result<(Ticket, Shows), Error> {
    let mut conn = app.db.read(NAME).await?;
    let ticket = store::find_ticket(&mut conn, id)
        .await?
        .ok_or(Error::UnknownTicket(id))?;
    let shows = shows_of(&mut conn, std::slice::from_ref(&ticket)).await?;
    Ok((ticket, shows))
}

pub(crate) async fn shows_of(conn: &mut PgConnection, tickets: &[Ticket]) -> DbResult<Shows> {
    let ids: Vec<_> = tickets.iter().map(|ticket| ticket.performance_id).collect();
    let venues: Vec<_> = tickets.iter().map(|ticket| ticket.venue_id).collect();
    Ok(Shows {
        performances: store::list_performances(conn, &ids).await?,
        zones: store::list_time_zones(conn, &venues).await?,
    })
}

pub(crate) async fn revoke(
    app: &App,
    cause: &Cause,
    id: TicketId,
    reason: &str,
) -> Result<Ticket, Error> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let ticket = lock(&mut tx, id).await?.revoke(reason, app.clock.now())?;
    record_revoked(app, &mut tx, std::slice::from_ref(&ticket), reason).await?;
    tx.commit().await?;
    Ok(ticket)
}

/// Revokes exactly these tickets of an order. Those that were revoked before stay as they are.
pub(crate) async fn revoke_of_order(
    app: &App,
    tx: &mut Tx,
    order: OrderId,
    ids: &[TicketId],
    (reason, refund): (&str, Option<RefundId>),
) -> Result<(), Error> {
    let mut revoked = Vec::new();
    for ticket in lock_of_order(tx, order, ids).await? {
        let refund = refund.or(ticket.refund);
        let refunded = Ticket { refund, ..ticket };
        if let Ok(ticket) = refunded.revoke(reason, app.clock.now()) {
            revoked.push(ticket);
        }
    }
    record_revoked(app, tx, &revoked, reason).await
}

/// Suspends the tickets of a refund, and tells its order which of them its customer can't give back.
pub(crate) async fn suspend(
    app: &App,
    tx: &mut Tx,
    opened: &OrderRefundOpened,
) -> Result<(), Error> {
    let (mut suspended, mut refused) = (Vec::new(), Vec::new());
    for ticket in lock_of_order(tx, opened.order_id, &opened.ticket_ids).await? {
        let ticket_id = ticket.id;
        match ticket.suspend(opened.refund_id, opened.reason, app.clock.now()) {
            Ok(ticket) => suspended.push(ticket),
            // Whoever runs the show may pay back what was revoked before.
            Err(because) if opened.reason == RefundReason::UserRequest => {
                refused.push(NotSuspended { ticket_id, because });
            }
            Err(_) => {}
        }
    }
    store::update_tickets(tx, &suspended).await?;
    publish_guests(app, tx, &suspended, |it| it.refunded_scan).await?;
    let event = TicketsSuspended {
        order_id: opened.order_id,
        refund_id: opened.refund_id,
        tickets: suspended.iter().map(Ticket::facts).collect(),
        refused,
    };
    tx.publish(app.clock.new_id(), 1, &event);
    Ok(())
}

/// The tickets of a refund that was given up are as they were before it.
pub(crate) async fn reinstate(
    app: &App,
    tx: &mut Tx,
    given_up: &OrderRefundGivenUp,
) -> Result<(), Error> {
    let (refund_id, now) = (given_up.refund_id, app.clock.now());
    let locked = lock_of_order(tx, given_up.order_id, &given_up.ticket_ids).await?;
    let guests: BTreeMap<_, _> = locked
        .iter()
        .filter_map(|it| Some((it.id, it.refunded_scan?)))
        .collect();
    let again = locked
        .into_iter()
        .filter_map(|it| it.reinstate(refund_id, now));
    let reinstated: Vec<_> = again.collect();
    store::update_tickets(tx, &reinstated).await?;
    publish_guests(app, tx, &reinstated, |it| guests.get(&it.id).copied()).await?;
    let event = TicketsReinstated {
        order_id: given_up.order_id,
        refund_id,
        tickets: reinstated.iter().map(Ticket::facts).collect(),
    };
    tx.publish(app.clock.new_id(), 1, &event);
    Ok(())
}

/// Locks the named tickets, and leaves those of another order out.
async fn lock_of_order(
    tx: &mut Tx,
    order: OrderId,
    ids: &[TicketId],
) -> Result<Vec<Ticket>, Error> {
    let mut tickets = store::lock_tickets(tx, ids).await?;
    tickets.retain(|ticket| {
        if ticket.order_id != order {
            tracing::error!(code = "ticketing.refund_of_foreign_ticket", ticket_id = %ticket.id,
                order_id = %order, "a refund names a ticket of another order");
        }
        ticket.order_id == order
    });
    Ok(tickets)
}

/// Gives a ticket a new token and a new short code; the old ones no longer admit.
pub(crate) async fn reissue(app: &App, cause: &Cause, id: TicketId) -> Result<Ticket, Error> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let ticket = lock(&mut tx, id).await?;
    count_reissue(app, &mut tx, id).await?;
    let show = ticket.performance_id;
    let mut shows = store::list_performances(&mut tx, &[show]).await?;
    let performance = shows
        .remove(&show)
        .ok_or(IssueError::UnknownPerformance(show))?;
    let (signer, now) = (&app.keys.ring()?.tickets, app.clock.now());
    let bounds = terms(app, signer).bounds(&performance, now);
    let was_outlived = ticket.expiry < performance.times.admits_until.timestamp();
    let ticket = ticket.next_revision(&performance, bounds, now)?;
    let token = signer.sign(&ticket.claims()).map_err(IssueError::from)?;
    let ticket = Ticket {
        token: token.as_str().to_owned(),
        token_hash: token.hash(),
        code: Some(TicketCode::new(&app.clock.random_bytes(), ticket.venue_id)),
        ..ticket
    };
    store::update_tickets(&mut tx, std::slice::from_ref(&ticket)).await?;
    let event = TicketIssued {
        order_id: ticket.order_id,
        customer_id: ticket.customer_id.as_uuid(),
        tickets: vec![ticket.facts()],
    };
    tx.publish(app.clock.new_id(), ticket.version, &event);
    if was_outlived {
        tell_outlived_codes(app, &mut tx, show).await?;
    }
    tx.commit().await?;
    Ok(ticket)
}

/// Each reissue is an entry in the feed of every node of the venue, and voids what its holder has printed: so
/// there are few a day of one ticket.
async fn count_reissue(app: &App, tx: &mut Tx, id: TicketId) -> Result<(), Error> {
    let (now, day) = (app.clock.now(), TimeDelta::days(1));
    let earlier = store::list_reissues(tx, id, now - day).await?;
    if let [oldest, ..] = earlier[..]
        && earlier.len() >= REISSUES_A_DAY
    {
        return Err(Error::ReissuedTooOften(oldest + day - now));
    }
    Ok(store::insert_reissue(tx, id, now).await?)
}

/// A show that has moved beyond the end of its tickets' codes is an alarm until none of them ends too
/// early.
pub(crate) async fn tell_outlived_codes(
    app: &App,
    tx: &mut Tx,
    performance: PerformanceId,
) -> DbResult<()> {
    const KIND: &str = "ticketing.codes_end_before_show";
    let (subject, now) = (performance.to_string(), app.clock.now());
    let tickets = store::count_outlived_tokens(tx, performance).await?;
    if tickets == 0 {
        return alarms::clear(tx, KIND, &subject, now).await;
    }
    let alarm = Alarm::new(
        KIND,
        subject,
        "the show has moved beyond the end of its tickets' codes: have each issued again \
              (POST /tickets/{ticketId}/reissue) and its holder told, or move the show nearer",
    )
    .with(json!({ "tickets": tickets }));
    alarms::raise(tx, &alarm, now).await
}

async fn lock(tx: &mut Tx, id: TicketId) -> Result<Ticket, Error> {
    let mut tickets = store::lock_tickets(tx, &[id]).await?;
    tickets.pop().ok_or(Error::UnknownTicket(id))
}

/// Writes and publishes that tickets are revoked.
async fn record_revoked(
    app: &App,
    tx: &mut Tx,
    revoked: &[Ticket],
    reason: &str,
) -> Result<(), Error> {
    store::update_tickets(tx, revoked).await?;
    let shows: Vec<_> = revoked.iter().map(|it| it.performance_id).collect();
    let shows = store::list_performances(tx, &shows).await?;
    let now = app.clock.now();
    for ticket in revoked {
        let show = shows.get(&ticket.performance_id);
        let guests = show.and_then(|show| show.guests(now));
        let event = TicketRevoked {
            ticket_id: ticket.id,
            order_id: ticket.order_id,
            reason: reason.to_owned(),
            kept_back: ticket.keeps_place(reason, show, now),
            guest: ticket.guest(),
            gates_since: guests.map(|guests| guests.from),
            ticket: ticket.facts(),
        };
        tx.publish(app.clock.new_id(), ticket.version, &event);
    }
    publish_guests(app, tx, revoked, |it| it.refunded_scan).await
}

/// Publishes anew what stands published of guests who were let in with these tickets, which have
/// changed: it is dissolved where no entry of the ticket stands so any more.
async fn publish_guests(
    app: &App,
    tx: &mut Tx,
    tickets: &[Ticket],
    scan_of: impl Fn(&Ticket) -> Option<ScanId>,
) -> Result<(), Error> {
    let known: Vec<_> = tickets
        .iter()
        .filter_map(|ticket| Some((ticket, scan_of(ticket)?)))
        .collect();
    if known.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = known.iter().map(|(ticket, _)| ticket.id).collect();
    let ids_of_scans: Vec<_> = known.iter().map(|(_, scan)| *scan).collect();
    let conflicts = store::list_conflicts(tx, &ids).await?;
    let scans = store::list_scans(tx, &ids_of_scans).await?;
    for (ticket, scan) in known {
        let others = conflicts.get(&ticket.id).into_iter().flatten();
        let state = ticket.admission_state(others.map(|it| it.conflict).collect());
        if let Some(found) = RefundedEntry::of(&state, scan) {
            let dissolved = ticket.refunded_scan.is_none();
            let event = refunded_admitted(ticket, &found, scans.get(&scan), dissolved);
            tx.publish(app.clock.new_id(), ticket.version, &event);
        }
    }
    Ok(())
}
