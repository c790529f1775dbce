//! A line that understands what it carries: it stands in the broker's place, for one node, and holds,
//! lets go or forgets single messages by their kind.
//!
//! ```text
//! node ── TLS, MQTT ──▶ line ── TLS with the node's certificate, MQTT ──▶ broker
//! ```
//!
//! [`crate::FaultProxy`] breaks a line as cables do and sees nothing of what goes over it. This one is
//! for orders of arrival that a cable can't be asked for, such as a journal that overtakes a scan. A
//! message's kind is the last level of its topic; whatever is no `PUBLISH` always passes. Messages
//! that are held when their connection ends are lost, as they would be on any line.

mod carry;
mod packet;

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

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From the node.
    Up,
    /// To the node.
    Down,
}

/// A message that was held.
#[derive(Debug)]
struct Held {
    way: Way,
    kind: String,
    payload: Vec<u8>,
    packet: Vec<u8>,
}

/// The sending ends of the connection that stands.
#[derive(Debug)]
struct Ends {
    up: mpsc::UnboundedSender<Vec<u8>>,
    down: mpsc::UnboundedSender<Vec<u8>>,
}

#[derive(Debug, Default)]
struct State {
    holding: BTreeSet<(Way, String)>,
    held: Vec<Held>,
    ends: Option<Ends>,
}

/// The line. Dropping it ends its connections and frees its port.
#[derive(Debug)]
pub struct MessageLine {
    address: SocketAddr,
    state: watch::Sender<State>,
    listening: JoinHandle<()>,
}

impl MessageLine {
    /// Listens on a free loopback port with the broker's own certificate, and goes on to the broker
    /// with the node's.
    pub(crate) async fn start(broker: &RabbitMq, node: &ClientIdentity) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .during(|| "binding a message line".to_owned())?;
        let address = listener
            .local_addr()
            .during(|| "reading its address".to_owned())?;
        let ends = carry::Peers {
            server: Arc::new(server(broker)?),
            client: Arc::new(client(broker, node)?),
            broker: SocketAddr::from((Ipv4Addr::LOCALHOST, broker.mqtt_port())),
        };
        let state = watch::Sender::new(State::default());
        let listening = tokio::spawn(carry::listen(listener, ends, state.clone()));
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

    /// Messages of this kind are held from now on.
    pub fn hold(&self, way: Way, kind: &str) {
        self.state.send_modify(|state| {
            state.holding.insert((way, kind.to_owned()));
        });
    }

    /// Messages of this kind that were held go on, in their order, and later ones pass.
    pub fn release(&self, way: Way, kind: &str) {
        self.state.send_modify(|state| {
            state.holding.remove(&(way, kind.to_owned()));
            for held in state.take(way, kind) {
                state.send(way, held.packet);
            }
        });
    }

    /// Messages of this kind that were held are lost, and later ones pass.
    pub fn forget(&self, way: Way, kind: &str) {
        self.state.send_modify(|state| {
            state.holding.remove(&(way, kind.to_owned()));
            state.take(way, kind);
        });
    }

    /// Waits until a message is held that `find` takes by its payload.
    pub async fn held<T>(&self, way: Way, kind: &str, find: impl Fn(&[u8]) -> Option<T>) -> T {
        let found = |state: &State| {
            let of_kind = state.held.iter().filter(|held| held.is(way, kind));
            of_kind.map(|held| find(&held.payload)).find_map(|it| it)
        };
        let mut watched = self.state.subscribe();
        loop {
            if let Some(it) = found(&watched.borrow_and_update()) {
                return it;
            }
            // The sender is ours, so the wait can't end for lack of one.
            let _ = watched.changed().await;
        }
    }

    /// Says something to the broker as the node, on the node's own connection, at QoS 0. False if
    /// none stands.
    #[must_use]
    pub fn say(&self, topic: &str, payload: &[u8]) -> bool {
        let packet = packet::publish(topic, payload);
        let state = self.state.borrow();
        state
            .ends
            .as_ref()
            .is_some_and(|ends| ends.up.send(packet).is_ok())
    }
}

impl Drop for MessageLine {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Held {
    fn is(&self, way: Way, kind: &str) -> bool {
        self.way == way && self.kind == kind
    }
}

impl State {
    fn take(&mut self, way: Way, kind: &str) -> Vec<Held> {
        let (taken, kept) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|held| held.is(way, kind));
        self.held = kept;
        taken
    }

    /// A packet of a connection that has just ended goes nowhere.
    fn send(&self, way: Way, packet: Vec<u8>) {
        if let Some(ends) = &self.ends {
            let end = match way {
                Way::Up => &ends.up,
                Way::Down => &ends.down,
            };
            let _ = end.send(packet);
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
