//! Paid orders get their tickets: once, whatever is repeated.

use chrono::TimeDelta;
use eventify_protocol::ids::{OrderId, PerformanceId};
use eventify_protocol::keys::KeyStatus;

use super::Error;
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::model::{self, IssueError, Margins, PaidOrder, Settings, Ticket};
use crate::contexts::ticketing::store::{self, Order};
use crate::contexts::ticketing::{NAME, api};
use eventify_contracts::ticketing::{TicketIssueFailed, TicketIssued};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::Tx;

/// How long tickets may be late before the order is given up and its money goes back. Long enough
/// for the news of a performance to come through the retry queues, and for an operator to add a key.
pub(crate) const GIVE_UP_AFTER: TimeDelta = TimeDelta::minutes(10);

/// What an order has.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// These, perhaps since an earlier call.
    Tickets(Vec<Ticket>),
    /// Nothing yet.
    Waiting(IssueError),
    /// Nothing, and it never will.
    Ended(String),
}

/// Issues the tickets of a paid order, or finds those that it has.
pub(crate) async fn issue(app: &App, tx: &mut Tx, id: OrderId) -> Result<Outcome, Error> {
    match store::lock_order(tx, id).await? {
        None => Err(Error::UnknownOrder(id)),
        Some(Order::Issued) => Ok(Outcome::Tickets(store::tickets_of_order(tx, id).await?)),
        Some(Order::Failed { reason }) => Ok(Outcome::Ended(reason)),
        Some(Order::Closed) => Ok(Outcome::Ended("refunded".to_owned())),
        Some(Order::Paid(order)) => match tickets_for(app, tx, &order).await {
            Ok(tickets) => Ok(Outcome::Tickets(hand_out(app, tx, &order, tickets).await?)),
            Err(Error::Issue(reason)) => wait_or_give_up(app, tx, &order, reason).await,
            Err(other) => Err(other),
        },
    }
}

/// Issues what can be issued by now, and gives up what has waited too long.
pub(crate) async fn issue_missing(app: &App, cause: &Cause, limit: u16) -> Result<(), Error> {
    let mut conn = app.db.read(NAME).await?;
    let orders = store::overdue_orders(&mut conn, limit).await?;
    drop(conn);
    for order in orders {
        let mut tx = app.db.begin(NAME, cause).await?;
        issue(app, &mut tx, order).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn tickets_for(app: &App, tx: &mut Tx, order: &PaidOrder) -> Result<Vec<Ticket>, Error> {
    let wanted: Vec<PerformanceId> = order.items.iter().map(|item| item.performance_id).collect();
    let performances = store::performances(tx, &wanted).await?;
    let signer = &app.keys.ring()?.tickets;
    let keys = api::keys::in_force(app, tx).await?;
    if keys
        .find(signer.kid())
        .is_none_or(|key| key.status != KeyStatus::Active)
    {
        return Err(IssueError::KeyNotInForce.into());
    }
    let tickets = model::issue(
        order,
        &performances,
        margins(&app.state.settings),
        app.clock.now(),
        || app.clock.new_id(),
        |claims| signer.sign(claims),
    )?;
    match store::taken_seat(tx, &tickets).await? {
        Some(seat) => Err(IssueError::SeatTaken(seat).into()),
        None => Ok(tickets),
    }
}

fn margins(settings: &Settings) -> Margins {
    Margins {
        before_doors: settings.before_doors(),
        after_start: settings.after_start(),
    }
}

async fn hand_out(
    app: &App,
    tx: &mut Tx,
    order: &PaidOrder,
    tickets: Vec<Ticket>,
) -> Result<Vec<Ticket>, Error> {
    store::add_tickets(tx, &tickets).await?;
    let version = store::end_order(tx, order.id, None, app.clock.now()).await?;
    let event = TicketIssued {
        order_id: order.id,
        customer_id: order.customer_id.as_uuid(),
        tickets: tickets.iter().map(Ticket::facts).collect(),
    };
    tx.publish(app.clock.new_id(), version, &event);
    Ok(tickets)
}

async fn wait_or_give_up(
    app: &App,
    tx: &mut Tx,
    order: &PaidOrder,
    reason: IssueError,
) -> Result<Outcome, Error> {
    let now = app.clock.now();
    if now - order.received_at < GIVE_UP_AFTER {
        tracing::warn!(orderId = %order.id, %reason, "tickets are late");
        return Ok(Outcome::Waiting(reason));
    }
    tracing::error!(orderId = %order.id, %reason, "tickets given up; the order is to be refunded");
    let version = store::end_order(tx, order.id, Some(reason.code()), now).await?;
    let event = TicketIssueFailed {
        order_id: order.id,
        reason: reason.code().to_owned(),
    };
    tx.publish(app.clock.new_id(), version, &event);
    Ok(Outcome::Ended(reason.code().to_owned()))
}
