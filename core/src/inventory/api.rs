//! What the other contexts call in this process: reservation, behind its breaker.
//!
//! Every call may be repeated: a hold's id is its idempotency key, releasing and extending again
//! changes nothing. A call that a caller gave up on runs on to its end; `release` of its id
//! afterwards undoes it, also when it overtakes it.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::HoldId;

use super::store::{holds, part};
use crate::app::App;
use crate::cause::Cause;
use crate::db::DbResult;

pub use super::model::hold::{
    BucketShortage, BucketWanted, ExtendError, Held, HeldBucket, HeldSeat, HoldError, HoldRequest,
    MAX_PLACES_PER_HOLD, OutOfStock, PartRelease, SeatRef, SeatWanted,
};

/// Holds all that was asked for, or nothing.
///
/// # Errors
/// [`HoldError`]; only [`HoldError::Db`] is a fault, the others are answers.
pub async fn hold(app: &App, cause: &Cause, request: &HoldRequest) -> Result<Held, HoldError> {
    holds::hold(app, cause, request, None).await
}

/// Frees whatever these holds still have, sold or not. An id that is not known yet is noted, so
/// that a `hold` that comes later answers [`HoldError::Ended`].
///
/// # Errors
/// The database failed; nothing was released.
pub async fn release(app: &App, cause: &Cause, ids: &[HoldId]) -> DbResult<()> {
    holds::release(app, cause, ids).await
}

/// Frees a part of a hold: a removed cart item, a refunded ticket.
///
/// # Errors
/// The database failed; nothing was released.
pub async fn release_part(app: &App, cause: &Cause, part: &PartRelease) -> DbResult<()> {
    part::release(app, cause, part).await
}

/// Binds holds to a confirmed reservation, until `until` and beyond: they no longer expire by
/// themselves, because a payment may be under way whose news has not arrived. From here on only
/// `order.paid` (sold), `order.cancelled`, `reservation.expired|cancelled` or [`release`] end
/// them; the caller's own deadline job sees to it that one of these comes.
///
/// # Errors
/// [`ExtendError::Ended`] names the holds that are gone; none was extended then.
pub async fn extend(
    app: &App,
    cause: &Cause,
    ids: &[HoldId],
    until: DateTime<Utc>,
) -> Result<(), ExtendError> {
    holds::extend(app, cause, ids, until).await
}
