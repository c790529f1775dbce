//! What reservation calls, in this process and behind its breaker.
//!
//! Every call can be repeated: a hold's id is its idempotency key; releasing and extending again
//! changes nothing. A call whose caller timed out runs on to its end; [`release`] of its id
//! afterwards undoes it, also when it arrives first.

use eventify_kernel::app::App;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;
use eventify_protocol::ids::HoldId;

use super::NAME;
use super::acts::release::{self, Extent};

pub use super::acts::hold::{ExtendError, HoldError, extend};
pub use super::model::hold::{
    BucketShortage, BucketWanted, Buyer, Held, HeldBucket, HeldSeat, HoldRefusal, HoldRequest,
    MAX_PLACES_PER_HOLD, OutOfStock, PartRelease, SeatRef, SeatWanted,
};

/// Holds all places of the request, or nothing.
///
/// # Errors
/// [`HoldError`].
pub async fn hold(app: &App, cause: &Cause, request: &HoldRequest) -> Result<Held, HoldError> {
    super::acts::hold::hold(app, cause, request, None).await
}

/// Releases whatever these holds still have, unless it is sold. An unknown id is recorded, so that
/// a [`hold`] that arrives later is refused with [`HoldRefusal::Ended`].
///
/// # Errors
/// The database failed; nothing was released.
pub async fn release(app: &App, cause: &Cause, ids: &[HoldId]) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, cause).await?;
    release::end(app, &mut tx, ids, Extent::Unsold).await?;
    tx.commit().await
}

/// Releases a part of a hold: a removed cart item.
///
/// # Errors
/// The database failed; nothing was released.
pub async fn release_part(app: &App, cause: &Cause, part: &PartRelease) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, cause).await?;
    release::end_part(app, &mut tx, part).await?;
    tx.commit().await
}
