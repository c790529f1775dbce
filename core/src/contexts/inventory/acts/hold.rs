//! Holds places, and binds holds to a confirmed reservation.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_contracts::inventory::SeatsReserved;
use eventify_kernel::app::App;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, PgConnection};
use eventify_protocol::ids::{BucketId, HoldId};
use uuid::Uuid;

use super::bucket_units;
use super::release;
use crate::contexts::inventory::NAME;
use crate::contexts::inventory::model::attempts::{AttemptState, EndedBy};
use crate::contexts::inventory::model::hold::{
    Buyer, DECLINED, Held, HoldRefusal, HoldRequest, OutOfStock,
};
use crate::contexts::inventory::model::slots::Taken;
use crate::contexts::inventory::model::stock::Stock;
use crate::contexts::inventory::store::{
    attempts, availability, claim, holds, release as returned, stock, venue_words,
};

/// Why a hold was not taken.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// An answer; a breaker doesn't count it.
    #[error(transparent)]
    Refused(#[from] HoldRefusal),
    /// The database failed; the same call may succeed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Why holds were not extended. Either all are or none.
#[derive(Debug, thiserror::Error)]
pub enum ExtendError {
    /// These have expired, were released or never existed.
    #[error("holds have ended")]
    Ended(Vec<HoldId>),
    /// A venue has declined a performance of theirs.
    #[error("{DECLINED}")]
    Declined,
    /// The database failed; the same call may succeed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Where the units of zones are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    /// One slot of each zone: nearly always succeeds, and waits for no other hold.
    OneSlot,
    /// All slots of each zone, under their locks.
    AllSlots,
}

enum Attempt {
    Held,
    /// The id is known.
    Known,
    /// A slot had too few units.
    SearchAllSlots,
}

/// Holds all places of the request, or nothing. `holder`: the service account that may release the
/// hold over HTTP.
pub(crate) async fn hold(
    app: &App,
    cause: &Cause,
    request: &HoldRequest,
    holder: Option<Uuid>,
) -> Result<Held, HoldError> {
    let now = app.clock.now();
    request.check(now)?;
    let (stock, held) = loop {
        let mut conn = app.db.read(NAME).await?;
        let on_sale = stock::find_on_sale(&mut conn, request.performance).await?;
        let on_sale = on_sale.ok_or(HoldRefusal::UnknownPerformance)?;
        let stock = stock::list(&mut conn, request, now).await?;
        let held = stock.places(request, on_sale.venue)?;
        if holds::find(&mut conn, request.hold).await?.is_some() {
            drop(conn);
            return take_up_again(app, cause, request, held).await;
        }
        on_sale.check()?;
        if let Some(missing) = stock.shortage(request) {
            return Err(HoldRefusal::OutOfStock(missing).into());
        }
        let expired = stock.expired();
        if expired.is_empty() {
            break (stock, held);
        }
        drop(conn);
        let mut tx = app.db.begin(NAME, cause).await?;
        release::end_each(app, &mut tx, &expired, EndedBy::Expiry).await?;
        tx.commit().await?;
    };
    let places = (&stock, &held);
    let mut outcome = attempt(app, cause, request, places, holder, Search::OneSlot).await?;
    if let Attempt::SearchAllSlots = outcome {
        outcome = attempt(app, cause, request, places, holder, Search::AllSlots).await?;
    }
    match outcome {
        Attempt::Held => Ok(held),
        // The second attempt never asks for a third.
        Attempt::Known | Attempt::SearchAllSlots => take_up_again(app, cause, request, held).await,
    }
}

/// The answer of a known hold, which from now on stands on this attempt too.
async fn take_up_again(
    app: &App,
    cause: &Cause,
    request: &HoldRequest,
    held: Held,
) -> Result<Held, HoldError> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let taken = stand(&mut tx, request, held, now).await?;
    // Ended either way: one that is only dropped ends a moment later, and keeps its locks until then.
    match taken {
        Ok(held) => {
            tx.commit().await?;
            Ok(held)
        }
        Err(refusal) => {
            tx.rollback().await?;
            Err(refusal.into())
        }
    }
}

async fn stand(
    conn: &mut PgConnection,
    request: &HoldRequest,
    held: Held,
    now: DateTime<Utc>,
) -> DbResult<Result<Held, HoldRefusal>> {
    let known = attempts::record(conn, (request.hold, request.attempt), now).await?;
    if let Err(refusal) = AttemptState::arrived(known) {
        return Ok(Err(refusal));
    }
    let locked = holds::lock(conn, &[request.hold]).await?;
    let Some(hold) = locked.first() else {
        return Ok(Err(HoldRefusal::Ended));
    };
    if returned::has_returned_parts(conn, request.hold).await? {
        return Ok(Err(HoldRefusal::Ended));
    }
    Ok(hold.answer(request.fingerprint(), held, now))
}

