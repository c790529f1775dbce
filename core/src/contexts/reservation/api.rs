//! What can be done with a cart. Inventory is called behind the breaker `rsv_inventory`, outside of
//! every transaction; a hold whose answer was lost is released.

use chrono::Duration;
use eventify_protocol::ids::{HoldId, PerformanceId, ReservationId, UserId};
use eventify_protocol::money::Money;
use eventify_protocol::token::CategoryCode;
use futures_util::FutureExt;
use uuid::Uuid;

use super::model::{CartItem, HeldPlace, OnSale, Refusal, Reservation};
use super::store::{self, Release};
use super::{NAME, consumers};
use crate::contexts::inventory::api::{
    self as inventory, Buyer, ExtendError, Held, HoldError, HoldRequest, SeatRef, SeatWanted,
};
use crate::contexts::reservation::App;
use eventify_contracts::reservation::{
    Item, ReservationCancelled, ReservationConfirmed, ReservationItemAdded, ReservationItemRemoved,
    ReservationStarted,
};
use eventify_kernel::breaker::{CallError, IsFault};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, Tx};

pub use crate::contexts::inventory::api::{BucketWanted, OutOfStock};

/// Why a cart was not changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("there is no such reservation")]
    Unknown,
    #[error("there is no such item in the reservation")]
    UnknownItem,
    #[error("there is no such performance")]
    UnknownPerformance,
    #[error(transparent)]
    Hold(HoldError),
    #[error("inventory doesn't answer")]
    Unavailable,
    #[error(transparent)]
    Db(#[from] DbError),
}

/// A place that a customer wants.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Seat {
        seat: SeatWanted,
        unit_price: Option<Money>,
    },
    Bucket {
        bucket: BucketWanted,
        unit_price: Option<Money>,
    },
}

impl Wanted {
    fn qty(&self) -> u32 {
        match self {
            Self::Seat { .. } => 1,
            Self::Bucket { bucket, .. } => bucket.quantity,
        }
    }

    fn claim(&self) -> (Option<CategoryCode>, Option<Money>) {
        match self {
            Self::Seat { seat, unit_price } => (seat.category, *unit_price),
            Self::Bucket { bucket, unit_price } => (bucket.category, *unit_price),
        }
    }
}

impl IsFault for HoldError {
    fn is_fault(&self) -> bool {
        matches!(self, Self::Db(error) if error.is_databases_fault())
    }
}

impl IsFault for ExtendError {
    fn is_fault(&self) -> bool {
        matches!(self, Self::Db(error) if error.is_databases_fault())
    }
}

/// Opens a cart, if the customer has fewer than so many open.
pub(super) async fn start(
    app: &App,
    cause: &Cause,
    customer: UserId,
    lifetime: Duration,
    most_open: Option<u32>,
) -> Result<Reservation, Error> {
    let now = app.clock.now();
    let id = ReservationId(app.clock.new_id());
    let cart = Reservation::start(id, customer, lifetime, cause.correlation, now);
    let mut tx = app.db.begin(NAME, cause).await?;
    if let Some(most) = most_open
        && store::open_carts(&mut tx, customer, now).await? >= u64::from(most)
    {
        return Err(Refusal::TooManyOpen(most).into());
    }
    store::insert(&mut tx, &cart).await?;
    let started = ReservationStarted {
        reservation_id: id,
        customer_id: customer,
        expires_at: cart.expires_at,
    };
    tx.publish(app.clock.new_id(), cart.version, &started);
    tx.commit().await?;
    Ok(cart)
}

/// Reads a cart.
pub(super) async fn find(app: &App, id: ReservationId) -> Result<Reservation, Error> {
    let mut conn = app.db.read(NAME).await?;
    store::find(&mut conn, id).await?.ok_or(Error::Unknown)
}

