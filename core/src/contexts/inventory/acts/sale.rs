//! What orders and their tickets do to holds.

use eventify_kernel::app::App;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::{HoldId, OrderId, PerformanceId, TicketId, UserId};

use super::release;
use crate::contexts::inventory::model::hold::{PartRelease, Place};
use crate::contexts::inventory::store::{holds, orders};

/// What happened to the place of a revoked ticket.
pub(crate) enum Returned {
    /// It is free, or was before.
    Done,
    /// The message of the order's payment has not arrived: try again later.
    NotSoldYet,
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

/// Ends everything that a refunded order has.
pub(crate) async fn close_order(
    app: &App,
    tx: &mut Tx,
    order: OrderId,
    ids: &[HoldId],
) -> DbResult<()> {
    orders::upsert(tx, order, true).await?;
    release::end_order(app, tx, order, ids).await
}

/// Gives the place of a revoked ticket back, once for each ticket.
pub(crate) async fn return_ticket(
    app: &App,
    tx: &mut Tx,
    ticket: TicketId,
    order: OrderId,
    (performance, place): (PerformanceId, Place),
) -> DbResult<Returned> {
    if !orders::lock(tx, order).await? {
        return Ok(Returned::NotSoldYet);
    }
    let Some(hold) = orders::find_hold(tx, order, performance, place).await? else {
        return Ok(Returned::Done);
    };
    let (seats, buckets) = match place {
        Place::Seat(seat) => (vec![seat], vec![]),
        Place::Unit(bucket) => (vec![], vec![(bucket, 1)]),
    };
    let part = PartRelease {
        id: ticket.as_uuid(),
        hold,
        owner: None,
        seats,
        buckets,
    };
    release::end_part(app, tx, &part).await?;
    Ok(Returned::Done)
}