async fn attempt(
    app: &App,
    cause: &Cause,
    request: &HoldRequest,
    (stock, held): (&Stock, &Held),
    holder: Option<Uuid>,
    search: Search,
) -> Result<Attempt, HoldError> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let known = attempts::record(&mut tx, (request.hold, request.attempt), now).await?;
    AttemptState::arrived(known)?;
    if let Some(Buyer {
        id,
        most_held: Some(most),
        seller: None,
    }) = request.customer
    {
        let held = claim::count_held_by(&mut tx, id, request.performance, now).await?;
        if held + request.places() > u64::from(most) {
            // A repeat that came at the same time as its first request gets the answer of that one.
            let known = holds::find(&mut tx, request.hold).await?;
            let refusal = HoldRefusal::TooManyHeld(most);
            return Ok(known.map(|_| Attempt::Known).ok_or(refusal)?);
        }
    }
    if !holds::insert(&mut tx, request, holder, now).await? {
        return Ok(Attempt::Known);
    }
    let seats = claim::take_seats(&mut tx, held).await?;
    if !seats.is_empty() {
        let buckets = vec![];
        return Err(HoldRefusal::OutOfStock(OutOfStock { seats, buckets }).into());
    }
    let Some(units) = take_units(&mut tx, request, stock, search).await? else {
        return Ok(Attempt::SearchAllSlots);
    };
    claim::insert_units(&mut tx, request.hold, request.performance, &units).await?;
    availability::insert_change(&mut tx, request.performance).await?;
    let reserved = SeatsReserved {
        performance_id: held.performance,
        hold_id: held.hold,
        seats: held.seats.iter().map(|seat| seat.label.clone()).collect(),
        seat_ids: held.seats.iter().map(|seat| seat.seat).collect(),
        buckets: request.units().into_iter().map(bucket_units).collect(),
        expires_at: held.expires_at,
    };
    tx.publish(app.clock.new_id(), 1, &reserved);
    tx.commit().await?;
    Ok(Attempt::Held)
}

/// `None`: search again in all slots, in a new transaction.
async fn take_units(
    conn: &mut PgConnection,
    request: &HoldRequest,
    stock: &Stock,
    search: Search,
) -> Result<Option<BTreeMap<BucketId, Vec<Taken>>>, HoldError> {
    let performance = request.performance;
    let (mut taken, mut buckets) = (BTreeMap::new(), Vec::new());
    for (bucket, wanted) in request.units() {
        match search {
            Search::OneSlot => {
                let place = (performance, bucket);
                let choice = (request.hold, stock.slots(bucket));
                let part = claim::take_from_one_slot(conn, place, choice, wanted).await?;
                let Some(part) = part else { return Ok(None) };
                taken.insert(bucket, vec![part]);
            }
            Search::AllSlots => {
                match claim::take_from_all_slots(conn, performance, bucket, wanted).await? {
                    Ok(parts) => drop(taken.insert(bucket, parts)),
                    Err(shortage) => buckets.push(shortage),
                }
            }
        }
    }
    if buckets.is_empty() {
        return Ok(Some(taken));
    }
    let seats = vec![];
    Err(HoldRefusal::OutOfStock(OutOfStock { seats, buckets }).into())
}

/// Binds holds to a confirmed reservation, until `until` and beyond: they no longer expire by
/// themselves, because a payment may be under way whose message has not arrived. From here on only
/// `order.paid` (sold), `order.cancelled`, `reservation.expired|cancelled` or
/// [`end_cart`](crate::contexts::inventory::api::end_cart) end them, and no undone attempt does; the deadline job of the caller
/// makes sure that one of these comes.
///
/// # Errors
/// [`ExtendError::Ended`] has the holds that are gone; none was extended then. [`ExtendError::Declined`]: the holds
/// stay as they are.
pub async fn extend(
    app: &App,
    cause: &Cause,
    ids: &[HoldId],
    until: DateTime<Utc>,
) -> Result<(), ExtendError> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let locked = holds::lock(&mut tx, ids).await?;
    let active = |id: &HoldId| locked.iter().any(|it| it.id == *id && it.is_active(now));
    let ended: Vec<_> = ids.iter().filter(|id| !active(id)).copied().collect();
    if !ended.is_empty() {
        // Nothing was changed. A transaction that is only dropped ends a moment later, and the job
        // `expire_holds` would skip these holds until then.
        tx.commit().await?;
        return Err(ExtendError::Ended(ended));
    }
    if venue_words::is_declined_any(&mut tx, ids).await? {
        tx.commit().await?;
        return Err(ExtendError::Declined);
    }
    let unsold = locked.iter().filter(|it| !it.is_sold());
    let unsold: Vec<_> = unsold.map(|it| it.id).collect();
    holds::confirm(&mut tx, &unsold, until, now).await?;
    tx.commit().await?;
    Ok(())
}