/// Holds places and puts them into the cart, all or none. `hold` is the same for every repeat of
/// the request.
pub(super) async fn add_items(
    app: &App,
    cause: &Cause,
    (cart, buyer): (&Reservation, Buyer),
    performance: PerformanceId,
    wanted: &[Wanted],
    hold: HoldId,
) -> Result<Reservation, Error> {
    let on_sale = check_before_hold(app, cart, performance, wanted).await?;
    let request = HoldRequest {
        hold,
        owner: cart.id.as_uuid(),
        customer: Some(buyer),
        performance,
        seats: wanted.iter().filter_map(Wanted::seat).collect(),
        buckets: wanted.iter().filter_map(Wanted::bucket).collect(),
        expires_at: cart.expires_at,
    };
    let attempt = || {
        let (app, cause, request) = (app.clone(), cause.clone(), request.clone());
        async move { inventory::hold(&app, &cause, &request).await }.boxed()
    };
    let added = match app.state.inventory_breaker.call(attempt).await {
        Ok(held) => put_in(app, cause, cart.id, &on_sale, held, wanted).await,
        Err(CallError::Callee(error)) if !error.is_fault() => return Err(Error::Hold(error)),
        Err(CallError::Open) => return Err(Error::Unavailable),
        Err(CallError::TimedOut | CallError::Broke(_) | CallError::Callee(_)) => {
            Err(Error::Unavailable)
        }
    };
    if added.is_err() {
        give_back(app, cause, &[Release::whole(hold, cause.correlation)]).await?;
    }
    added
}

