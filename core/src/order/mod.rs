//! Order: what was bought, whether it is paid, and what has been given back.
//!
//! ```text
//! reservation.confirmed
//!        │                 payment.captured
//!        ▼                        │
//!     pending ◀──▶ processing ────┴──▶ paid ──▶ partially_refunded ──▶ refunded
//!        │             │                 └───────────────────────────────▲
//!        └──────┬──────┘
//!               ├── payment.failed, deadline, customer, performance.cancelled
//!               ▼
//!           cancelled ── money that comes nevertheless goes back at once
//! ```
//!
//! `processing` says that payment hasn't answered in time; the work runs on. Refunds are decided
//! here, because here is known what each ticket cost and whose performance it was for; so
//! `POST /payments/{id}/refunds` is answered by this context. Payment sends the money.
//!
//! Deliberately not here: cards and the provider (payment), tickets (ticketing).

pub mod api;
mod consumers;
pub mod events;
mod model;
mod routes;
mod store;

use crate::context::Context;

/// Folder, schema and queue.
pub const NAME: &str = "order";

/// What this context registers.
#[must_use]
pub fn context() -> Context {
    Context {
        events: events::schemas(),
        routes: routes::routes(),
        consumers: consumers::consumers(),
        jobs: consumers::jobs(),
        ..Context::new(NAME, crate::migrations!("order": "0001_orders"))
    }
}
