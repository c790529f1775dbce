//! Identity: the internal id of a caller.
//!
//! Every (`iss`, `sub`) of a trusted issuer gets an internal id with its first request. Ownership
//! compares that id, so two issuers can't collide and `sub` need not be a UUID. So does every
//! (`iss`, `org_id`). Issuers of which one succeeds the other stand for the same users.
//!
//! ```text
//! unknown ──first verified token──▶ known
//! ```
//!
//! Deliberately not here: passwords, sessions, roles (each token carries its own).

mod acts;
mod jobs;
mod model;
mod routes;
mod store;

use std::sync::Arc;

use eventify_kernel::app::AppWith;
use eventify_kernel::context::Context;
use tokio::sync::OnceCell;

/// Folder, schema and queue.
pub const NAME: &str = "identity";

/// The kernel's parts with this context's state.
pub type App = AppWith<State>;

/// What identity keeps in memory.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) known_users: acts::KnownUsers,
    /// Those of this process's settings, once they are written down.
    pub(crate) issuers: OnceCell<model::Issuers>,
}

/// What this context registers.
#[must_use]
pub fn context(state: &Arc<State>) -> Context {
    Context {
        routes: routes::routes().capture(state),
        jobs: jobs::jobs().capture(state),
        resolve_user: Some(acts::resolve_user(state)),
        ..Context::new(
            NAME,
            eventify_kernel::migrations!("identity": "0001_users", "0002_issuers"),
        )
    }
}
