//! Payment: intents at the payment service provider, captures, refunds, webhooks.
//!
//! ```text
//! order calls ─▶ processing ──▶ requires_action ──▶ processing ──▶ captured ──▶ partially_refunded
//!               (the provider      (the customer      (capture)        │               │
//!                creates an intent) pays, 3-D Secure)                  └───────────────┴─▶ refunded
//!                    │                    │
//!                    └────────────────────┴──▶ failed (declined) │ cancelled (the order ended)
//! ```
//!
//! The next request to the provider is stored with the state, as a task, so a crash loses nothing.
//! The provider's data come as webhooks and as answers, in any order, and both become the same
//! updates. Where no webhook comes, the reconciliation looks the payment up.
//!
//! The way of a webhook, in at one place and out at one place:
//! 1. `routes::webhook` receives the raw body; `gateway` verifies its signature and reads the event.
//! 2. `acts::receive_webhook` opens the transaction and stores the event's id: a repeat stops here.
//! 3. It locks the payment; `model` applies the update and returns the new state and its result.
//! 4. `acts::record` writes the state, requests or withdraws the task `drive_payments`, and
//!    publishes `payment.captured` or `payment.failed`; then the transaction commits.
//! 5. The job does what the new state needs, such as the capture, and calls `acts::record` again.
//!
//! Deliberately not here: card data (the customer's browser sends it to the provider), and the
//! decision to refund (order's).

mod acts;
pub mod api;
mod consumers;
mod gateway;
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

use gateway::{PaymentGateway, Stripe};
pub use model::Settings;

/// Names the folder, the schema and the queue.
pub const NAME: &str = "payment";

/// The kernel's parts with this context's state.
pub type App = AppWith<State>;

/// What payment holds in memory.
#[derive(Debug)]
pub struct State {
    pub(crate) settings: Settings,
    pub(crate) gateway: Box<dyn PaymentGateway>,
    /// For the calls to the provider.
    pub(crate) breaker: Breaker,
}

/// payment → provider.
const PROVIDER: Limits = Limits {
    name: "pay_psp",
    timeout: Duration::from_millis(2_000),
    pauses: &[Duration::from_millis(200), Duration::from_millis(800)],
    window: 50,
    failure_rate: 0.25,
    slow_after: Duration::from_millis(2_000),
    slow_rate: 1.0,
    open_for: Duration::from_millis(45_000),
    half_open_calls: 10,
    at_once: 32,
    queue_for: Duration::from_millis(5_000),
};

impl State {
    /// # Errors
    /// An address that the HTTP client refuses, or limits that the breaker refuses.
    pub fn new(settings: &Settings, clock: &Clock) -> anyhow::Result<Self> {
        Ok(Self {
            settings: settings.clone(),
            gateway: Box::new(Stripe::new(settings.stripe.clone())?),
            breaker: Breaker::new(PROVIDER, clock.clone())?,
        })
    }
}

#[must_use]
pub fn context(state: &Arc<State>) -> Context {
    Context {
        events: eventify_contracts::payment::events(),
        routes: routes::routes().capture(state),
        consumers: consumers::consumers().capture(state),
        jobs: jobs::jobs().capture(state),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!("payment": "0001_payments", "0002_calls_as_tasks"),
        )
    }
}
