//! Payment: intents at the payment service provider, captures, refunds, webhooks.
//!
//! ```text
//! order calls ─▶ processing ──▶ requires_action ──▶ processing ──▶ captured ──▶ partially_refunded
//!               (the provider      (the customer      (capture)     │  ▲  │               │
//!                creates an intent) pays, 3-D Secure;               │  │  └───────────────┴─▶ refunded
//!                    │              declined: another card)         ▼  │ (accepted)
//!                    │                    │                    amount_differs
//!                    └────────────────────┴──▶ failed (cancelled at the provider) │ cancelled (the order ended)
//! ```
//!
//! The next request to the provider is stored with the state, as a task, so a crash loses nothing.
//! The provider's data come as webhooks, as answers and by the comparison, in any order, and all become
//! the same updates. Where no webhook comes, the reconciliation looks the payment up.
//!
//! Money has one truth, the ledger: facts that are added and never changed, with who told them. What
//! differs from what was agreed, was refused or came back is an open item with an alarm, until somebody
//! decides (`GET /payments/open-items`). An outage is no item: its work waits.
//!
//! The way of a webhook, in at one place and out at one place:
//! 1. `routes::webhook` receives the raw body; `gateway` verifies its signature and reads the event.
//! 2. `acts::receive_webhook` opens the transaction and stores the event's id: a repeat stops here.
//! 3. `acts::updates` locks the payment; `model` applies the update and returns the new state.
//! 4. `acts::record` writes the state, books what was captured, opens or closes items, requests or
//!    withdraws the task `drive_payments`, and publishes `payment.captured` or `payment.failed`; refunds
//!    and disputes are booked by `acts::ledger`. Then the transaction commits.
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

use chrono::TimeDelta;
use eventify_kernel::app::AppWith;
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;
use eventify_kernel::http::Answer;
use eventify_kernel::quotas::Quotas;
use eventify_kernel::single_flight::SingleFlight;
use eventify_protocol::ids::PaymentId;
use tokio::sync::OnceCell;
use uuid::Uuid;

use acts::RefusalLog;
use gateway::{Lines, PaymentGateway, Stripe};
pub use model::{LeastAmounts, Settings};

/// Names the folder, the schema and the queue.
pub const NAME: &str = "payment";

/// The kernel's parts with this context's state.
pub type App = AppWith<State>;

/// What payment holds in memory.
#[derive(Debug)]
pub struct State {
    pub(crate) settings: Settings,
    pub(crate) gateway: Box<dyn PaymentGateway>,
    /// For the calls to the provider, by kind.
    pub(crate) lines: Lines,
    /// Which of the provider's objects are ours, once it is read.
    pub(crate) installation: OnceCell<Uuid>,
    pub(crate) refusals: RefusalLog,
    pub(crate) asks: Asks,
}

/// How often customers may have the provider asked. It counts our calls altogether: what one of them has asked
/// too often, the others could not be charged for.
#[derive(Debug)]
pub(crate) struct Asks {
    /// Who asks about a payment while its provider is being asked gets the same answer.
    pub(crate) running: SingleFlight<PaymentId, Answer<model::Payment>>,
    pub(crate) of_payment: Quotas<PaymentId>,
    pub(crate) of_caller: Quotas<Uuid>,
}

impl Default for Asks {
    fn default() -> Self {
        Self {
            running: SingleFlight::new(TimeDelta::zero()),
            of_payment: Quotas::new(1, 5),
            of_caller: Quotas::new(2, 10),
        }
    }
}

impl State {
    /// # Errors
    /// An address that the HTTP client refuses, or limits that the breaker refuses.
    pub fn new(settings: &Settings, clock: &Clock) -> anyhow::Result<Self> {
        Ok(Self {
            settings: settings.clone(),
            gateway: Box::new(Stripe::new(settings.stripe.clone())?),
            lines: Lines::new(clock)?,
            installation: OnceCell::new(),
            refusals: RefusalLog::default(),
            asks: Asks::default(),
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
            eventify_kernel::migrations!("payment": "0001_payments", "0002_calls_as_tasks", "0003_ledger", "0004_revocations", "0005_fresh_keys", "0006_unknown_objects", "0007_webhook_watch", "0008_sellers", "0009_webhooks_by_age"),
        )
    }
}
