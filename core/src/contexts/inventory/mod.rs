//! Inventory: venues, seating plans, and the stock of each performance.
//!
//! ```text
//! plan ──performance.scheduled──▶ seats and slots of a performance ──event.published──▶ on sale
//!
//! hold:  held ──extend──▶ confirmed ──order.paid──▶ sold ──ticket.revoked, kept back──▶ kept back
//!          │                  │                       │                                    │
//!          ├─expiry, undo     ├─order.cancelled, …    ├─ticket.revoked (its place)         ├─release (its place)
//!          │                  │                       ├─order.refunded without tickets     │
//!          ▼                  ▼                       ▼                                    ▼
//!        released ◀───────────┴───────────────────────┴────────────────────────────────────┘
//! ```
//!
//! A seat is taken by a row of `seat_allocations`, whose primary key makes a double sale
//! impossible; a zone by units of its slots, each with a check constraint. A confirmed hold never
//! expires by itself: its payment may have been captured while the message is on its way. A held one
//! stands on the attempts that took it, and ends when the last of them is undone. A place that is kept
//! back is taken like a sold one (DECISIONS 53).
//!
//! Deliberately not here: prices, sales windows and carts (reservation), who may buy what.

mod acts;
pub mod api;
mod consumers;
mod jobs;
mod model;
mod routes;
mod store;

use eventify_kernel::context::Context;

/// Folder, schema and queue.
pub const NAME: &str = "inventory";

/// What this context registers.
#[must_use]
pub fn context() -> Context {
    Context {
        events: eventify_contracts::inventory::events(),
        routes: routes::routes(),
        consumers: consumers::consumers(),
        jobs: jobs::jobs(),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!("inventory": "0001_venues_and_plans", "0002_stock", "0003_hold_owners", "0004_hold_attempts", "0005_kept_back", "0006_refunded_guests", "0007_sellers", "0008_time_zones", "0009_layouts", "0010_venue_words"),
        )
    }
}
