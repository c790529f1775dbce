//! Ticketing: signed tickets, and who was admitted with them.
//!
//! ```text
//! order      paid ──tickets issued──▶ issued
//!              ├── too late ──▶ failed          └── refunded before that ──▶ closed
//! ticket     valid ◀──never shown──┬── used
//!              ├──── check-in ─────┴───▲
//!              ├── refund opened ──▶ suspended ◀── used, if its customer does not ask for it
//!              │                      ├── given up ──▶ valid, used
//!              │                      └── money sent ──▶ revoked
//!              └── fraud, … ──▶ revoked ◀── used
//! check-in   unconfirmed ──journal row: shown──▶ confirmed
//!              └── journal row: not shown ──▶ gone, ticket valid again
//! ```
//!
//! A check-in comes of a scan that the core decides (a node's `Scan`, or the REST API), or of a row
//! of a node's journal, which reports what was shown. Both are decided under the ticket's row lock by
//! the pure functions of `eventify_sync::core`, which the simulator runs too.
//!
//! Deliberately not here: prices and refunds (order), nodes' rows and their chain (fleet), decisions
//! without the core (the edge machine's).

mod acts;
pub mod api;
mod consumers;
mod jobs;
mod model;
mod routes;
mod store;

use std::sync::Arc;

use eventify_kernel::app::AppWith;
use eventify_kernel::context::Context;

use acts::scans::ScanBatches;
pub use model::Settings;
use model::Suspicions;

/// Folder, schema and queue.
pub const NAME: &str = "ticketing";

/// The kernel's parts with this context's state.
pub type App = AppWith<State>;

/// What ticketing keeps in memory.
#[derive(Debug)]
pub struct State {
    settings: Settings,
    scans: ScanBatches,
    suspicions: Suspicions,
}

impl State {
    /// With no scan waiting.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            scans: ScanBatches::default(),
            suspicions: Suspicions::default(),
        }
    }
}

/// What this context registers.
#[must_use]
pub fn context(state: &Arc<State>) -> Context {
    Context {
        events: eventify_contracts::ticketing::events(),
        routes: routes::routes().capture(state),
        consumers: consumers::consumers().capture(state),
        jobs: jobs::jobs().capture(state),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!("ticketing": "0001_tickets", "0002_admission", "0003_order_unknown", "0004_statements", "0005_one_ticket_per_seat", "0006_shows_that_move", "0007_suspended_tickets", "0008_refunded_entries", "0009_guests_of_moved_shows", "0010_short_codes", "0011_acts", "0012_persons", "0013_reissues", "0014_told_entries", "0015_scans_by_age", "0016_venues"),
        )
    }
}
