//! Reservation: carts whose places are held from the moment they are added.
//!
//! ```text
//!            add, remove items
//!               ┌────┐
//! start ──▶ pending ──┴── confirm ──▶ confirmed ──(order.paid: the order goes on from here)
//!               │                        │
//!               ├── 10 minutes ──▶ expired
//!               └── customer ────▶ cancelled ◀── order.cancelled
//! ```
//!
//! Places are held at inventory, synchronously, behind breakers (`rsv_inventory…`); prices are the
//! core's own, from `performance.scheduled`. Nobody waits for a release: it is a task, requested
//! with the cart's end, or with the failure of the attempt that it undoes (DECISIONS 45).
//!
//! Deliberately not here: stock (inventory), money (order, payment), payment of a part of a cart.

mod acts;
mod consumers;
mod jobs;
mod model;
mod routes;
mod store;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventify_kernel::app::AppWith;
use eventify_kernel::breaker::{Breaker, Limits};
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;

pub use model::Settings;

use self::model::Outage;
use crate::contexts::payment::LeastAmounts;

/// Names the folder, the schema and the queue.
pub const NAME: &str = "reservation";

/// The kernel's parts with this context's state.
pub type App = AppWith<State>;

/// What reservation holds in memory.
#[derive(Debug)]
pub struct State {
    pub(crate) settings: Settings,
    /// A cart below can't be paid.
    pub(crate) least_amounts: LeastAmounts,
    /// For the synchronous calls to inventory.
    pub(crate) inventory: InventoryBreakers,
}

/// One for each kind of call: releases that fail stop nobody from buying.
#[derive(Debug)]
pub(crate) struct InventoryBreakers {
    pub(crate) holds: Breaker,
    pub(crate) extensions: Breaker,
    pub(crate) releases: Breaker,
    /// What this process has seen of the calls that customers wait for.
    pub(crate) outage: Mutex<Outage>,
}

/// Calls of a kind to inventory at once.
const INVENTORY_CALLS_AT_ONCE: u16 = 4;

/// reservation → inventory: places are taken.
const HOLDS: Limits = Limits {
    name: "rsv_inventory",
    timeout: Duration::from_millis(300),
    pauses: &[Duration::from_millis(50), Duration::from_millis(150)],
    window: 20,
    failure_rate: 0.5,
    slow_after: Duration::from_millis(250),
    slow_rate: 0.7,
    open_for: Duration::from_millis(10_000),
    half_open_calls: 5,
    at_once: INVENTORY_CALLS_AT_ONCE as usize,
    queue_for: Duration::from_millis(3_000),
};

/// A cart is confirmed.
const EXTENSIONS: Limits = Limits {
    name: "rsv_inventory_extend",
    ..HOLDS
};

/// Places are given back, by tasks.
const RELEASES: Limits = Limits {
    name: "rsv_inventory_release",
    ..HOLDS
};

impl State {
    /// # Errors
    /// The breaker's limits are refused.
    pub fn new(
        settings: Settings,
        least_amounts: LeastAmounts,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            settings,
            least_amounts,
            inventory: InventoryBreakers {
                holds: Breaker::new(HOLDS, clock.clone())?,
                extensions: Breaker::new(EXTENSIONS, clock.clone())?,
                releases: Breaker::new(RELEASES, clock.clone())?,
                outage: Mutex::default(),
            },
        })
    }
}

#[must_use]
pub fn context(state: &Arc<State>) -> Context {
    Context {
        events: eventify_contracts::reservation::events(),
        routes: routes::routes().capture(state),
        consumers: consumers::consumers().capture(state),
        jobs: jobs::jobs().capture(state),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!(
                "reservation": "0001_reservations", "0002_release_owners", "0003_tasks",
                "0004_releases_name_attempts", "0005_sold_until_the_end", "0006_sellers"
            ),
        )
    }
}
