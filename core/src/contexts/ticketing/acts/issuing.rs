//! Paid orders get their tickets: once, whatever is repeated.

use chrono::TimeDelta;
use eventify_contracts::ticketing::{TicketIssueFailed, TicketIssued};
use eventify_kernel::alarms::{self, Alarm, Stops};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::Tx;
use eventify_protocol::ids::{OrderId, PerformanceId};
use eventify_protocol::keys::KeyStatus;
use eventify_protocol::token::TicketSigner;
use serde_json::json;

use super::{Error, keys};
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::model::{
    self, IssueError, Order, PaidOrder, Ticket, TicketCode, TokenTerms,
};
use crate::contexts::ticketing::{NAME, store};

/// Tickets that our own trouble keeps later than this are an alarm.
const LATE: TimeDelta = TimeDelta::minutes(1);
const TICKETS_LATE: &str = "ticketing.tickets_late";
/// Orders that a run of the job takes on.
const ORDERS_AT_ONCE: u16 = 200;

/// The tickets of an order.
#[derive(Debug)]
pub(crate) enum Tickets {
    /// Perhaps since an earlier call.
    Issued(Vec<Ticket>),
    Waiting(IssueError),
    /// There will never be any.
    Ended(String),
}

/// Issues the tickets of a paid order, or finds those that it has.
pub(crate) async fn issue(app: &App, tx: &mut Tx, id: OrderId) -> Result<Tickets, Error> {
    match store::lock_order(tx, id).await? {
        None => Err(Error::UnknownOrder(id)),
        Some(Order::Issued) => {
            let tickets = store::list_tickets_of_order(tx, id).await?;
            Ok(Tickets::Issued(tickets))
        }
        Some(Order::Failed { reason }) => Ok(Tickets::Ended(reason)),
        Some(Order::Closed) => Ok(Tickets::Ended("refunded".to_owned())),
        Some(Order::Paid(order)) => match make_tickets(app, tx, &order).await {
            Ok(tickets) => hand_out(app, tx, &order, tickets).await,
            Err(Error::Issue(reason)) => wait_or_fail(app, tx, &order, reason).await,
            Err(other) => Err(other),
        },
    }
}

/// Issues what can be issued by now, and fails orders that have waited too long. One that can't be
/// read or written doesn't stop the others.
pub(crate) async fn issue_missing(app: &App, cause: &Cause) -> Result<(), Error> {
    let mut conn = app.db.read(NAME).await?;
    let orders = store::list_due_orders(&mut conn, ORDERS_AT_ONCE).await?;
    drop(conn);
    let (mut result, mut waiting) = (Ok(()), Vec::new());
    for (order, since) in orders {
        match issue_one(app, cause, order).await {
            Ok(Tickets::Waiting(reason)) if app.clock.now() - since >= LATE => waiting.push(reason),
            Ok(_) => {}
            Err(error) => result = result.and(Err(error)),
        }
    }
    tell_what_is_late(app, &waiting).await?;
    result
}

async fn issue_one(app: &App, cause: &Cause, order: OrderId) -> Result<Tickets, Error> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let tickets = issue(app, &mut tx, order).await?;
    tx.commit().await?;
    Ok(tickets)
}

/// People have paid and wait for tickets because of us: an alarm until none does.
async fn tell_what_is_late(app: &App, waiting: &[IssueError]) -> Result<(), Error> {
    let mut conn = app.db.read(NAME).await?;
    let now = app.clock.now();
    for code in IssueError::OURS {
        let orders = waiting
            .iter()
            .filter(|reason| reason.code() == code)
            .count();
        if orders == 0 {
            alarms::clear(&mut conn, TICKETS_LATE, code, now).await?;
            continue;
        }
        let alarm = Alarm::new(TICKETS_LATE, code, "people have paid and have no tickets: restart every process after keys were renewed; \
                  replay ticketing's parked messages (eventify-core dlq); after a day their money goes \
                  back")
            .with(json!({ "orders": orders }))
            .stops(&[Stops::Sales]);
        alarms::raise(&mut conn, &alarm, now).await?;
    }
    Ok(())
}

async fn make_tickets(app: &App, tx: &mut Tx, order: &PaidOrder) -> Result<Vec<Ticket>, Error> {
    let wanted: Vec<PerformanceId> = order.items.iter().map(|item| item.performance_id).collect();
    let performances = store::list_performances(tx, &wanted).await?;
    let signer = &app.keys.ring()?.tickets;
    let keys = keys::in_force(app, tx).await?;
    if keys
        .find(signer.kid())
        .is_none_or(|key| key.status != KeyStatus::Active)
    {
        return Err(IssueError::KeyNotInForce.into());
    }
    let tickets = model::issue(
        order,
        &performances,
        terms(app, signer),
        app.clock.now(),
        || app.clock.new_id(),
        |venue| TicketCode::new(&app.clock.random_bytes(), venue),
        |claims| signer.sign(claims),
    )?;
    match store::find_taken_seat(tx, &tickets).await? {
        Some(seat) => Err(IssueError::SeatTaken(seat).into()),
        None => Ok(tickets),
    }
}

/// The terms of tokens that are signed now.
pub(super) fn terms(app: &App, signer: &TicketSigner) -> TokenTerms {
    TokenTerms {
        outlives_show: app.state.settings.token_outlives_show(),
        key_vouches_until: signer.entry().window.not_after,
    }
}

async fn hand_out(
    app: &App,
    tx: &mut Tx,
    order: &PaidOrder,
    tickets: Vec<Ticket>,
) -> Result<Tickets, Error> {
    store::insert_tickets(tx, &tickets).await?;
    let version = store::end_order(tx, order.id, None, app.clock.now()).await?;
    let event = TicketIssued {
        order_id: order.id,
        customer_id: order.customer_id.as_uuid(),
        tickets: tickets.iter().map(Ticket::facts).collect(),
    };
    tx.publish(app.clock.new_id(), version, &event);
    Ok(Tickets::Issued(tickets))
}

async fn wait_or_fail(
    app: &App,
    tx: &mut Tx,
    order: &PaidOrder,
    reason: IssueError,
) -> Result<Tickets, Error> {
    let now = app.clock.now();
    if now - order.received_at < reason.patience() {
        tracing::warn!(code = "ticketing.tickets_late", order_id = %order.id, %reason,
            "tickets can't be issued yet");
        return Ok(Tickets::Waiting(reason));
    }
    tracing::error!(code = "ticketing.tickets_not_issued", order_id = %order.id, %reason,
        "tickets were not issued in time; the order will be refunded");
    let version = store::end_order(tx, order.id, Some(reason.code()), now).await?;
    let event = TicketIssueFailed {
        order_id: order.id,
        reason: reason.code().to_owned(),
    };
    tx.publish(app.clock.new_id(), version, &event);
    Ok(Tickets::Ended(reason.code().to_owned()))
}
