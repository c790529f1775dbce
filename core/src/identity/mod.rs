//! Identity: who a caller is to us.
//!
//! Every (`iss`, `sub`) of a trusted issuer gets an internal id at first sight; that id is what
//! ownership compares, so two issuers can't collide and `sub` need not be a UUID.
//!
//! ```text
//! unknown ──first verified token──▶ known
//! ```
//!
//! Deliberately not here: passwords, sessions, roles (the token says them each time).

pub mod api;
mod model;
mod routes;
mod store;

use crate::context::Context;

/// Folder, schema and queue.
pub const NAME: &str = "identity";

/// What this context registers.
#[must_use]
pub fn context() -> Context {
    Context {
        routes: routes::routes(),
        ..Context::new(NAME, crate::migrations!("identity": "0001_users"))
    }
}
