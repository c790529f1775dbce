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
pub mod events;
mod model;
mod routes;
mod store;

use crate::context::Context;

/// Folder, schema and queue.
pub const NAME: &str = "payment";

/// What this context registers.
#[must_use]
pub fn context() -> Context {
    Context {
        events: events::schemas(),
        routes: routes::routes(),
        consumers: consumers::consumers(),
        jobs: consumers::jobs(),
        ..Context::new(NAME, crate::migrations!("payment": "0001_payments"))
    }
}
