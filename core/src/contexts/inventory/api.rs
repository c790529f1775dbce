//! What reservation calls, in this process and behind its breaker.
//!
//! Every call can be repeated: a hold's id is its idempotency key; undoing, ending and extending again
//! changes nothing. A call whose caller timed out runs on to its end; [`undo`] of its attempt undoes
//! it, also when it arrives first, and leaves alone what another attempt has taken up (DECISIONS 45).

use eventify_contracts::reservation::EndReason;
use eventify_kernel::app::App;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;
use eventify_protocol::ids::{HoldId, ReservationId};

use super::NAME;
use super::acts::release;
use super::model::attempts::EndedBy;

pub use super::acts::hold::{ExtendError, HoldError, extend};
pub use super::model::attempts::AttemptId;
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

/// Undoes an attempt at a hold. The hold ends unless another attempt stands, or it is confirmed or
/// sold. An attempt that arrives later is refused with [`HoldRefusal::Undone`].
///
/// # Errors
/// The database failed; nothing was undone.
pub async fn undo(app: &App, cause: &Cause, hold: HoldId, attempt: AttemptId) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, cause).await?;
    release::undo(app, &mut tx, hold, attempt).await?;
    tx.commit().await
}

/// Ends all that a cart holds and has not paid, because the cart has ended.
///
/// # Errors
/// The database failed; nothing was released.
pub async fn end_cart(
    app: &App,
    cause: &Cause,
    cart: ReservationId,
    reason: EndReason,
) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, cause).await?;
    release::end_cart(app, &mut tx, cart, EndedBy::Cart(reason)).await?;
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
