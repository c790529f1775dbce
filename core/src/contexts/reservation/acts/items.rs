//! Places are added to a cart and removed from it.

use eventify_contracts::reservation::{ReservationItemAdded, ReservationItemRemoved};
use eventify_kernel::breaker::{CallError, IsFault};
use eventify_kernel::cause::Cause;
use eventify_protocol::ids::{HoldId, PerformanceId, ReservationId};
use eventify_protocol::money::Money;
use eventify_protocol::token::CategoryCode;
use futures_util::FutureExt;
use uuid::Uuid;

use super::{Error, outage};
use crate::contexts::inventory::api::{
    self as inventory, AttemptId, BucketWanted, Buyer, Held, HoldError, HoldRefusal, HoldRequest,
    SeatWanted,
};
use crate::contexts::reservation::jobs::Release;
use crate::contexts::reservation::model::{
    CartItem, Channel, HeldPlace, Offer, Refusal, Reservation,
};
use crate::contexts::reservation::{App, NAME, store};
use crate::contexts::ticketing::api as ticketing;

/// A place that a customer requests, with the price that the client shows, if it sends one.
#[derive(Clone, Debug)]
pub(crate) enum RequestedPlace {
    Seat {
        seat: SeatWanted,
        unit_price: Option<Money>,
    },
    Bucket {
        bucket: BucketWanted,
        unit_price: Option<Money>,
    },
}

impl RequestedPlace {
    fn qty(&self) -> u32 {
        match self {
            Self::Seat { .. } => 1,
            Self::Bucket { bucket, .. } => bucket.quantity,
        }
    }

    fn category_and_price(&self) -> (Option<CategoryCode>, Option<Money>) {
        match self {
            Self::Seat { seat, unit_price } => (seat.category, *unit_price),
            Self::Bucket { bucket, unit_price } => (bucket.category, *unit_price),
        }
    }

    fn seat(&self) -> Option<SeatWanted> {
        match self {
            Self::Seat { seat, .. } => Some(seat.clone()),
            Self::Bucket { .. } => None,
        }
    }

    fn bucket(&self) -> Option<BucketWanted> {
        match self {
            Self::Bucket { bucket, .. } => Some(bucket.clone()),
            Self::Seat { .. } => None,
        }
    }
}

/// Holds places and adds them to the cart, all or none. Every repeat of the request has the same
/// `holds`: the first one that has not ended is taken. Each is an attempt of its own, and one that
/// fails undoes itself alone.
pub(crate) async fn add_items(
    app: &App,
    cause: &Cause,
    (cart, buyer, channel): (&Reservation, Buyer, Channel),
    performance: PerformanceId,
    places: &[RequestedPlace],
    holds: &[HoldId],
) -> Result<Reservation, Error> {
    let offer = check_before_hold(app, (cart, channel), performance, places).await?;
    let mut request = HoldRequest {
        hold: HoldId(app.clock.new_id()),
        attempt: AttemptId(app.clock.new_id()),
        owner: cart.id.as_uuid(),
        customer: Some(buyer),
        performance,
        seats: places.iter().filter_map(RequestedPlace::seat).collect(),
        buckets: places.iter().filter_map(RequestedPlace::bucket).collect(),
        expires_at: cart.expires_at,
    };
    let added = match hold(app, cause, &mut request, holds).await {
        Ok(held) => add_held(app, cause, cart.id, &offer, held, places).await,
        Err(CallError::Callee(error)) if !error.is_fault() => {
            // The cart may have ended while the call was on its way, and that is why.
            cart.must_be_open(app.clock.now())?;
            return Err(Error::Hold(error));
        }
        Err(CallError::Open) => return Err(Error::Unavailable),
        Err(CallError::TimedOut | CallError::Broke(_) | CallError::Callee(_)) => {
            Err(Error::Unavailable)
        }
    };
    match added {
        Ok(cart) => Ok(cart),
        Err(error) => give_up(app, cause, cart.id, &request, error).await,
    }
}

/// Takes the first hold of these that has not ended; the request keeps which one it was.
async fn hold(
    app: &App,
    cause: &Cause,
    request: &mut HoldRequest,
    holds: &[HoldId],
) -> Result<Held, CallError<HoldError>> {
    let mut answer = Err(CallError::Callee(HoldRefusal::Ended.into()));
    for id in holds {
        request.hold = *id;
        let hold = || {
            let (app, cause, request) = (app.clone(), cause.clone(), request.clone());
            async move { inventory::hold(&app, &cause, &request).await }.boxed()
        };
        answer = app.state.inventory.holds.call(hold).await;
        let Err(CallError::Callee(HoldError::Refused(HoldRefusal::Ended))) = answer else {
            break;
        };
    }
    outage::note(app, &answer).await;
    answer
}

