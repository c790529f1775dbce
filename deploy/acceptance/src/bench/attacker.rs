//! A node that was enrolled like any and does what it likes: it has a certificate, and no more. It sends as
//! much as it may, reads nothing of what it is sent, and reaches loopback alone.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use eventify_protocol::{
    ids::{BootId, GateId, IncarnationId, MessageId, NodeId, ScanId, ScannerId, SnapshotId},
    sync::{
        Ask, DIGEST_ALGORITHM, Down, Envelope, Hello, JournalBatch, JournalHead, Nonce, Plan,
        Position, Pull, Scan, Sender, Up, topic,
    },
    time::{CoreTime, MAX_CACHE_AGE},
};
use rumqttc::{
    AsyncClient, Event, EventLoop, Incoming, MqttOptions, QoS, TlsConfiguration, Transport,
};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    seed,
    site::{FEW_TICKETS, Site},
};
use crate::{
    clock, wait,
    world::{customer::text, edge::Edge, fixture::Fixture},
};

/// Between two bursts.
const TICK: Duration = Duration::from_millis(10);
/// Messages of a burst: 2,000 a second, as far as the broker takes them.
const SMALL: u32 = 20;
/// And of large ones: 100 a second, ten megabytes.
const LARGE: u32 = 1;
/// Just under what the core reads at all.
const LARGE_BYTES: usize = 100_000;
const MAX_PACKET: usize = 256 * 1024;
/// Chunks that it asks for at once.
const MANY_CHUNKS: u32 = 64;

/// What it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flood {
    Questions,
    Greetings,
    Pulls,
    Scans,
    Garbage,
    Rows,
}

impl Flood {
    pub(super) const ALL: [Self; 6] = [
        Self::Questions,
        Self::Greetings,
        Self::Pulls,
        Self::Scans,
        Self::Garbage,
        Self::Rows,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Questions => "a flood of questions",
            Self::Greetings => "a flood of hellos",
            Self::Pulls => "a flood of pulls",
            Self::Scans => "a flood of scans",
            Self::Garbage => "a flood of garbage",
            Self::Rows => "a flood of made-up rows",
        }
    }

    fn burst(self) -> u32 {
        match self {
            Self::Questions | Self::Greetings | Self::Pulls | Self::Scans => SMALL,
            Self::Garbage | Self::Rows => LARGE,
        }
    }
}

/// A connected one.
pub(super) struct Attacker {
    node: NodeId,
    snapshot: SnapshotId,
    client: AsyncClient,
    polling: JoinHandle<()>,
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.polling.abort();
    }
}

impl Attacker {
    /// Enrols a node at a venue of its own, whose snapshot has many chunks, and takes its place.
    pub(super) async fn connect(site: &mut Site) -> Result<Self> {
        let world = &site.world;
        let starts_at = clock::now() + TimeDelta::minutes(30);
        let venue = Fixture::create(&world.organiser().await?, starts_at).await?;
        venue.wait_until_on_sale(&world.core.api).await?;
        seed::sold(&mut site.db, &venue, FEW_TICKETS).await?;
        let venue_it = world.venue_it(&venue).await?;
        let gate = venue_it.add_gate("other", &[&venue.performance]).await?;
        let code = venue_it.announce_node("other", &gate).await?.code;
        let (folder, broker) = (&world.folder, world.broker());
        Edge::enrolled("other", &code, folder, broker, MAX_CACHE_AGE).await?;
        let identity = std::fs::read(world.folder.join("other/data/identity.json"))?;
        let identity: Value = serde_json::from_slice(&identity)?;
        let node: NodeId = text(&identity, "nodeId")?.parse()?;

        let mut options = MqttOptions::new(
            node.to_string(),
            world.scope.mqtt_host,
            world.scope.mqtt_port,
        );
        options
            .set_transport(Transport::Tls(TlsConfiguration::Simple {
                ca: std::fs::read(&world.scope.broker_ca)?,
                alpn: None,
                client_auth: Some((
                    text(&identity, "certificateChain")?.into(),
                    text(&identity, "privateKey")?.into(),
                )),
            }))
            .set_max_packet_size(MAX_PACKET, MAX_PACKET)
            .set_manual_acks(true);
        let (client, mut events) = AsyncClient::new(options, 64);
        let snapshot = greet(node, &client, &mut events);
        let snapshot = tokio::time::timeout(wait::START, snapshot)
            .await
            .context("no welcome")??;
        let polling = tokio::spawn(async move {
            loop {
                // Whatever ends the connection: the next poll makes another.
                if events.poll().await.is_err() {
                    tokio::time::sleep(TICK).await;
                }
            }
        });
        Ok(Self {
            node,
            snapshot,
            client,
            polling,
        })
    }

