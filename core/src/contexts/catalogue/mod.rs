//! Catalogue: what customers see before they choose. A read model, fed by events alone, that could
//! be thrown away and built again.
//!
//! Messages come in any order and more than once: each row keeps the newest version that it has
//! heard of, and a seat is taken as long as a claim on it has not ended.
//!
//! Deliberately not here: any decision. Whether a seat is really free, inventory says when it is
//! held.

mod consumers;
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
        jobs: consumers::jobs(),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!("catalogue": "0001_read_model"),
        )
    }
}