impl Wanted {
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

/// What can be refused without troubling inventory.
async fn check_before_hold(
    app: &App,
    cart: &Reservation,
    performance: PerformanceId,
    wanted: &[Wanted],
) -> Result<OnSale, Error> {
    let now = app.clock.now();
    cart.must_be_open(now)?;
    cart.must_have_room(wanted.iter().map(Wanted::qty).fold(0, u32::saturating_add))?;
    let mut conn = app.db.read(NAME).await?;
    let on_sale = store::on_sale(&mut conn, performance)
        .await?
        .ok_or(Error::UnknownPerformance)?;
    on_sale.must_be_on_sale(now)?;
    for (category, claimed) in wanted.iter().map(Wanted::claim) {
        if let Some(category) = category {
            on_sale.price(category, claimed)?;
        }
    }
    Ok(on_sale)
}

/// Held places into the cart. A repeat finds them there.
async fn put_in(
    app: &App,
    cause: &Cause,
    id: ReservationId,
    on_sale: &OnSale,
    held: Held,
    wanted: &[Wanted],
) -> Result<Reservation, Error> {
    let hold = held.hold;
    let lines = priced(app, on_sale, held, wanted)?;
    let mut tx = app.db.begin(NAME, cause).await?;
    let cart = store::lock(&mut tx, id).await?.ok_or(Error::Unknown)?;
    if cart.items.iter().any(|line| line.item.hold_id == hold) {
        return Ok(cart);
    }
    let cart = cart.add(lines.clone(), app.clock.now())?;
    store::save(&mut tx, &cart).await?;
    store::add_items(&mut tx, id, &lines).await?;
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

/// The places of a hold with the core's prices, each checked against what the client thinks.
fn priced(
    app: &App,
    on_sale: &OnSale,
    held: Held,
    wanted: &[Wanted],
) -> Result<Vec<CartItem>, Refusal> {
    let hold_id = held.hold;
    let (mut seats, mut buckets) = (held.seats.into_iter(), held.buckets.into_iter());
    let mut lines = Vec::with_capacity(wanted.len());
    for want in wanted {
        let (_, claimed) = want.claim();
        let place = match want {
            Wanted::Seat { .. } => seats.next().map(|seat| HeldPlace {
                hold_id,
                seat: Some((seat.seat, seat.label)),
                bucket: None,
                qty: 1,
                category: seat.category,
                allowed: seat.allowed,
            }),
            Wanted::Bucket { .. } => buckets.next().map(|bucket| HeldPlace {
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
        let item = on_sale.priced(place, claimed)?;
        lines.push(CartItem {
            item_id: app.clock.new_id(),
            item,
        });
    }
    Ok(lines)
}

/// Takes an item out; its place is given back.
pub(super) async fn remove_item(
    app: &App,
    cause: &Cause,
    id: ReservationId,
    item_id: Uuid,
) -> Result<(), Error> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let cart = store::lock(&mut tx, id).await?.ok_or(Error::Unknown)?;
    let (cart, item) = cart.remove(item_id, now)?.ok_or(Error::UnknownItem)?;
    store::save(&mut tx, &cart).await?;
    store::remove_item(&mut tx, item_id).await?;
    if let Some(release) = Release::of_item(item_id, &item, &cart, cause.correlation) {
        store::enqueue(&mut tx, &release, now).await?;
    }
    let removed = ReservationItemRemoved {
        reservation_id: id,
        item,
    };
    tx.publish(app.clock.new_id(), cart.version, &removed);
    tx.wake(app.jobs.wake(consumers::RELEASE_HOLDS));
    tx.commit().await?;
    Ok(())
}

/// Confirms once; a repeat answers the same. Inventory binds the holds first: from then on they
/// end with the order, not with the clock.
pub(super) async fn confirm(
    app: &App,
    cause: &Cause,
    cart: Reservation,
) -> Result<Reservation, Error> {
    let now = app.clock.now();
    if cart.may_confirm(now)? {
        return Ok(cart);
    }
    let pay_until = now + app.state.settings.pay_within();
    let holds = holds_of(&cart.plain_items());
    let attempt = || {
        let (app, cause, holds) = (app.clone(), cause.clone(), holds.clone());
        async move { inventory::extend(&app, &cause, &holds, pay_until).await }.boxed()
    };
    match app.state.inventory_breaker.call(attempt).await {
        Ok(()) => {}
        Err(CallError::Callee(ExtendError::Ended(_))) => return Err(Refusal::Expired.into()),
        Err(
            CallError::Open
            | CallError::TimedOut
            | CallError::Broke(_)
            | CallError::Callee(ExtendError::Db(_)),
        ) => return Err(Error::Unavailable),
    }
    let mut tx = app.db.begin(NAME, cause).await?;
    let current = store::lock(&mut tx, cart.id).await?.ok_or(Error::Unknown)?;
    if current.may_confirm(now)? {
        return Ok(current);
    }
    if current.items != cart.items {
        // Another request changed the cart between the two steps; these holds are not bound.
        return Err(Refusal::Changed.into());
    }
    let (confirmed, amount) = current.confirm(pay_until, now)?;
    store::save(&mut tx, &confirmed).await?;
    let event = ReservationConfirmed {
        reservation_id: confirmed.id,
        customer_id: confirmed.customer_id,
        amount,
        confirmed_until: pay_until,
        items: confirmed.plain_items(),
    };
    tx.publish(app.clock.new_id(), confirmed.version, &event);
    tx.commit().await?;
    Ok(confirmed)
}

/// The customer gives the cart up. A cart that has ended already stays as it is.
pub(super) async fn give_up(app: &App, cause: &Cause, id: ReservationId) -> Result<(), Error> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let cart = store::lock(&mut tx, id).await?.ok_or(Error::Unknown)?;
    if let Some(ended) = cart.give_up(app.clock.now())? {
        let reason = eventify_contracts::reservation::EndReason::UserCancelled;
        let items = ended.plain_items();
        let event = ReservationCancelled {
            reservation_id: id,
            reason,
            items,
        };
        consumers::end(app, &mut tx, &ended).await?;
        tx.publish(app.clock.new_id(), ended.version, &event);
        tx.commit().await?;
    }
    Ok(())
}

/// Notes what is to be given back, and has it done.
async fn give_back(app: &App, cause: &Cause, releases: &[Release]) -> Result<(), Error> {
    let mut tx = app.db.begin(NAME, cause).await?;
    enqueue(app, &mut tx, releases).await?;
    tx.commit().await?;
    Ok(())
}

/// Notes what is to be given back, in the transaction that ends its use.
pub(super) async fn enqueue(app: &App, tx: &mut Tx, releases: &[Release]) -> Result<(), DbError> {
    for release in releases {
        store::enqueue(tx, release, app.clock.now()).await?;
    }
    tx.wake(app.jobs.wake(consumers::RELEASE_HOLDS));
    Ok(())
}

/// The holds behind these items, each once.
pub(super) fn holds_of(items: &[Item]) -> Vec<HoldId> {
    let mut holds: Vec<_> = items.iter().map(|item| item.hold_id).collect();
    holds.sort_unstable();
    holds.dedup();
    holds
}

/// A seat by UUID or label, in a category if the client chose one.
pub(super) fn seat_wanted(seat: &str, category: Option<CategoryCode>) -> SeatWanted {
    SeatWanted {
        seat: SeatRef::parse(seat),
        category,
    }
}
