//! Event management: what organisers plan, price and publish.
//!
//! ```text
//! draft ──publish──▶ published ──archive──▶ archived
//!   │                    │
//!   └──────cancel────────┴──▶ cancelled        performance: scheduled ──cancel──▶ cancelled
//!                                                           └──move──▶ scheduled
//! ```
//!
//! When a performance's tickets admit is computed here alone (`model/times.rs`) and travels with its
//! events; every other context goes by that, and follows when the performance moves.
//!
//! A performance is planned in a venue that inventory has published and that its organiser may use;
//! inventory creates its stock on `performance.scheduled`. Deliberately not here: seats, stock,
//! search, and the refunds that follow a cancellation.

mod acts;
mod consumers;
mod jobs;
mod model;
mod routes;
mod store;

use std::sync::Arc;

use chrono::TimeDelta;
use eventify_kernel::app::AppWith;
use eventify_kernel::context::Context;

use crate::contexts::payment::LeastAmounts;
use model::times::Margins;

pub use model::settings::Settings;

/// Folder, schema and queue.
pub const NAME: &str = "event_management";

/// The kernel's parts with this context's state.
pub type App = AppWith<State>;

/// What event management keeps in memory.
#[derive(Debug)]
pub struct State {
    margins: Margins,
    /// How long the codes of tickets outlive their show, as it was planned when they were signed.
    codes_outlive_show: TimeDelta,
    /// What can be paid: prices below are allowed, with a warning.
    least_amounts: LeastAmounts,
}

impl State {
    #[must_use]
    pub fn new(
        settings: Settings,
        codes_outlive_show: TimeDelta,
        least_amounts: LeastAmounts,
    ) -> Self {
        Self {
            margins: settings.margins(),
            codes_outlive_show,
            least_amounts,
        }
    }
}

/// What this context registers.
#[must_use]
pub fn context(state: &Arc<State>) -> Context {
    Context {
        events: eventify_contracts::event_management::events(),
        routes: routes::routes().capture(state),
        consumers: consumers::consumers().capture(state),
        jobs: jobs::jobs().capture(state),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!(
                "event_management": "0001_events", "0002_known_venues", "0003_shows_that_move", "0004_reentry",
                "0005_seats_of_plans", "0006_time_zones", "0007_zones_of_plans"
            ),
        )
    }
}
