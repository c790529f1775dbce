//! Payment: intents at the payment service provider, captures, refunds, webhooks.
//!
//! ```text
//! order asks ──▶ processing ──▶ requires_action ──▶ processing ──▶ captured ──▶ partially_refunded
//!               (the provider      (the customer      (capture)        │               │
//!                makes an intent)   pays, 3-D Secure)                  └───────────────┴─▶ refunded
//!                    │                    │
//!                    └────────────────────┴──▶ failed (declined) │ cancelled (the order ended)
//! ```
//!
//! What is to be asked of the provider is written down with the state that wants it, and a job
//! asks; so a crash loses nothing. What the provider says comes as webhooks and as answers, in any
//! order, and both are read as the same facts. A webhook's id is stored in the transaction of its
//! effect. Where no webhook comes, the reconciliation asks.
//!
//! Deliberately not here: card data (the customer's browser gives it to the provider), and the
//! decision to refund (order's).

pub mod api;
mod consumers;
pub(crate) mod gateway;
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

/// Folder, schema and queue.
pub const NAME: &str = "payment";

/// The kernel's parts with this context's state.
pub type App = AppWith<State>;

/// What payment keeps in memory.
#[derive(Debug)]
pub struct State {
    pub(crate) settings: Settings,
    /// The payment service provider.
    pub(crate) gateway: Box<dyn PaymentGateway>,
    /// Around the calls to it.
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
    /// With a closed breaker.
    ///
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

/// What this context registers.
#[must_use]
pub fn context(state: &Arc<State>) -> Context {
    Context {
        events: eventify_contracts::payment::events(),
        routes: routes::routes().capture(state),
        consumers: consumers::consumers().capture(state),
        jobs: consumers::jobs().capture(state),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!("payment": "0001_payments"),
        )
    }
}
