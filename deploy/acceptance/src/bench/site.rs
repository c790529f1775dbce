//! What all rows share: a core on durable servers, a venue with its tickets, a node that has them, and a
//! scanner.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use eventify_protocol::{
    ids::ScanId,
    lan::{NodeStatus, ScanRequest},
    time::MAX_CACHE_AGE,
    verdict::Mode,
};
use eventify_stack::{Options, Stack};
use reqwest::Method;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{
    machine::{mebibytes_of, processor_seconds},
    seed::{self, Ticket},
    wire::{self, Connection},
};
use crate::{
    clock,
    scanner::Scanner,
    wait,
    world::{World, claim::Claim, edge::Edge, fixture::Fixture, venue_it::VenueIt},
};

/// Tickets of the venue.
pub(super) const TICKETS: u32 = 100_000;
/// Where no row looks at their number.
pub(super) const FEW_TICKETS: u32 = 10_000;
/// The longest time until all work is done.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);

/// The servers stop last.
pub(super) struct Site {
    pub(super) node: Node,
    pub(super) fixture: Fixture,
    pub(super) world: World,
    pub(super) db: PgConnection,
    /// Unused tickets.
    tickets: Vec<Ticket>,
    _stack: Stack,
}

/// A node after its first sync, and its scanner.
pub(super) struct Node {
    pub(super) edge: Edge,
    pub(super) scanner: Scanner,
    pub(super) first_sync: FirstSync,
}

/// A node's first sync.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstSync {
    /// From the start of its program; includes the making of the snapshot.
    pub(super) took: Duration,
    /// To the node, with TLS and MQTT.
    pub(super) bytes: u64,
    pub(super) tickets: u64,
    /// Of the node after the sync.
    pub(super) resident_mib: f64,
}

impl Site {
    pub(super) async fn prepare(claim: Claim, tickets: u32) -> Result<Self> {
        let stack = Stack::start(Options {
            durable: true,
            ..Options::default()
        })
        .await?;
        let world = World::start_on(&stack, claim, &[]).await?;
        let mut db = PgConnection::connect(world.database_url()).await?;
        let fixture = world.fixture().await?;
        fixture.wait_until_on_sale(&world.core.api).await?;
        let venue_it = world.venue_it(&fixture).await?;
        let limit = u64::try_from(MAX_CACHE_AGE.as_millis())?;
        venue_it.allow_degraded(limit).await?;
        let sold = seed::sold(&mut db, &fixture, tickets).await?;
        settle(&mut db, async || Ok(true)).await?;
        let node = Node::connect(&world, &fixture, &venue_it, "edge-1", u64::from(tickets)).await?;
        let mut site = Self {
            node,
            fixture,
            world,
            db,
            tickets: sold,
            _stack: stack,
        };
        site.settle().await?;
        Ok(site)
    }

    /// Takes unused tickets.
    pub(super) fn fresh(&mut self, count: usize) -> Result<Vec<Ticket>> {
        let left = self.tickets.len().checked_sub(count);
        Ok(self.tickets.split_off(left.context("no tickets are left")?))
    }

    /// Waits until the core and the node have no work left, so that a row does not measure the work of
    /// the row before.
    pub(super) async fn settle(&mut self) -> Result<()> {
        let edge = &self.node.edge;
        settle(&mut self.db, async || Ok(is_settled(&edge.status().await?))).await
    }

    /// The core's address.
    pub(super) fn core(&self) -> Result<SocketAddr> {
        let address = self.world.core.url.trim_start_matches("http://");
        address.parse().context("the core's address")
    }

    /// Connections to the core.
    pub(super) async fn core_connections(&self, count: usize) -> Result<Vec<Connection>> {
        let address = self.core()?;
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            connections.push(Connection::plain(address).await?);
        }
        Ok(connections)
    }

    /// Stops the core.
    pub(super) async fn stop(self) -> Result<()> {
        self.world.core.stop().await
    }
}

/// Waits until the core has no work left and `others` returns true.
async fn settle(db: &mut PgConnection, others: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let outboxes: Vec<String> = sqlx::query_scalar(
        "select format('select from %I.outbox where published_at is null \
             or feeds_venues and settled_at is null', table_schema)
         from information_schema.tables where table_name = 'outbox'",
    )
    .fetch_all(&mut *db)
    .await?;
    let busy = format!(
        "select exists (select from fleet.feed_pending) or exists ({})",
        outboxes.join(" union all ")
    );
    let begin = clock::instant();
    loop {
        let at_core: bool = sqlx::query_scalar(AssertSqlSafe(busy.as_str()))
            .fetch_one(&mut *db)
            .await?;
        if !at_core && others().await? {
            return Ok(());
        }
        let waited = begin.elapsed();
        anyhow::ensure!(waited < SETTLE_LIMIT, "still busy after {waited:?}");
        tokio::time::sleep(wait::PAUSE).await;
    }
}