/// Undoes the attempt of a request that failed, and answers its error. A commit can have had its
/// effect though its answer was lost: what stands in the cart stays, and is the answer.
async fn give_up(
    app: &App,
    cause: &Cause,
    id: ReservationId,
    request: &HoldRequest,
    error: Error,
) -> Result<Reservation, Error> {
    let mut tx = app.db.begin(NAME, cause).await?;
    // Waits for a commit that is still on its way.
    let cart = store::lock(&mut tx, id).await?.ok_or(Error::Unknown)?;
    if cart.has_hold(request.hold) {
        cart.must_be_open(app.clock.now())?;
        return Ok(cart);
    }
    let undo = Release::Attempt {
        hold_id: request.hold,
        attempt: request.attempt.0,
    };
    tx.request(app, &undo).await?;
    tx.commit().await?;
    Err(error)
}

/// Refuses what can be refused without a call to inventory.
async fn check_before_hold(
    app: &App,
    (cart, channel): (&Reservation, Channel),
    performance: PerformanceId,
    places: &[RequestedPlace],
) -> Result<Offer, Error> {
    let now = app.clock.now();
    cart.must_be_open(now)?;
    let quantities = places.iter().map(RequestedPlace::qty);
    cart.must_have_room(quantities.fold(0, u32::saturating_add))?;
    let mut conn = app.db.read(NAME).await?;
    let offer = store::find_offer(&mut conn, performance).await?;
    let offer = offer.ok_or(Error::UnknownPerformance)?;
    offer.must_be_on_sale(channel, now)?;
    ticketing::can_sign(app, offer.start_time, offer.ends_at)?;
    for (category, claimed) in places.iter().map(RequestedPlace::category_and_price) {
        if let Some(category) = category {
            offer.price(category, claimed)?;
        }
    }
    Ok(offer)
}

/// Adds held places to the cart, unless an earlier attempt of the same request did.
async fn add_held(
    app: &App,
    cause: &Cause,
    id: ReservationId,
    offer: &Offer,
    held: Held,
    places: &[RequestedPlace],
) -> Result<Reservation, Error> {
    let hold_id = held.hold;
    let lines = priced(app, offer, held, places)?;
    let mut tx = app.db.begin(NAME, cause).await?;
    let cart = store::lock(&mut tx, id).await?.ok_or(Error::Unknown)?;
    if cart.has_hold(hold_id) {
        return Ok(cart);
    }
    let cart = cart.add(lines.clone(), app.clock.now())?;
    store::update(&mut tx, &cart).await?;
    store::insert_items(&mut tx, id, &lines).await?;
    for CartItem { item, .. } in lines {
        let added = ReservationItemAdded {
            reservation_id: id,
            item,
        };
        tx.publish(app.clock.new_id(), cart.version, &added);
    }
    tx.commit().await?;
    Ok(cart)
}

/// The places of a hold with the core's prices, each compared with the client's price.
fn priced(
    app: &App,
    offer: &Offer,
    held: Held,
    places: &[RequestedPlace],
) -> Result<Vec<CartItem>, Refusal> {
    let hold_id = held.hold;
    let (mut seats, mut buckets) = (held.seats.into_iter(), held.buckets.into_iter());
    let line = |requested: &RequestedPlace| {
        let place = match requested {
            RequestedPlace::Seat { .. } => seats.next().map(|seat| HeldPlace {
                hold_id,
                seat: Some((seat.seat, seat.label)),
                bucket: None,
                qty: 1,
                category: seat.category,
                allowed: seat.allowed,
            }),
            RequestedPlace::Bucket { .. } => buckets.next().map(|bucket| HeldPlace {
                hold_id,
                seat: None,
                bucket: Some((bucket.bucket, bucket.zone)),
                qty: bucket.quantity,
                category: bucket.category,
                allowed: bucket.allowed,
            }),
        };
        // Inventory answers in the order of the request, all or nothing.
        let place = place.ok_or(Refusal::NotOnSale)?;
        let (_, claimed) = requested.category_and_price();
        Ok(CartItem {
            item_id: app.clock.new_id(),
            item: offer.priced(place, claimed)?,
        })
    };
    places.iter().map(line).collect()
}

/// Removes an item and requests the release of its places.
pub(crate) async fn remove_item(
    app: &App,
    cause: &Cause,
    id: ReservationId,
    item_id: Uuid,
) -> Result<(), Error> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let cart = store::lock(&mut tx, id).await?.ok_or(Error::Unknown)?;
    let (cart, item) = cart
        .remove(item_id, app.clock.now())?
        .ok_or(Error::UnknownItem)?;
    store::update(&mut tx, &cart).await?;
    store::delete_item(&mut tx, item_id).await?;
    tx.request(app, &Release::of_item(id, item_id, &item))
        .await?;
    let removed = ReservationItemRemoved {
        reservation_id: id,
        item,
    };
    tx.publish(app.clock.new_id(), cart.version, &removed);
    tx.commit().await?;
    Ok(())
}
