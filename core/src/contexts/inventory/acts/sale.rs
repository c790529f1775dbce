//! What orders and their tickets do to holds.

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::KeptBack;
use eventify_kernel::app::App;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::{HoldId, OrderId, UserId};

use super::release;
use crate::contexts::inventory::model::kept_back::RevokedTicket;
use crate::contexts::inventory::store::{holds, kept_back, orders};

/// What happened to the place of a revoked ticket.
pub(crate) enum Returned {
    /// It is free or kept back, or was before.
    Done,
    /// The message of the order's payment has not arrived: try again later.
    NotSoldYet,
}

/// What happened to an order that was refunded as one without tickets.
pub(crate) enum Closed {
    /// It has no places any more.
    Done,
    /// Places of its tickets are kept back, so it is no such order: nothing is free.
    HadTickets,
}

/// Marks the holds of a customer's paid order as sold; returns those that are gone or belong to
/// another customer or order.
pub(crate) async fn sell(
    app: &App,
    tx: &mut Tx,
    (order, customer): (OrderId, UserId),
    ids: &[HoldId],
) -> DbResult<Vec<HoldId>> {
    if orders::upsert(tx, order, false).await? {
        // The order was refunded before this message arrived.
        release::end_order(app, tx, order, ids).await?;
        return Ok(vec![]);
    }
    let locked = holds::lock(tx, ids).await?;
    let sold = locked
        .iter()
        .filter(|it| it.may_be_sold_to(order, customer));
    let sold: Vec<_> = sold.map(|it| it.id).collect();
    holds::sell(tx, &sold, order, app.clock.now()).await?;
    let lost = ids.iter().filter(|id| !sold.contains(id));
    Ok(lost.copied().collect())
}

/// Ends everything that a refunded order without tickets has.
pub(crate) async fn close_order(
    app: &App,
    tx: &mut Tx,
    order: OrderId,
    ids: &[HoldId],
) -> DbResult<Closed> {
    orders::upsert(tx, order, true).await?;
    if kept_back::any_of_order(tx, order).await? {
        return Ok(Closed::HadTickets);
    }
    release::end_order(app, tx, order, ids).await?;
    Ok(Closed::Done)
}

/// Gives the place of a revoked ticket back or keeps it, once for each ticket.
pub(crate) async fn return_ticket(
    app: &App,
    tx: &mut Tx,
    ticket: &RevokedTicket,
    (reason, gates_since): (Option<KeptBack>, Option<DateTime<Utc>>),
) -> DbResult<Returned> {
    if !orders::lock(tx, ticket.order).await? {
        return Ok(Returned::NotSoldYet);
    }
    if kept_back::is_decided(tx, ticket.id).await? {
        return Ok(Returned::Done);
    }
    match reason {
        None => give_back(app, tx, ticket).await?,
        Some(reason) if orders::find_hold(tx, ticket).await?.is_some() => {
            let why = (reason, gates_since);
            kept_back::insert(tx, ticket, why, app.clock.now()).await?;
        }
        // An order that was closed has no place that could be kept.
        Some(_) => {}
    }
    Ok(Returned::Done)
}

/// Gives the place of a ticket back that its locked order still has.
pub(super) async fn give_back(app: &App, tx: &mut Tx, ticket: &RevokedTicket) -> DbResult<()> {
    match orders::find_hold(tx, ticket).await? {
        Some(hold) => release::end_part(app, tx, &ticket.part_of(hold)).await,
        None => Ok(()),
    }
}
