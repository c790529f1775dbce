//! Ticketing: signed tickets, and who was let in with them.
//!
//! ```text
//! order      paid ──tickets issued──▶ issued
//!              ├── given up ──▶ failed          └── refunded before that ──▶ closed
//! ticket     valid ◀──never shown──┬── used
//!              ├──── check-in ─────┴───▲
//!              └── refund, fraud, …──▶ revoked ◀── used
//! check-in   unconfirmed ──journal row: shown──▶ confirmed
//!              └── journal row: not shown ──▶ gone, ticket valid again
//! ```
//!
//! Two ways lead to a check-in: a scan that the core decides (`Scan` of a node, or the REST API),
//! and a row of a node's journal, which tells what was shown. Both are decided under the ticket's
//! row lock by the pure functions of `eventify_sync::core`, the same that the simulator runs.
//!
//! Deliberately not here: prices and refunds (order), nodes' rows and their chain (fleet), when
//! the core may not be asked (the edge machine's).

pub mod api;
mod consumers;
mod model;
mod routes;
mod store;

use std::sync::Arc;

use eventify_kernel::app::AppWith;
use eventify_kernel::context::Context;

use api::ScanBatches;
pub use model::Settings;

/// Folder, schema and queue.
pub const NAME: &str = "ticketing";

/// The kernel's parts with this context's state.
pub type App = AppWith<State>;

/// What ticketing keeps in memory.
#[derive(Debug)]
pub struct State {
    pub(crate) settings: Settings,
    /// Scans that wait for the transaction that they share.
    pub(crate) scans: ScanBatches,
}

impl State {
    /// With no scan waiting.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            scans: ScanBatches::default(),
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
        jobs: consumers::jobs().capture(state),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!("ticketing": "0001_tickets", "0002_admission", "0003_order_unknown", "0004_statements", "0005_one_ticket_per_seat"),
        )
    }
}
