//! The stock of a performance: its layout, its capacity, and what is left of it.

use eventify_contracts::inventory::{AvailabilityUpdated, BucketLevel, CapacityAdjusted};
use eventify_kernel::app::App;
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::{BucketId, PerformanceId};

use crate::contexts::inventory::NAME;
use crate::contexts::inventory::model::slots::BelowReserved;
use crate::contexts::inventory::store::{availability, claim, kept_back, layout};

#[derive(Debug, thiserror::Error)]
pub(crate) enum StockError {
    #[error("there is no such performance")]
    UnknownPerformance,
    #[error("there is no such zone")]
    UnknownBucket,
    #[error("no place of this performance is kept back for this ticket")]
    NotKeptBack,
    #[error(
        "a guest was let in with this ticket{0}: when somebody has looked and nobody sits there, release \
         the place with \"guestMayBeInside\": true"
    )]
    GuestInside(String),
    #[error(
        "these nodes may have let the guest in, and have not been in connection since the ticket was \
         revoked: {0}; wait until they have, or have somebody look, and release the place with \
         \"guestMayBeInside\": true"
    )]
    GatesNotHeard(String),
    #[error("the event belongs to another organiser")]
    Foreign,
    #[error(transparent)]
    BelowReserved(#[from] BelowReserved),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What is left, and how many places are kept back, counted now.
pub(crate) async fn count_left(
    app: &App,
    caller: &Principal,
    id: PerformanceId,
) -> Result<(AvailabilityUpdated, i64), StockError> {
    let mut conn = app.db.read(NAME).await?;
    must_manage(&mut conn, caller, id).await?;
    let left = availability::count_left(&mut conn, id).await?;
    let kept_back = kept_back::count(&mut conn, id, false).await?;
    Ok((left, kept_back))
}

/// Gives a zone a new capacity, at least what is held and sold.
pub(crate) async fn adjust_capacity(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: PerformanceId,
    (bucket_id, capacity): (BucketId, u32),
) -> Result<CapacityAdjusted, StockError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    must_manage(&mut tx, caller, id).await?;
    let remaining = claim::resize_zone(&mut tx, id, bucket_id, capacity).await?;
    let level = BucketLevel {
        bucket_id,
        remaining: remaining.ok_or(StockError::UnknownBucket)??,
        capacity,
    };
    let adjusted = adjusted(id, &level);
    let version = availability::next_version(&mut tx, id).await?;
    tx.publish(app.clock.new_id(), version, &adjusted);
    availability::insert_change(&mut tx, id).await?;
    tx.commit().await?;
    Ok(adjusted)
}

/// Publishes what is left of each performance whose stock changed: once, however much was sold.
pub(crate) async fn publish_availability(app: &App, cause: &Cause) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, cause).await?;
    for performance in availability::take_changes(&mut tx).await? {
        let version = availability::next_version(&mut tx, performance).await?;
        let left = availability::count_left(&mut tx, performance).await?;
        tx.publish(app.clock.new_id(), version, &left);
    }
    tx.commit().await
}

/// Only who runs the event, or an administrator.
pub(super) async fn must_manage(
    conn: &mut PgConnection,
    caller: &Principal,
    id: PerformanceId,
) -> Result<(), StockError> {
    let owner = layout::find_owner(conn, id).await?;
    if owner.ok_or(StockError::UnknownPerformance)?.is(caller) {
        return Ok(());
    }
    Err(StockError::Foreign)
}

pub(super) fn adjusted(performance_id: PerformanceId, level: &BucketLevel) -> CapacityAdjusted {
    CapacityAdjusted {
        performance_id,
        bucket_id: level.bucket_id,
        remaining: level.remaining,
        capacity: level.capacity,
    }
}
