//! Catalogue: what customers see before they choose. A read model, written by events alone, that
//! could be deleted and built again.
//!
//! Messages come in any order and more than once: each row keeps the newest version that arrived,
//! and a seat is taken as long as a claim on it has not ended.
//!
//! Deliberately not here: any decision. Inventory decides whether a seat is free, when it is held.

mod consumers;
mod jobs;
mod model;
mod routes;
mod store;

use eventify_kernel::context::Context;

/// Folder, schema and queue.
pub const NAME: &str = "catalogue";

/// What this context registers.
#[must_use]
pub fn context() -> Context {
    Context {
        routes: routes::routes(),
        consumers: consumers::consumers(),
        jobs: jobs::jobs(),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!("catalogue": "0001_read_model"),
        )
    }
}
