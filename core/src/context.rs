//! What a context registers, and the list of all contexts.

use crate::bus::Consumers;
use crate::db::migrate::Migration;
use crate::event::EventSchema;
use crate::http::Routes;
use crate::jobs::Jobs;

/// One bounded context: a folder, a schema, a queue.
#[derive(Debug)]
pub struct Context {
    /// Folder, PostgreSQL schema, `<name>.q`, `/eventify/<name>`.
    pub name: &'static str,
    /// `core/migrations/<name>/`, in order.
    pub migrations: &'static [Migration],
    /// What it publishes: `events::schemas`.
    pub events: Vec<EventSchema>,
    /// What it answers over HTTP: `routes::routes`.
    pub routes: Routes,
    /// Which events it hears: `consumers::consumers`.
    pub consumers: Consumers,
    /// What time makes it do: `consumers::jobs`.
    pub jobs: Jobs,
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
        }
    }
}

/// Every context of the core. One line each; `tests/tidy.rs` compares it with the folders.
#[must_use]
pub fn all() -> Vec<Context> {
    vec![
        crate::catalogue::context(),
        crate::event_management::context(),
        crate::fleet::context(),
        crate::identity::context(),
        crate::inventory::context(),
        crate::order::context(),
        crate::payment::context(),
        crate::reservation::context(),
        crate::ticketing::context(),
    ]
}
