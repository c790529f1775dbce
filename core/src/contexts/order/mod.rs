//! Order: what was bought, whether it is paid, and what has been given back.
//!
//! ```text
//! reservation.confirmed
//!        │                 payment.captured
//!        ▼                        │
//!     pending ◀──▶ processing ────┴──▶ paid ──▶ partially_refunded ──▶ refunded
//!        │             │                 └───────────────────────────────▲
//!        └──────┬──────┘
//!               ├── deadline, customer, performance.cancelled, payment.failed (cancelled at the provider)
//!               ▼
//!           cancelled ── money that arrives later is refunded at once
//! ```
//!
//! `processing` means that payment hasn't answered in time; the request continues as a task. The time
//! to pay begins when there is something to pay, and a declined card doesn't end it. At the deadline the
//! intent is cancelled first.
//! Tickets that are given back admit nobody from the request on: ticketing suspends them first, and then
//! the money is asked for (DECISIONS 52).
//! Refunds are decided here, because order knows the price of each ticket and who runs its
//! performance; so this context serves `POST /payments/{id}/refunds`. Payment sends the money.
//!
//! Deliberately not here: cards and the provider (payment), tickets (ticketing).

mod acts;
pub(crate) mod api;
mod consumers;
mod jobs;
mod model;
mod routes;
mod store;

use std::sync::Arc;
use std::time::Duration;

use eventify_kernel::app::AppWith;
use eventify_kernel::breaker::{Breaker, Limits};
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;
use serde::Deserialize;

use crate::contexts::payment;

/// Names the folder, the schema and the queue.
pub const NAME: &str = "order";

/// The kernel's parts with this context's state.
pub type App = AppWith<State>;

/// What order holds in memory.
#[derive(Debug)]
pub struct State {
    /// Payment is called synchronously with its own state.
    pub(crate) payment: Arc<payment::State>,
    /// For those calls.
    pub(crate) payment_breaker: Breaker,
    pub(crate) deadlines: Deadlines,
}

/// How long an order waits.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// For something to pay, while the provider is out.
    pub wait: chrono::Duration,
    /// For its payment, from the moment when there is something to pay.
    pub pay: chrono::Duration,
}

/// `[order]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    wait_seconds: u32,
}

impl Settings {
    /// How long an order waits for something to pay.
    #[must_use]
    pub fn wait(&self) -> chrono::Duration {
        chrono::Duration::seconds(i64::from(self.wait_seconds))
    }
}

/// order → payment: no second attempt, the task tries again.
const PAYMENT: Limits = Limits {
    name: "ord_payment",
    timeout: Duration::from_millis(1_000),
    pauses: &[],
    window: 50,
    failure_rate: 0.3,
    slow_after: Duration::from_millis(800),
    slow_rate: 1.0,
    open_for: Duration::from_millis(30_000),
    half_open_calls: 10,
    at_once: 32,
    queue_for: Duration::from_millis(1_000),
};

impl State {
    /// # Errors
    /// The breaker's limits are refused.
    pub fn new(
        payment: &Arc<payment::State>,
        deadlines: Deadlines,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            deadlines,
            payment: Arc::clone(payment),
            payment_breaker: Breaker::new(PAYMENT, clock.clone())?,
        })
    }
}

#[must_use]
pub fn context(state: &Arc<State>) -> Context {
    Context {
        events: eventify_contracts::order::events(),
        routes: routes::routes().capture(state),
        consumers: consumers::consumers().capture(state),
        jobs: jobs::jobs().capture(state),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!(
                "order": "0001_orders", "0002_intents_as_tasks", "0003_refunds_that_stand",
                "0004_refunds_suspend_first", "0005_opened_refunds", "0006_tickets_of_refund",
                "0007_guest_names", "0008_sellers",
                "0009_revoked_tickets"
            ),
        )
    }
}