fn is_settled(status: &NodeStatus) -> bool {
    let caught_up = status.replica.position == status.replica.head;
    let acknowledged = status.journal.unacknowledged == 0;
    status.mode == Mode::Degraded || (caught_up && acknowledged)
}

impl Node {
    /// Enrols a node for a new gate, starts it, and waits until it has this number of tickets.
    pub(super) async fn connect(
        world: &World,
        fixture: &Fixture,
        venue_it: &VenueIt,
        label: &str,
        tickets: u64,
    ) -> Result<Self> {
        let gate = venue_it.add_gate(label, &[&fixture.performance]).await?;
        let code = venue_it.announce_node(label, &gate).await?;
        let broker = world.broker();
        let mut edge =
            Edge::enrolled(label, &code.code, &world.folder, broker, MAX_CACHE_AGE).await?;
        let begin = clock::instant();
        edge.spawn()?;
        let status = wait::until("the first replica", wait::START, || async {
            let status = edge.status().await.ok();
            Ok(status.filter(|status| status.replica.tickets >= tickets))
        })
        .await?;
        let took = begin.elapsed();
        let bytes = edge.link.traffic().down;
        let first_sync = FirstSync {
            took,
            bytes,
            tickets: status.replica.tickets,
            resident_mib: resident_mib(&edge, "VmRSS")?,
        };
        edge.wait_until("its gate", wait::START, |status| !status.gates.is_empty())
            .await?;
        let scanner = edge.pair(&format!("scanner of {label}"), [7; 32]).await?;
        edge.wait_for_mode(Mode::Online, wait::START).await?;
        Ok(Self {
            edge,
            scanner,
            first_sync,
        })
    }

    /// Connections to its LAN API, each authenticated by a request: others are few and short-lived.
    pub(super) async fn connections(&mut self, count: usize) -> Result<Vec<Connection>> {
        const PATH: &str = "/v1/status";
        self.scanner.refresh().await?;
        let headers = self.scanner.headers(&Method::GET, PATH, b"");
        let status = wire::request("GET", PATH, &headers, b"");
        let address = self.scanner.base().trim_start_matches("https://");
        let address = address.parse().context("the node's address")?;
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            let mut connection = Connection::pinned(address, self.scanner.pin()).await?;
            let answer = connection.ask(&status).await?;
            anyhow::ensure!(answer.status == 200, "its status: {}", answer.status);
            connections.push(connection);
        }
        Ok(connections)
    }

    /// A scan of each of these tickets, with a new id, signed with an access token that was fetched
    /// just now.
    pub(super) async fn scans(&mut self, tickets: &[Ticket]) -> Result<Vec<Vec<u8>>> {
        const PATH: &str = "/v1/scans";
        self.scanner.refresh().await?;
        let scan = |ticket: &Ticket| {
            let request = ScanRequest {
                scan_id: ScanId(clock::new_id()),
                gate_id: self.scanner.gate,
                token: ticket.token.clone(),
            };
            let body = serde_json::to_vec(&request)?;
            let headers = self.scanner.headers(&Method::POST, PATH, &body);
            Ok(wire::request("POST", PATH, &headers, &body))
        };
        tickets.iter().map(scan).collect()
    }

    /// Cuts its line and waits until it decides alone.
    pub(super) async fn cut_off(&self) -> Result<()> {
        self.edge.link.cut();
        self.edge.wait_for_mode(Mode::Degraded, wait::START).await?;
        Ok(())
    }

    /// Heals its line and waits until the core decides again and knows all.
    pub(super) async fn reconnect(&self) -> Result<()> {
        self.edge.link.heal();
        self.edge.wait_for_mode(Mode::Online, SETTLE_LIMIT).await?;
        Ok(())
    }

    /// Processor time that its program has used.
    pub(super) fn processor_seconds(&self) -> Result<f64> {
        let id = self.edge.process_id().context("the node does not run")?;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        processor_seconds(&stat).context("no processor time in its status")
    }

    /// What its program holds in memory, by the kernel's name for it: `VmRSS` now, `VmHWM` at most.
    pub(super) fn resident_mib(&self, name: &str) -> Result<f64> {
        resident_mib(&self.edge, name)
    }
}

fn resident_mib(edge: &Edge, name: &str) -> Result<f64> {
    let id = edge.process_id().context("the node does not run")?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    mebibytes_of(&status, name).with_context(|| format!("no {name} in its status"))
}
