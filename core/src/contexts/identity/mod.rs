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

use std::sync::Arc;

use eventify_kernel::app::AppWith;
use eventify_kernel::context::Context;

use api::KnownUsers;

/// Folder, schema and queue.
pub const NAME: &str = "identity";

/// The kernel's parts with this context's state.
pub type App = AppWith<State>;

/// What identity keeps in memory.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) known_users: KnownUsers,
}

/// What this context registers.
#[must_use]
pub fn context(state: &Arc<State>) -> Context {
    Context {
        routes: routes::routes().capture(state),
        resolve_user: Some(api::resolve_user(state)),
        ..Context::new(NAME, eventify_kernel::migrations!("identity": "0001_users"))
    }
}
