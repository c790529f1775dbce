//! Fleet: edge nodes and gates of the venues. Nodes enrol here, follow their venue's feed, ask for
//! sync points, and deliver their journals.
//!
//! ```text
//! node      announced ──code used──▶ enrolled ──▶ revoked
//!               └───────────────────────────────────▲
//! feed      event ─▶ feed_pending ──writer──▶ feed_entries + feed_state ─▶ Delta ─▶ outbox row projected
//! journal   rows ─▶ stored ─▶ (held) sent ─▶ applied by ticketing ─▶ in the feed ─▶ JournalAck
//! ```
//!
//! Deliberately not here: any decision about a ticket (ticketing's), what a node may decide alone
//! (the edge machine's, in `eventify_sync`), and the pure parts of feed, welcome, journal and
//! report, which the simulator runs too (`eventify_sync::core`).

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

pub use acts::State;
pub use model::settings::Settings;

/// Folder, schema and queue.
pub const NAME: &str = "fleet";

/// The kernel's parts with this context's state.
pub type App = AppWith<State>;

/// What this context registers.
#[must_use]
pub fn context(state: &Arc<State>) -> Context {
    Context {
        events: eventify_contracts::fleet::events(),
        routes: routes::routes().capture(state),
        consumers: consumers::consumers().capture(state),
        jobs: jobs::jobs().capture(state),
        listeners: Some(routes::listeners::open(state)),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!("fleet": "0001_venues", "0002_feed", "0003_journal", "0004_dissolved_conflicts", "0005_conflicts_by_first", "0006_comparisons", "0007_mode_changes", "0008_refused_again", "0009_mode_number", "0010_node_sessions", "0011_renewals", "0012_performances", "0013_refunded_admissions", "0014_feed_versions", "0015_scanners", "0016_unreadable", "0017_third_form", "0018_staff", "0019_acts", "0020_search", "0021_guests", "0022_alarms_of_one_form", "0023_organisations", "0024_event_titles", "0025_time_zones", "0026_journal_faults", "0027_declined_performances"),
        )
    }
}
