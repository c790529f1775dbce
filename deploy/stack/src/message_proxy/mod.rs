//! An MQTT proxy between one node and the broker that holds, releases or discards single messages by
//! their kind.
//!
//! ```text
//! node ── TLS, MQTT ──▶ proxy ── TLS with the node's certificate, MQTT ──▶ broker
//! ```
//!
//! [`crate::FaultProxy`] breaks connections and does not look at their bytes. This proxy is for orders of
//! arrival that a broken connection can't produce, such as a journal that overtakes a scan. A message's
//! kind is the last level of its topic; packets other than `PUBLISH` always pass. Messages that are
//! held when their connection ends are lost, as on any connection.

mod packet;
mod relay;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::error::{During, Result, StackError};
use crate::pki::ClientIdentity;
use crate::rabbitmq::RabbitMq;

/// Where data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

#[derive(Debug)]
struct HeldMessage {
    direction: Direction,
    kind: String,
    payload: Vec<u8>,
    packet: Vec<u8>,
}

/// Write to the two ends of the current connection.
#[derive(Debug)]
struct Senders {
    up: mpsc::UnboundedSender<Vec<u8>>,
    down: mpsc::UnboundedSender<Vec<u8>>,
}

#[derive(Debug, Default)]
struct State {
    holding: BTreeSet<(Direction, String)>,
    held: Vec<HeldMessage>,
    senders: Option<Senders>,
}

/// A running proxy. Dropping it ends its connections and frees its port.
#[derive(Debug)]
pub struct MessageProxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    listening: JoinHandle<()>,
}

impl MessageProxy {
    /// Listens on a free loopback port with the broker's certificate, and connects to the broker with
    /// the node's.
    pub(crate) async fn start(broker: &RabbitMq, node: &ClientIdentity) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .during(|| "binding a message proxy".to_owned())?;
        let address = listener
            .local_addr()
            .during(|| "reading its address".to_owned())?;
        let peers = relay::Peers {
            server: Arc::new(server(broker)?),
            client: Arc::new(client(broker, node)?),
            broker: SocketAddr::from((Ipv4Addr::LOCALHOST, broker.mqtt_port())),
        };
        let state = watch::Sender::new(State::default());
        let listening = tokio::spawn(relay::listen(listener, peers, state.clone()));
        Ok(Self {
            address,
            state,
            listening,
        })
    }

    /// Where the node connects to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Holds messages of this kind from now on.
    pub fn hold(&self, direction: Direction, kind: &str) {
        self.state.send_modify(|state| {
            state.holding.insert((direction, kind.to_owned()));
        });
    }

    /// Sends the held messages of this kind on, in order, and lets later ones pass.
    pub fn release(&self, direction: Direction, kind: &str) {
        self.state.send_modify(|state| {
            state.holding.remove(&(direction, kind.to_owned()));
            for held in state.take(direction, kind) {
                state.send(direction, held.packet);
            }
        });
    }

    /// Drops the held messages of this kind, and lets later ones pass.
    pub fn discard(&self, direction: Direction, kind: &str) {
        self.state.send_modify(|state| {
            state.holding.remove(&(direction, kind.to_owned()));
            state.take(direction, kind);
        });
    }

    /// Waits for a held message in whose payload `find` finds something, and returns that.
    pub async fn held<T>(
        &self,
        direction: Direction,
        kind: &str,
        find: impl Fn(&[u8]) -> Option<T>,
    ) -> T {
        let found = |state: &State| {
            let of_kind = state.held.iter().filter(|held| held.is(direction, kind));
            of_kind.filter_map(|held| find(&held.payload)).next()
        };
        let mut watched = self.state.subscribe();
        loop {
            if let Some(found) = found(&watched.borrow_and_update()) {
                return found;
            }
            // The wait can't fail: we hold the sender.
            let _ = watched.changed().await;
        }
    }

    /// Publishes to the broker on the node's own connection, at QoS 0. False if there is none.
    #[must_use]
    pub fn publish(&self, topic: &str, payload: &[u8]) -> bool {
        let packet = packet::encode_publish(topic, payload);
        let state = self.state.borrow();
        state
            .senders
            .as_ref()
            .is_some_and(|senders| senders.up.send(packet).is_ok())
    }
}

impl Drop for MessageProxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl HeldMessage {
    fn is(&self, direction: Direction, kind: &str) -> bool {
        self.direction == direction && self.kind == kind
    }
}

impl State {
    fn take(&mut self, direction: Direction, kind: &str) -> Vec<HeldMessage> {
        let (taken, kept) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|held| held.is(direction, kind));
        self.held = kept;
        taken
    }

    /// Does nothing if the connection has just ended.
    fn send(&self, direction: Direction, packet: Vec<u8>) {
        if let Some(senders) = &self.senders {
            let sender = match direction {
                Direction::Up => &senders.up,
                Direction::Down => &senders.down,
            };
            let _ = sender.send(packet);
        }
    }
}

fn server(broker: &RabbitMq) -> Result<ServerConfig> {
    let (certificate, key) = broker.server_identity();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            certificates(&read(certificate)?)?,
            private_key(&read(key)?)?,
        )?;
    Ok(config)
}

fn client(broker: &RabbitMq, node: &ClientIdentity) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&read(broker.broker_ca())?)? {
        roots.add(certificate)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(
            certificates(node.certificate.as_bytes())?,
            private_key(node.key.as_bytes())?,
        )?;
    Ok(config)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).during(|| format!("reading {}", path.display()))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let chain: std::result::Result<_, _> = CertificateDer::pem_slice_iter(pem).collect();
    chain.map_err(StackError::Pem)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem).map_err(StackError::Pem)
}
