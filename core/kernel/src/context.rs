//! What a context registers.

use std::net::SocketAddr;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::auth::ResolveUser;
use crate::bus::Consumers;
use crate::config::{Process, Role};
use crate::db::migrate::Migration;
use crate::event::EventType;
use crate::http::Routes;
use crate::jobs::Jobs;

/// One bounded context: a folder, a PostgreSQL schema, a queue.
pub struct Context {
    /// Folder, PostgreSQL schema, `<name>.q`, `/eventify/<name>`.
    pub name: &'static str,
    /// `core/migrations/<name>/`, in order.
    pub migrations: &'static [Migration],
    /// What it publishes.
    pub events: Vec<EventType>,
    /// What it answers over HTTP.
    pub routes: Routes,
    /// Which events it consumes.
    pub consumers: Consumers,
    /// What time and tasks make it do.
    pub jobs: Jobs,
    /// Opens the listeners that it has beside the core's own, in a process that serves.
    pub listeners: Option<OpenListeners>,
    /// Set by the one context that knows users.
    pub resolve_user: Option<ResolveUser>,
}

/// Opens a context's own listeners; they are served until the token is cancelled.
pub type OpenListeners = Box<
    dyn FnOnce(App, CancellationToken) -> BoxFuture<'static, anyhow::Result<Vec<Listening>>> + Send,
>;

/// An open listener.
pub struct Listening {
    /// What it is for.
    pub name: &'static str,
    /// The port is a real one.
    pub address: SocketAddr,
    /// Serves it.
    pub serving: BoxFuture<'static, ()>,
}

impl Context {
    /// A context with nothing but a schema; set the other fields with `..`.
    #[must_use]
    pub fn new(name: &'static str, migrations: &'static [Migration]) -> Self {
        Self {
            name,
            migrations,
            events: Vec::new(),
            routes: Routes::new(),
            consumers: Consumers::new(),
            jobs: Jobs::new(),
            listeners: None,
            resolve_user: None,
        }
    }

    /// Locks that a process with these roles holds, or waits for, in this context at once: its relay's, each
    /// job's, and one that the context's own work asks for.
    pub(crate) fn elections(&self, process: &Process) -> u32 {
        let jobs = self.jobs.list().count();
        let relay = usize::from(process.has(Role::Relay));
        let work = if process.has(Role::Work) { jobs } else { 0 };
        u32::try_from(relay + work + 1).unwrap_or(u32::MAX)
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("name", &self.name)
            .field("routes", &self.routes)
            .field("consumers", &self.consumers)
            .field("jobs", &self.jobs)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.name, self.address)
    }
}
