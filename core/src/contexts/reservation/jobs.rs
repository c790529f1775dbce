//! What time and tasks make reservation do.

use std::time::Duration;

use eventify_contracts::reservation::{EndReason, Item};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::DbResult;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs};
use eventify_kernel::tasks::{Attempt, Outcome, Task};
use eventify_protocol::ids::{BucketId, HoldId, ReservationId, SeatId};
use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::model::State;
use super::{App, NAME, acts, store};
use crate::contexts::inventory::api::{self as inventory, AttemptId, PartRelease};

pub(crate) const EXPIRE_RESERVATIONS: Job = Job::of(NAME, "expire_reservations");
const WATCH_INVENTORY: Job = Job::of(NAME, "watch_inventory");
pub(crate) const RELEASE_HOLDS: Job = Job::of(NAME, "release_holds");

/// Reservations that one query lists.
const BATCH: u16 = 100;

pub(super) fn jobs() -> Jobs<App> {
    Jobs::new()
        .every(
            Duration::from_secs(1),
            EXPIRE_RESERVATIONS,
            expire_reservations,
        )
        .every(Duration::from_secs(15), WATCH_INVENTORY, watch_inventory)
        .tasks(release_holds)
}

/// What inventory is to release. It names what it undoes, so that it may come late: an attempt that
/// failed, a cart that has ended, an item that was removed (DECISIONS 45).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Release {
    Attempt {
        hold_id: HoldId,
        attempt: Uuid,
    },
    Cart {
        cart: ReservationId,
        reason: EndReason,
    },
    Item {
        item_id: Uuid,
        hold_id: HoldId,
        /// The cart of the item: inventory compares it with the hold's.
        owner: Option<Uuid>,
        seat_id: Option<SeatId>,
        bucket_id: Option<BucketId>,
        qty: u32,
    },
}

impl Task for Release {
    const JOB: Job = RELEASE_HOLDS;
    /// As many calls as the breaker lets through.
    const CONCURRENCY: u16 = super::INVENTORY_CALLS_AT_ONCE;

    fn key(&self) -> Uuid {
        match self {
            Self::Attempt { attempt, .. } => *attempt,
            Self::Cart { cart, .. } => cart.as_uuid(),
            Self::Item { item_id, .. } => *item_id,
        }
    }
}

impl Release {
    pub(super) fn of_item(cart: ReservationId, item_id: Uuid, item: &Item) -> Self {
        Self::Item {
            item_id,
            hold_id: item.hold_id,
            owner: Some(cart.as_uuid()),
            seat_id: item.seat_id,
            bucket_id: item.bucket_id,
            qty: item.qty,
        }
    }
}

/// Ends the alarm of an outage that is over.
async fn watch_inventory(app: &App, _: &Cause) -> Result<(), Failure> {
    Ok(acts::outage::forget(app).await?)
}

/// Calls inventory until it has released the places.
async fn release_holds(app: App, attempt: Attempt<Release>) -> Result<Outcome, Failure> {
    let release = || {
        let (app, Attempt { task, cause, .. }) = (app.clone(), attempt.clone());
        async move {
            match task {
                Release::Attempt { hold_id, attempt } => {
                    inventory::undo(&app, &cause, hold_id, AttemptId(attempt)).await
                }
                Release::Cart { cart, reason } => {
                    inventory::end_cart(&app, &cause, cart, reason).await
                }
                Release::Item {
                    item_id,
                    hold_id,
                    owner,
                    seat_id,
                    bucket_id,
                    qty,
                } => {
                    let part = PartRelease {
                        id: item_id,
                        hold: hold_id,
                        owner,
                        seats: seat_id.into_iter().collect(),
                        buckets: bucket_id.map(|id| (id, qty)).into_iter().collect(),
                    };
                    inventory::release_part(&app, &cause, &part).await
                }
            }
        }
        .boxed()
    };
    let released = app.state.inventory.releases.call(release).await;
    released.map_err(Failure::retry)?;
    Ok(Outcome::Done)
}

/// Ends open carts whose time has passed or whose performance was cancelled. One that fails doesn't
/// stop the others.
async fn expire_reservations(app: &App, _: &Cause) -> Result<(), Failure> {
    loop {
        let mut conn = app.db.read(NAME).await?;
        let overdue = store::list_overdue(&mut conn, app.clock.now(), BATCH).await?;
        drop(conn);
        let mut result = Ok(());
        for id in &overdue {
            result = result.and(expire(app, *id).await);
        }
        result?;
        if overdue.len() < usize::from(BATCH) {
            return Ok(());
        }
    }
}

async fn expire(app: &App, id: ReservationId) -> DbResult<()> {
    let now = app.clock.now();
    let mut conn = app.db.read(NAME).await?;
    let Some(found) = store::find(&mut conn, id).await? else {
        return Ok(());
    };
    drop(conn);
    let mut tx = app.db.begin(NAME, &Cause::of(found.correlation)).await?;
    let Some(cart) = store::lock(&mut tx, id).await? else {
        return Ok(());
    };
    if cart.state != State::Pending {
        return Ok(());
    }
    let cancel = || cart.clone().cancel(EndReason::EventCancelled, now);
    if let Some(ended) = cart.clone().expire(now).or_else(cancel) {
        acts::end(app, &mut tx, &ended).await?;
    }
    tx.commit().await
}
