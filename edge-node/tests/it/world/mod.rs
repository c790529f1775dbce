//! The world of the tests: a venue with its tickets, its node, scanners, and a core at the other end
//! of the broker.

mod core;
mod fleet_listener;
mod ledger;
mod process;
mod provider;
mod scanner;
mod scanner_list;
mod venue;

use std::{path::Path, sync::Arc, time::Duration};

use eventify_edge::{Node, clock::Clock, config::Config, identity::Identity};
use eventify_protocol::{lan::NodeStatus, verdict::Mode};
use tempfile::TempDir;
use tokio::time::timeout;

pub(crate) use self::{
    core::Core,
    fleet_listener::FleetListener,
    ledger::admitted,
    process::{PROGRAM, Process, pair},
    provider::granted,
    scanner::{Scanner, TIMEOUTS, refusal},
    venue::{Ticket, Venue, scan_id},
};

/// Longest wait for something that has to happen.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// Settings of a test, on top of those that each test needs.
pub(crate) type Settings<'a> = &'a [(&'a str, &'a str)];

/// A venue, some of its tickets, and the data directory of its node, which may run.
pub(crate) struct World {
    pub(crate) venue: Arc<Venue>,
    pub(crate) tickets: Arc<[Ticket]>,
    pub(crate) folder: TempDir,
    pub(crate) node: Option<Node>,
}

impl World {
    /// The node was connected a moment ago and does not run.
    pub(crate) fn stopped(tickets: u64) -> Self {
        use_ring();
        let venue = Venue::new();
        let tickets = venue.many_tickets(tickets);
        let folder = tempfile::tempdir().unwrap();
        venue.furnish(folder.path(), &tickets, clock());
        Self {
            venue: Arc::new(venue),
            tickets: tickets.into(),
            folder,
            node: None,
        }
    }

    /// The node was connected a moment ago and decides alone.
    pub(crate) async fn alone(settings: Settings<'_>) -> Self {
        let mut world = Self::stopped(3_000);
        world.start(settings).await;
        world
    }

    /// The node has an identity at a core and does not run. Its core may be given another identity.
    pub(crate) async fn enrolled(change: impl FnOnce(&Core, Identity) -> Identity) -> (Self, Core) {
        use_ring();
        let venue = Arc::new(Venue::new());
        let tickets = venue.many_tickets(1_200);
        let core = Box::pin(Core::start(&tickets, Arc::clone(&venue))).await;
        let folder = tempfile::tempdir().unwrap();
        let identity = change(&core, core.identity());
        identity.save(folder.path()).unwrap();
        let world = Self {
            venue,
            tickets: tickets.into(),
            folder,
            node: None,
        };
        (world, core)
    }

    /// The node is about to connect to a core, and has a scanner.
    pub(crate) async fn connected(settings: Settings<'_>) -> (Self, Core, Scanner) {
        let (mut world, core) = Self::enrolled(|_, identity| identity).await;
        world.start(settings).await;
        let scanner = world.scanner(1).await;
        (world, core, scanner)
    }

    pub(crate) async fn start(&mut self, settings: Settings<'_>) {
        self.start_in_boot(clock(), settings).await;
    }

    /// Starts the node as if the machine had booted another time.
    pub(crate) async fn start_in_boot(&mut self, clock: Clock, settings: Settings<'_>) {
        let variables = variables(self.folder.path(), settings);
        let config = Config::load(None, variables).unwrap();
        self.node = Some(Node::start(&config, clock).await.unwrap());
    }

    pub(crate) async fn stop(&mut self) {
        self.node.take().unwrap().stop().await.unwrap();
    }

    pub(crate) fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    /// A newly paired scanner.
    pub(crate) async fn scanner(&self, seed: u8) -> Scanner {
        let code = self.node().pairing_code(None);
        Scanner::pair(&code, seed).await.unwrap()
    }

    /// The scanner after a restart of the node, which gave it another port.
    pub(crate) async fn reconnect(&self, scanner: &mut Scanner) {
        let url = format!("https://{}", self.node().address());
        scanner.reconnect(&url).await;
    }

    pub(crate) async fn until(&self, wanted: impl Fn(&NodeStatus) -> bool) -> Arc<NodeStatus> {
        let handle = self.node().handle();
        match timeout(SOON, handle.wait_for(|status| wanted(status))).await {
            Ok(status) => status.unwrap(),
            Err(_) => panic!("not in time; the node is {:#?}", handle.latest()),
        }
    }

    pub(crate) async fn until_mode(&self, mode: Mode) {
        self.until(|status| status.mode == mode).await;
    }

    /// Online, and ready to go on alone.
    pub(crate) async fn until_ready(&self) {
        self.until(|status| status.mode == Mode::Online && status.cache_age_ms.is_some())
            .await;
    }
}

pub(crate) fn clock() -> Clock {
    Clock::of_this_boot().unwrap()
}

/// Environment variables for a node in a test: its folder, a free port, and the test's settings.
pub(crate) fn variables(data_dir: &Path, settings: Settings<'_>) -> Vec<(String, String)> {
    let folder = data_dir.display().to_string();
    let defaults = [
        ("node.data_dir", folder.as_str()),
        ("lan.listen", "127.0.0.1:0"),
        // Tests scan faster than people.
        ("lan.requests_per_second", "10000"),
        ("lan.request_burst", "10000"),
    ];
    let is_set = |key: &str| settings.iter().any(|(set, _)| *set == key);
    defaults
        .iter()
        .filter(|(key, _)| !is_set(key))
        .chain(settings)
        .map(|(key, value)| {
            let name = key.to_uppercase().replace('.', "__");
            (format!("EVENTIFY_EDGE__{name}"), (*value).to_owned())
        })
        .collect()
}

/// TLS needs a provider, once a process. `RUST_LOG` shows the log.
pub(crate) fn use_ring() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_test_writer();
    drop(lines.try_init());
}
