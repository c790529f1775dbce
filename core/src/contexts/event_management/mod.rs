//! Event management: what organisers plan, price and publish.
//!
//! ```text
//! draft ──publish──▶ published ──archive──▶ archived
//!   │                    │
//!   └──────cancel────────┴──▶ cancelled        performance: scheduled ──cancel──▶ cancelled
//! ```
//!
//! A performance is planned in a venue that inventory has published and that its organiser may use;
//! inventory creates its stock on `performance.scheduled`. Deliberately not here: seats, stock,
//! search, and the refunds that follow a cancellation.

mod acts;
mod consumers;
mod model;
mod routes;
mod store;

use std::sync::Arc;

use eventify_kernel::app::AppWith;
use eventify_kernel::context::Context;

use crate::contexts::payment;

/// Folder, schema and queue.
pub const NAME: &str = "event_management";

/// The kernel's parts with this context's state.
pub type App = AppWith<State>;

/// What event management holds in memory.
#[derive(Debug, Default)]
pub struct State {
    /// What can be paid: prices below are allowed, with a warning.
    pub least_amounts: payment::LeastAmounts,
}

/// What this context registers.
#[must_use]
pub fn context(state: &Arc<State>) -> Context {
    Context {
        events: eventify_contracts::event_management::events(),
        routes: routes::routes().capture(state),
        consumers: consumers::consumers(),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!(
                "event_management": "0001_events", "0002_known_venues"
            ),
        )
    }
}
