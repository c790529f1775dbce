//! Catalogue: what customers see before they choose. A read model, written by events alone, that
//! could be deleted and built again.
//!
//! Messages come in any order and more than once: each row keeps the newest version that arrived,
//! and a seat is taken as long as a claim on it has not ended.
//!
//! Deliberately not here: any decision. Inventory decides whether a seat is free, when it is held.

mod acts;
mod consumers;
mod jobs;
mod model;
mod routes;
mod store;

use std::sync::{Arc, Mutex};

use eventify_kernel::app::AppWith;
use eventify_kernel::context::Context;
use eventify_kernel::http::Representation;

use self::model::maps::SeatMaps;

/// Folder, schema and queue.
pub const NAME: &str = "catalogue";

/// The kernel's parts with this context's state.
type App = AppWith<State>;

/// What the catalogue holds in memory: seat maps as they are sent.
#[derive(Debug, Default)]
struct State {
    maps: Mutex<SeatMaps<Representation>>,
    /// Held by who makes a map.
    making: tokio::sync::Mutex<()>,
}

/// What this context registers.
#[must_use]
pub fn context() -> Context {
    Context {
        routes: routes::routes().capture(&Arc::new(State::default())),
        consumers: consumers::consumers(),
        jobs: jobs::jobs(),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!("catalogue": "0001_read_model", "0002_map_versions", "0003_venues", "0004_venue_words"),
        )
    }
}
