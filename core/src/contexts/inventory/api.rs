//! The acts of inventory: for its own routes and consumers, and for reservation, which calls them
//! in this process behind its breaker.
//!
//! Every act may be repeated: a hold's id is its idempotency key, releasing and extending again
//! changes nothing. A call that a caller gave up on runs on to its end; `release` of its id
//! afterwards undoes it, also when it overtakes it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{BucketId, HoldId, OrderId, PerformanceId, UserId};
use uuid::Uuid;

use super::NAME;
use super::model::slots::Taken;
use super::model::stock::Stock;
use super::store::release::{Freed, LockedHold, Place};
use super::store::{availability, claim, release as given_back, stock};
use eventify_contracts::inventory::{BucketUnits, SeatsReleased, SeatsReserved};
use eventify_kernel::app::App;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, PgConnection, Tx};

pub use super::model::hold::{
    BucketShortage, BucketWanted, Buyer, Held, HeldBucket, HeldSeat, HoldRefusal, HoldRequest,
    MAX_PLACES_PER_HOLD, OutOfStock, PartRelease, SeatRef, SeatWanted,
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
    /// These have expired, were released or never were.
    #[error("holds have ended")]
    Ended(Vec<HoldId>),
    /// The database failed; the same call may succeed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Holds all that was asked for, or nothing.
///
/// # Errors
/// [`HoldError`].
pub async fn hold(app: &App, cause: &Cause, request: &HoldRequest) -> Result<Held, HoldError> {
    hold_for(app, cause, request, None).await
}

/// Frees whatever these holds still have, unless it is sold. An id that is not known yet is
/// noted, so that a `hold` that comes later answers [`HoldRefusal::Ended`].
///
/// # Errors
/// The database failed; nothing was released.
pub async fn release(app: &App, cause: &Cause, ids: &[HoldId]) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, cause).await?;
    free(app, &mut tx, ids, Extent::Unsold).await?;
    tx.commit().await
}

/// Frees a part of a hold: a removed cart item.
///
/// # Errors
/// The database failed; nothing was released.
pub async fn release_part(app: &App, cause: &Cause, part: &PartRelease) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, cause).await?;
    free_part(app, &mut tx, part).await?;
    tx.commit().await
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
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let locked = given_back::lock(&mut tx, ids).await?;
    let alive = |id: &HoldId| {
        locked
            .iter()
            .any(|found| found.id == *id && found.hold.is_alive(now))
    };
    let ended: Vec<_> = ids.iter().filter(|id| !alive(id)).copied().collect();
    if !ended.is_empty() {
        // Nothing was changed. A transaction that is only dropped ends a moment later, and a sweep
        // meanwhile would leave these holds out.
        tx.commit().await?;
        return Err(ExtendError::Ended(ended));
    }
    let unsold: Vec<_> = locked
        .iter()
        .filter(|it| !it.is_sold())
        .map(|it| it.id)
        .collect();
    given_back::confirm(&mut tx, &unsold, until, now).await?;
    tx.commit().await?;
    Ok(())
}

/// How a hold is to be taken out of the zones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    /// From one slot of each zone: what almost always succeeds, and nobody waits.
    OneSlot,
    /// From all slots of each zone, under their locks.
    AllSlots,
}

/// What became of one attempt.
enum Attempt {
    Held,
    /// The id is known.
    Known,
    /// A slot had too few units.
    SearchAllSlots,
}

