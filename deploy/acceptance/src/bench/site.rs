//! What all rows share: a core on durable servers, a venue with its tickets, a node that has fetched
//! them, a scanner.

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
    machine::{kib_of, processor_seconds},
    seed::{self, Ticket},
    wire::{self, Connection},
};
use crate::{
    clock,
    scanner::Scanner,
    wait,
    world::{World, claim::Claim, edge::Edge, office::Office, stage::Stage},
};

/// Tickets of the venue.
pub(super) const TICKETS: u32 = 100_000;
/// What was set off is done within this.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);

/// See the module. The servers are stopped last.
pub(super) struct Site {
    pub(super) node: Node,
    pub(super) stage: Stage,
    pub(super) world: World,
    pub(super) db: PgConnection,
    /// Those that nobody has used yet.
    tickets: Vec<Ticket>,
    _stack: Stack,
}

/// A node that has just fetched its replica for the first time, and its scanner.
pub(super) struct Node {
    pub(super) edge: Edge,
    pub(super) scanner: Scanner,
    pub(super) first_sync: FirstSync,
}

/// How a node's first replica came to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstSync {
    /// From the start of its program, the making of the snapshot included.
    pub(super) took: Duration,
    /// Towards the node, with TLS and MQTT.
    pub(super) bytes: u64,
    pub(super) tickets: u64,
    /// Of the node, when it was done.
    pub(super) resident_mib: f64,
}

impl Site {
    /// Starts everything.
    pub(super) async fn prepare(claim: Claim) -> Result<Self> {
        let stack = Stack::start(Options { durable: true }).await?;
        let world = World::start_on(&stack, claim, &[]).await?;
        let mut db = PgConnection::connect(world.database_url()).await?;
        let stage = world.stage().await?;
        stage.on_sale(&world.core.api).await?;
        let office = world.office(&stage).await?;
        let limit = u64::try_from(MAX_CACHE_AGE.as_millis())?;
        office.allow_degraded(limit).await?;
        let tickets = seed::sold(&mut db, &stage, TICKETS).await?;
        settle(&mut db, async || Ok(true)).await?;
        let node = Node::connect(&world, &stage, &office, "edge-1", u64::from(TICKETS)).await?;
        let mut site = Self {
            node,
            stage,
            world,
            db,
            tickets,
            _stack: stack,
        };
        site.settle().await?;
        Ok(site)
    }

    /// Tickets that were never scanned.
    pub(super) fn fresh(&mut self, count: usize) -> Result<Vec<Ticket>> {
        let left = self.tickets.len().checked_sub(count);
        Ok(self.tickets.split_off(left.context("no tickets are left")?))
    }

    /// Waits until nothing is under way any more, at the core or between it and the node, so that
    /// one row's work is not measured as the next one's.
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

    /// Stops the core as an operator would.
    pub(super) async fn stop(self) -> Result<()> {
        self.world.core.stop().await
    }
}

/// Waits until the core has nothing under way any more, and neither have others by their own account.
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
    /// Enrols a node for a new gate, starts it, and watches it fetch so many tickets.
    pub(super) async fn connect(
        world: &World,
        stage: &Stage,
        office: &Office,
        label: &str,
        tickets: u64,
    ) -> Result<Self> {
        let gate = office.add_gate(label, &[&stage.performance]).await?;
        let code = office.announce_node(label, &gate).await?;
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
        let bytes = edge.line.carried().down;
        let first_sync = FirstSync {
            took,
            bytes,
            tickets: status.replica.tickets,
            resident_mib: resident_mib(&edge, "VmRSS")?,
        };
        edge.becomes("its gate", wait::START, |status| !status.gates.is_empty())
            .await?;
        let scanner = edge.pair(&format!("scanner of {label}"), [7; 32]).await?;
        edge.reaches(Mode::Online, wait::START).await?;
        Ok(Self {
            edge,
            scanner,
            first_sync,
        })
    }

    /// Connections to its LAN API, each known as a scanner's: strangers have few, and not for long.
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
        self.edge.line.cut();
        self.edge.reaches(Mode::Degraded, wait::START).await?;
        Ok(())
    }

    /// Heals its line and waits until the core decides again and knows all.
    pub(super) async fn reconnect(&self) -> Result<()> {
        self.edge.line.heal();
        self.edge.reaches(Mode::Online, SETTLE_LIMIT).await?;
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
    let kib = kib_of(&status, name).with_context(|| format!("no {name} in its status"))?;
    Ok(f64::from(u32::try_from(kib)?) / 1024.0)
}
