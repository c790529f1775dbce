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

use eventify_kernel::context::Context;

/// Folder, schema and queue.
pub const NAME: &str = "event_management";

/// What this context registers.
#[must_use]
pub fn context() -> Context {
    Context {
        events: eventify_contracts::event_management::events(),
        routes: routes::routes(),
        consumers: consumers::consumers(),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!(
                "event_management": "0001_events", "0002_known_venues"
            ),
        )
    }
}