/// `holder`: the service account that may release it over HTTP.
pub(super) async fn hold_for(
    app: &App,
    cause: &Cause,
    request: &HoldRequest,
    holder: Option<Uuid>,
) -> Result<Held, HoldError> {
    let now = app.clock.now();
    request.check(now)?;
    let (stock, held) = loop {
        let mut conn = app.db.read(NAME).await?;
        let on_sale = stock::on_sale(&mut conn, request.performance).await?;
        let on_sale = on_sale.ok_or(HoldRefusal::UnknownPerformance)?;
        let found = stock::of(&mut conn, request, now).await?;
        let held = found.places(request, on_sale.venue)?;
        if let Some(known) = stock::hold(&mut conn, request.hold).await? {
            return Ok(known.answer(request.fingerprint(), held, now)?);
        }
        on_sale.check()?;
        if let Some(missing) = found.shortage(request) {
            return Err(HoldRefusal::OutOfStock(missing).into());
        }
        let lapsed = found.lapsed();
        if lapsed.is_empty() {
            break (found, held);
        }
        drop(conn);
        let mut tx = app.db.begin(NAME, cause).await?;
        free(app, &mut tx, &lapsed, Extent::Lapsed).await?;
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
        Attempt::Known | Attempt::SearchAllSlots => {
            let mut conn = app.db.read(NAME).await?;
            let known = stock::hold(&mut conn, request.hold).await?;
            let known = known.ok_or(HoldRefusal::Ended)?;
            Ok(known.answer(request.fingerprint(), held, now)?)
        }
    }
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
    if let Some(Buyer {
        id,
        most_held: Some(most),
    }) = request.customer
    {
        let held = claim::held_by(&mut tx, id, request.performance, now).await?;
        if held + request.places() > u64::from(most) {
            return known_or(&mut tx, request, HoldRefusal::TooManyHeld(most)).await;
        }
    }
    if !claim::add_hold(&mut tx, request, holder, now).await? {
        return Ok(Attempt::Known);
    }
    let seats = claim::take_seats(&mut tx, held).await?;
    if !seats.is_empty() {
        return Err(HoldRefusal::OutOfStock(OutOfStock {
            seats,
            buckets: vec![],
        })
        .into());
    }
    let Some(units) = take_units(&mut tx, request, stock, search).await? else {
        return Ok(Attempt::SearchAllSlots);
    };
    claim::note_units(&mut tx, request.hold, request.performance, &units).await?;
    availability::note_change(&mut tx, request.performance).await?;
    let reserved = SeatsReserved {
        performance_id: held.performance,
        hold_id: held.hold,
        seats: held.seats.iter().map(|seat| seat.label.clone()).collect(),
        seat_ids: held.seats.iter().map(|seat| seat.seat).collect(),
        buckets: request.units().into_iter().map(units_of_bucket).collect(),
        expires_at: held.expires_at,
    };
    tx.publish(app.clock.new_id(), 1, &reserved);
    tx.commit().await?;
    Ok(Attempt::Held)
}

/// A repeat that came at the same moment as its first is answered as that was.
async fn known_or(
    conn: &mut PgConnection,
    request: &HoldRequest,
    refusal: HoldRefusal,
) -> Result<Attempt, HoldError> {
    match stock::hold(conn, request.hold).await? {
        Some(_) => Ok(Attempt::Known),
        None => Err(refusal.into()),
    }
}

/// `None`: search again in all slots, in a new transaction.
async fn take_units(
    conn: &mut PgConnection,
    request: &HoldRequest,
    stock: &Stock,
    search: Search,
) -> Result<Option<BTreeMap<BucketId, Vec<Taken>>>, HoldError> {
    let performance = request.performance;
    let mut taken = BTreeMap::new();
    let mut missing = Vec::new();
    for (bucket, wanted) in request.units() {
        let place = (performance, bucket);
        match search {
            Search::OneSlot => {
                let choice = (request.hold, stock.slots(bucket));
                let part = claim::take_from_one_slot(conn, place, choice, wanted).await?;
                let Some(part) = part else { return Ok(None) };
                taken.insert(bucket, vec![part]);
            }
            Search::AllSlots => {
                match claim::take_from_all_slots(conn, performance, bucket, wanted).await? {
                    Ok(parts) => drop(taken.insert(bucket, parts)),
                    Err(shortage) => missing.push(shortage),
                }
            }
        }
    }
    if missing.is_empty() {
        return Ok(Some(taken));
    }
    Err(HoldRefusal::OutOfStock(OutOfStock {
        seats: vec![],
        buckets: missing,
    })
    .into())
}

/// How much of a hold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// What has expired by itself.
    Lapsed,
    /// What is not sold: carts, unpaid orders.
    Unsold,
    /// Everything: the order's money went back.
    Everything,
}

/// Ends holds in a transaction of the caller.
pub(super) async fn free(app: &App, tx: &mut Tx, ids: &[HoldId], extent: Extent) -> DbResult<()> {
    let now = app.clock.now();
    given_back::add_tombstones(tx, ids, now).await?;
    let ends = |it: &LockedHold| match extent {
        Extent::Lapsed => it.hold.has_lapsed(now),
        Extent::Unsold => !it.is_released() && !it.is_sold(),
        Extent::Everything => !it.is_released(),
    };
    let locked = given_back::lock(tx, ids).await?;
    let ending: Vec<_> = locked
        .iter()
        .filter(|it| ends(it))
        .map(|it| it.id)
        .collect();
    let freed = given_back::free_all(tx, &ending, now).await?;
    tell_freed(app, tx, freed).await
}

