//! Relays packets between the node and the broker.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{Direction, HeldMessage, Senders, State, packet};

/// TLS towards both sides, and the broker's address.
#[derive(Clone)]
pub(super) struct Peers {
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: Arc<ClientConfig>,
    pub(super) broker: SocketAddr,
}

pub(super) async fn listen(listener: TcpListener, peers: Peers, state: watch::Sender<State>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (peers, state) = (peers.clone(), state.clone());
        match accepted {
            Ok((node, _)) => connections.spawn(async move {
                if let Err(error) = relay(node, &peers, &state).await {
                    tracing::debug!(%error, "A connection through the message proxy ended.");
                }
            }),
            Err(error) => {
                tracing::warn!(
                    code = "stack.message_proxy_accept_failed", %error,
                    "The message proxy could not accept a connection."
                );
                continue;
            }
        };
    }
}

/// Relays one connection until one end closes it.
async fn relay(node: TcpStream, peers: &Peers, state: &watch::Sender<State>) -> io::Result<()> {
    node.set_nodelay(true)?;
    let node = TlsAcceptor::from(Arc::clone(&peers.server))
        .accept(node)
        .await?;
    let broker = TcpStream::connect(peers.broker).await?;
    broker.set_nodelay(true)?;
    let name = ServerName::from(peers.broker.ip());
    let broker = TlsConnector::from(Arc::clone(&peers.client))
        .connect(name, broker)
        .await?;
    let (from_node, to_node) = tokio::io::split(node);
    let (from_broker, to_broker) = tokio::io::split(broker);
    let (up, to_send_up) = mpsc::unbounded_channel();
    let (down, to_send_down) = mpsc::unbounded_channel();
    state.send_modify(|state| {
        state.held.clear();
        state.senders = Some(Senders { up, down });
    });
    // The first end that closes ends the whole connection.
    tokio::select! {
        ended = read(from_node, Direction::Up, state) => ended,
        ended = read(from_broker, Direction::Down, state) => ended,
        ended = write(to_send_up, to_broker) => ended,
        ended = write(to_send_down, to_node) => ended,
    }
}

async fn read(
    mut from: impl AsyncRead + Unpin,
    direction: Direction,
    state: &watch::Sender<State>,
) -> io::Result<()> {
    while let Some(packet) = packet::read(&mut from).await? {
        state.send_if_modified(|state| hold_or_send(state, direction, packet));
    }
    Ok(())
}

/// True if the packet is held.
fn hold_or_send(state: &mut State, direction: Direction, packet: Vec<u8>) -> bool {
    let Some(published) = packet::decode_publish(&packet) else {
        state.send(direction, packet);
        return false;
    };
    let (kind, payload) = (published.kind.to_owned(), published.payload.to_vec());
    let holds = state.holding.contains(&(direction, kind.clone()));
    if holds {
        state.held.push(HeldMessage {
            direction,
            kind,
            payload,
            packet,
        });
    } else {
        state.send(direction, packet);
    }
    holds
}

async fn write(
    mut packets: mpsc::UnboundedReceiver<Vec<u8>>,
    mut to: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    while let Some(packet) = packets.recv().await {
        to.write_all(&packet).await?;
        to.flush().await?;
    }
    to.shutdown().await
}
