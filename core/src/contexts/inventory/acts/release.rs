//! Ends holds, and gives parts of them back. Each may be repeated.

use eventify_contracts::inventory::SeatsReleased;
use eventify_kernel::app::App;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::HoldId;

use super::bucket_units;
use crate::contexts::inventory::NAME;
use crate::contexts::inventory::model::hold::PartRelease;
use crate::contexts::inventory::model::state::Hold;
use crate::contexts::inventory::store::release::Released;
use crate::contexts::inventory::store::{availability, holds, release};

/// Which holds end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Those that have expired.
    Expired,
    /// Those that are not sold: carts, unpaid orders.
    Unsold,
    /// All: the order's money was refunded.
    Everything,
}

/// Ends holds in a transaction of the caller.
pub(crate) async fn end(app: &App, tx: &mut Tx, ids: &[HoldId], extent: Extent) -> DbResult<()> {
    let now = app.clock.now();
    holds::insert_tombstones(tx, ids, now).await?;
    let ends = |it: &&Hold| match extent {
        Extent::Expired => it.has_expired(now),
        Extent::Unsold => !it.is_released() && !it.is_sold(),
        Extent::Everything => !it.is_released(),
    };
    let locked = holds::lock(tx, ids).await?;
    let ending: Vec<_> = locked.iter().filter(ends).map(|it| it.id).collect();
    let released = release::release_all(tx, &ending, now).await?;
    publish_released(app, tx, released).await
}

/// Ends at most `limit` expired holds; returns how many.
pub(crate) async fn end_expired(app: &App, cause: &Cause, limit: usize) -> DbResult<usize> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let expired = holds::lock_expired(&mut tx, now, limit).await?;
    let released = release::release_all(&mut tx, &expired, now).await?;
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
