//! What can be done with a cart.
//!
//! Inventory is called behind a breaker for each kind of call, outside of every transaction.

mod items;
pub(super) mod outage;

use std::collections::BTreeSet;

use chrono::Duration;
use eventify_contracts::reservation::{
    EndReason, Item, ReservationCancelled, ReservationConfirmed, ReservationExpired,
    ReservationStarted,
};
use eventify_kernel::breaker::{CallError, IsFault};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, Tx};
use eventify_protocol::ids::{HoldId, ReservationId, UserId};
use futures_util::FutureExt;

use super::jobs::Release;
use super::model::{Refusal, Reservation, State};
use super::{App, NAME, store};
use crate::contexts::inventory::api::{self as inventory, ExtendError, HoldError};
use crate::contexts::ticketing::api::{self as ticketing, CantSign};

pub(super) use items::{RequestedPlace, add_items, remove_item};

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
    #[error(transparent)]
    CantSign(#[from] CantSign),
    #[error("inventory doesn't answer")]
    Unavailable,
    #[error(transparent)]
    Db(#[from] DbError),
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

/// Starts a cart, if the customer has fewer than `max_open` open. A box office may be its seller.
pub(super) async fn start(
    app: &App,
    cause: &Cause,
    (customer, seller): (UserId, Option<UserId>),
    lifetime: Duration,
    max_open: Option<u32>,
) -> Result<Reservation, Error> {
    let now = app.clock.now();
    let id = ReservationId(app.clock.new_id());
    let cart = Reservation::start(id, (customer, seller), lifetime, cause.correlation, now);
    let mut tx = app.db.begin(NAME, cause).await?;
    if let Some(max) = max_open
        && store::count_open(&mut tx, customer, now).await? >= u64::from(max)
    {
        return Err(Refusal::TooManyOpen(max).into());
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

pub(super) async fn find(app: &App, id: ReservationId) -> Result<Reservation, Error> {
    let mut conn = app.db.read(NAME).await?;
    store::find(&mut conn, id).await?.ok_or(Error::Unknown)
}

/// Confirms a cart; a repeat gives the same answer. Inventory extends the holds first: from then on
/// they end with the order and not with the clock.
pub(super) async fn confirm(
    app: &App,
    cause: &Cause,
    cart: Reservation,
) -> Result<Reservation, Error> {
    let now = app.clock.now();
    if cart.is_confirmed(now)? {
        return Ok(cart);
    }
    must_be_signable(app, &cart).await?;
    let pay_until = now + app.state.settings.pay_within();
    if let Some(total) = cart.total()?
        && let Some(least) = app.state.least_amounts.beyond(total)
    {
        // The cart stays as it is, so that more can be added.
        return Err(Refusal::BelowLeast { total, least }.into());
    }
    let holds = holds_of(&cart.plain_items());
    let extend = || {
        let (app, cause, holds) = (app.clone(), cause.clone(), holds.clone());
        async move { inventory::extend(&app, &cause, &holds, pay_until).await }.boxed()
    };
    let extended = app.state.inventory.extensions.call(extend).await;
    outage::note(app, &extended).await;
    match extended {
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
    if current.is_confirmed(now)? {
        return Ok(current);
    }
    if current.items != cart.items {
        // Another request changed the cart meanwhile; its holds were not extended.
        return Err(Refusal::Changed.into());
    }
    let (confirmed, amount) = current.confirm(pay_until, now)?;
    store::update(&mut tx, &confirmed).await?;
    let event = ReservationConfirmed {
        reservation_id: confirmed.id,
        customer_id: confirmed.customer_id,
        seller_id: confirmed.seller_id,
        amount,
        confirmed_until: pay_until,
        items: confirmed.plain_items(),
    };
    tx.publish(app.clock.new_id(), confirmed.version, &event);
    tx.commit().await?;
    Ok(confirmed)
}

/// Before money moves: the key may have changed since the performance was scheduled.
async fn must_be_signable(app: &App, cart: &Reservation) -> Result<(), Error> {
    let performances = cart.items.iter().map(|line| line.item.performance_id);
    let mut conn = app.db.read(NAME).await?;
    for performance in performances.collect::<BTreeSet<_>>() {
        let offer = store::find_offer(&mut conn, performance).await?;
        let offer = offer.ok_or(Error::UnknownPerformance)?;
        ticketing::can_sign(app, offer.start_time, offer.ends_at)?;
    }
    Ok(())
}

/// The customer cancels the cart. A cart that has ended already stays as it is.
pub(super) async fn cancel(app: &App, cause: &Cause, id: ReservationId) -> Result<(), Error> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let cart = store::lock(&mut tx, id).await?.ok_or(Error::Unknown)?;
    if let Some(ended) = cart.cancel_by_customer(app.clock.now())? {
        end(app, &mut tx, &ended).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Writes and publishes the end of a cart, and requests the release of all that it holds.
pub(super) async fn end(app: &App, tx: &mut Tx, ended: &Reservation) -> DbResult<()> {
    store::update(tx, ended).await?;
    let (id, items) = (ended.id, ended.plain_items());
    if let Some(reason) = ended.state.end_reason() {
        tx.request(app, &Release::Cart { cart: id, reason }).await?;
    }
    let (message_id, version) = (app.clock.new_id(), ended.version);
    match ended.state {
        State::Expired => {
            let event = ReservationExpired {
                reservation_id: id,
                reason: EndReason::Expired,
                items,
            };
            tx.publish(message_id, version, &event);
        }
        State::Cancelled(reason) => {
            let event = ReservationCancelled {
                reservation_id: id,
                reason,
                items,
            };
            tx.publish(message_id, version, &event);
        }
        State::Pending | State::Confirmed => {}
    }
    Ok(())
}

/// The holds of these items, each once.
fn holds_of(items: &[Item]) -> Vec<HoldId> {
    let mut holds: Vec<_> = items.iter().map(|item| item.hold_id).collect();
    holds.sort_unstable();
    holds.dedup();
    holds
}