/// Ends holds whose time is over, at most `limit`; answers how many.
pub(super) async fn free_lapsed(app: &App, cause: &Cause, limit: usize) -> DbResult<usize> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let lapsed = given_back::lock_lapsed(&mut tx, now, limit).await?;
    let freed = given_back::free_all(&mut tx, &lapsed, now).await?;
    tell_freed(app, &mut tx, freed).await?;
    tx.commit().await?;
    Ok(lapsed.len())
}

/// Frees a part of a hold in a transaction of the caller.
pub(super) async fn free_part(app: &App, tx: &mut Tx, part: &PartRelease) -> DbResult<()> {
    let locked = given_back::lock(tx, &[part.hold]).await?;
    let foreign = |it: &LockedHold| part.owner.is_some() && it.owner != part.owner;
    if locked.iter().any(foreign) {
        tracing::error!(hold = %part.hold, "a part of somebody else's hold was to be released");
        return Ok(());
    }
    match given_back::free_part(tx, part, app.clock.now()).await? {
        Some(freed) => tell_freed(app, tx, freed).await,
        None => Ok(()),
    }
}

/// What a refunded ticket's place met.
pub(super) enum Returned {
    /// It is free, or was before.
    Done,
    /// The order's sale has not arrived: come again.
    NotSoldYet,
}

/// Frees the place of a revoked ticket, once for each ticket.
pub(super) async fn free_ticket(
    app: &App,
    tx: &mut Tx,
    ticket: Uuid,
    order: OrderId,
    (performance, place): (PerformanceId, Place),
) -> DbResult<Returned> {
    let Some(hold) = given_back::hold_of(tx, order, performance, place).await? else {
        let known = given_back::knows_order(tx, order).await?;
        return Ok(if known {
            Returned::Done
        } else {
            Returned::NotSoldYet
        });
    };
    let (seats, buckets) = match place {
        Place::Seat(seat) => (vec![seat], vec![]),
        Place::Unit(bucket) => (vec![], vec![(bucket, 1)]),
    };
    free_part(
        app,
        tx,
        &PartRelease {
            id: ticket,
            hold,
            owner: None,
            seats,
            buckets,
        },
    )
    .await?;
    Ok(Returned::Done)
}

/// Marks the holds of a customer's paid order as sold; answers those that are gone, or are not
/// the customer's.
pub(super) async fn sell(
    app: &App,
    tx: &mut Tx,
    (order, customer): (OrderId, UserId),
    ids: &[HoldId],
) -> DbResult<Vec<HoldId>> {
    if given_back::note_order(tx, order, false).await? {
        // The money went back before this message came.
        free(app, tx, ids, Extent::Everything).await?;
        return Ok(vec![]);
    }
    let locked = given_back::lock(tx, ids).await?;
    let alive: Vec<_> = locked
        .iter()
        .filter(|it| !it.is_released() && it.may_be_sold_to(order, customer))
        .map(|it| it.id)
        .collect();
    given_back::sell(tx, &alive, order, app.clock.now()).await?;
    Ok(ids
        .iter()
        .filter(|id| !alive.contains(id))
        .copied()
        .collect())
}

/// Ends everything that an order has: its money went back.
pub(super) async fn close_order(
    app: &App,
    tx: &mut Tx,
    order: OrderId,
    ids: &[HoldId],
) -> DbResult<()> {
    given_back::note_order(tx, order, true).await?;
    free(app, tx, ids, Extent::Everything).await
}

async fn tell_freed(
    app: &App,
    tx: &mut Tx,
    freed: BTreeMap<(HoldId, PerformanceId), Freed>,
) -> DbResult<()> {
    for ((hold, performance), part) in freed {
        availability::note_change(tx, performance).await?;
        let version = given_back::version(tx, hold).await?;
        let (seat_ids, seats) = part.seats.into_iter().unzip();
        let buckets = part.units.into_iter().map(units_of_bucket).collect();
        let released = SeatsReleased {
            performance_id: performance,
            hold_id: hold,
            seats,
            seat_ids,
            buckets,
        };
        tx.publish(app.clock.new_id(), version, &released);
    }
    Ok(())
}

fn units_of_bucket((bucket_id, qty): (BucketId, u32)) -> BucketUnits {
    BucketUnits { bucket_id, qty }
}