    /// Floods until it is stopped; returns how many messages it sent.
    pub(super) async fn send(&self, flood: Flood, stop: &CancellationToken) -> Result<u64> {
        let mut tick = tokio::time::interval(TICK);
        let mut sent = 0;
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            for _ in 0..flood.burst() {
                let (topic, bytes) = self.message(flood);
                let sending = self.client.publish(topic, QoS::AtMostOnce, false, bytes);
                match stop.run_until_cancelled(sending).await {
                    Some(result) => result?,
                    None => return Ok(sent),
                }
                sent += 1;
            }
        }
        Ok(sent)
    }

    fn message(&self, flood: Flood) -> (String, Vec<u8>) {
        let body = match flood {
            Flood::Questions => Up::Ask(Ask {
                nonce: Nonce(rand::random()),
            }),
            Flood::Greetings => Up::Hello(hello()),
            Flood::Pulls => Up::Pull(Pull {
                snapshot: self.snapshot,
                from: 0,
                count: MANY_CHUNKS,
            }),
            Flood::Scans => Up::Scan(Scan {
                scan: ScanId(clock::new_id()),
                scanner: ScannerId(clock::new_id()),
                gate: GateId(clock::new_id()),
                token: "HELLO".to_owned(),
                deadline: CoreTime(i64::MAX),
                replaces: Vec::new(),
                code: None,
            }),
            Flood::Garbage => {
                let mut garbage = vec![0xff; LARGE_BYTES];
                garbage[1..17].copy_from_slice(clock::new_id().as_bytes());
                return (topic::up(self.node, &Up::Hello(hello())), garbage);
            }
            Flood::Rows => Up::Journal(made_up_rows()),
        };
        envelope(self.node, body)
    }
}

/// Says hello once, and reads which snapshot there is.
async fn greet(node: NodeId, client: &AsyncClient, events: &mut EventLoop) -> Result<SnapshotId> {
    let filter = topic::down_filter(node);
    client.subscribe(filter, QoS::AtLeastOnce).await?;
    let (topic, bytes) = envelope(node, Up::Hello(hello()));
    loop {
        match events.poll().await? {
            Event::Incoming(Incoming::SubAck(_)) => {
                client
                    .publish(topic.as_str(), QoS::AtMostOnce, false, bytes.clone())
                    .await?;
            }
            Event::Incoming(Incoming::Publish(message)) => {
                let envelope = Envelope::<Down>::from_bytes(&message.payload)?;
                if let Down::Welcome(welcome) = envelope.body
                    && let Plan::Snapshot { id, .. } = welcome.plan
                {
                    return Ok(id);
                }
            }
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
    }
}

fn envelope(node: NodeId, body: Up) -> (String, Vec<u8>) {
    let topic = topic::up(node, &body);
    let id = MessageId(clock::new_id());
    (
        topic,
        Envelope::new(id, Sender::Node(node), body).to_bytes(),
    )
}

fn hello() -> Hello {
    Hello {
        boot: BootId(clock::new_id()),
        epoch: None,
        head: Position(0),
        digest: None,
        algorithms: vec![DIGEST_ALGORITHM],
        journal: JournalHead::empty(IncarnationId(clock::new_id())),
        software: "attack".to_owned(),
        session: None,
        sent_after: None,
    }
}

/// Rows that no chain has, each new.
fn made_up_rows() -> JournalBatch {
    let rows = (0..LARGE_BYTES / 200).map(|_| {
        let mut row = vec![0xff; 200];
        row[1..17].copy_from_slice(clock::new_id().as_bytes());
        row.into()
    });
    JournalBatch {
        incarnation: IncarnationId(clock::new_id()),
        from: 1,
        rows: rows.collect(),
    }
}
