//! Carrying packets from end to end.

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

use super::{Ends, Held, State, Way, packet};

/// How both ends are spoken to.
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
                if let Err(error) = carry(node, &peers, &state).await {
                    tracing::debug!(%error, "a message line's connection has ended");
                }
            }),
            Err(error) => {
                tracing::warn!(%error, "the message line could not accept a connection");
                continue;
            }
        };
    }
}

/// Carries one connection until an end closes it.
async fn carry(node: TcpStream, peers: &Peers, state: &watch::Sender<State>) -> io::Result<()> {
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
    let (up, said) = mpsc::unbounded_channel();
    let (down, answered) = mpsc::unbounded_channel();
    state.send_modify(|state| {
        state.held.clear();
        state.ends = Some(Ends { up, down });
    });
    // Whichever end is the first to close takes the whole connection with it.
    tokio::select! {
        ended = hear(from_node, Way::Up, state) => ended,
        ended = hear(from_broker, Way::Down, state) => ended,
        ended = write(said, to_broker) => ended,
        ended = write(answered, to_node) => ended,
    }
}

async fn hear(
    mut from: impl AsyncRead + Unpin,
    way: Way,
    state: &watch::Sender<State>,
) -> io::Result<()> {
    while let Some(packet) = packet::read(&mut from).await? {
        state.send_if_modified(|state| pass(state, way, packet));
    }
    Ok(())
}

/// Sends a packet on, or keeps it; true if it is kept.
fn pass(state: &mut State, way: Way, packet: Vec<u8>) -> bool {
    let Some(published) = packet::published(&packet) else {
        state.send(way, packet);
        return false;
    };
    let (kind, payload) = (published.kind.to_owned(), published.payload.to_vec());
    let holds = state.holding.contains(&(way, kind.clone()));
    if holds {
        state.held.push(Held {
            way,
            kind,
            payload,
            packet,
        });
    } else {
        state.send(way, packet);
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
