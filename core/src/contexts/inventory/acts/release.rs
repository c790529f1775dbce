//! Ends holds, and gives parts of them back. Each may be repeated.

use eventify_contracts::inventory::SeatsReleased;
use eventify_kernel::app::App;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::{HoldId, OrderId, ReservationId};

use super::bucket_units;
use crate::contexts::inventory::NAME;
use crate::contexts::inventory::model::attempts::{AttemptId, EndedBy};
use crate::contexts::inventory::model::hold::PartRelease;
use crate::contexts::inventory::model::state::Hold;
use crate::contexts::inventory::store::release::Released;
use crate::contexts::inventory::store::{attempts, availability, holds, release};

/// Undoes one attempt. Its hold ends unless another attempt stands, or the customer has confirmed.
pub(crate) async fn undo(app: &App, tx: &mut Tx, hold: HoldId, attempt: AttemptId) -> DbResult<()> {
    attempts::undo(tx, (hold, attempt), app.clock.now()).await?;
    let locked = holds::lock(tx, &[hold]).await?;
    if locked.is_empty() || attempts::any_standing(tx, hold).await? {
        return Ok(());
    }
    end(app, tx, &locked, EndedBy::Undo).await
}

/// Ends all that a cart holds. What is sold is its order's.
pub(crate) async fn end_cart(
    app: &App,
    tx: &mut Tx,
    cart: ReservationId,
    by: EndedBy,
) -> DbResult<()> {
    let locked = holds::lock_of_owner(tx, cart.as_uuid()).await?;
    end(app, tx, &locked, by).await
}

/// Ends all that an order has, sold or not: its money went back.
pub(crate) async fn end_order(
    app: &App,
    tx: &mut Tx,
    order: OrderId,
    ids: &[HoldId],
) -> DbResult<()> {
    let mut locked = holds::lock(tx, ids).await?;
    locked.retain(|it| it.order.is_none_or(|has| has == order));
    end(app, tx, &locked, EndedBy::OrderRefunded).await
}

/// Ends holds that their request, their time or their holder ends.
pub(crate) async fn end_each(app: &App, tx: &mut Tx, ids: &[HoldId], by: EndedBy) -> DbResult<()> {
    let locked = holds::lock(tx, ids).await?;
    end(app, tx, &locked, by).await
}

/// Ends those of these locked holds that this ends.
async fn end(app: &App, tx: &mut Tx, locked: &[Hold], by: EndedBy) -> DbResult<()> {
    let now = app.clock.now();
    let ending = locked.iter().filter(|it| it.is_ended_by(by, now));
    let ending: Vec<_> = ending.map(|it| it.id).collect();
    let released = release::release_all(tx, &ending, by, now).await?;
    publish_released(app, tx, released).await
}

/// Ends at most `limit` expired holds; returns how many.
pub(crate) async fn end_expired(app: &App, cause: &Cause, limit: usize) -> DbResult<usize> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let expired = holds::lock_expired(&mut tx, now, limit).await?;
    let released = release::release_all(&mut tx, &expired, EndedBy::Expiry, now).await?;
    publish_released(app, &mut tx, released).await?;
    tx.commit().await?;
    Ok(expired.len())
}

/// Gives a part of a hold back in a transaction of the caller.
pub(crate) async fn end_part(app: &App, tx: &mut Tx, part: &PartRelease) -> DbResult<()> {
    let locked = holds::lock(tx, &[part.hold]).await?;
    let foreign = |it: &Hold| part.owner.is_some() && it.owner != part.owner;
    if locked.iter().any(foreign) {
        tracing::error!(
            code = "inventory.release_of_foreign_hold",
            hold_id = %part.hold,
            "a part of another owner's hold was not released"
        );
        return Ok(());
    }
    match release::release_part(tx, part, app.clock.now()).await? {
        Some(released) => publish_released(app, tx, released).await,
        None => Ok(()),
    }
}

async fn publish_released(app: &App, tx: &mut Tx, released: Released) -> DbResult<()> {
    for ((hold, performance), places) in released {
        availability::insert_change(tx, performance).await?;
        let version = holds::version(tx, hold).await?;
        let (seat_ids, seats) = places.seats.into_iter().unzip();
        let message = SeatsReleased {
            performance_id: performance,
            hold_id: hold,
            seats,
            seat_ids,
            buckets: places.units.into_iter().map(bucket_units).collect(),
        };
        tx.publish(app.clock.new_id(), version, &message);
    }
    Ok(())
}
