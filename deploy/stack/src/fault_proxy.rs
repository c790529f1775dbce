//! A TCP proxy that fails like cables, firewalls and radio links do.
//!
//! ```text
//! client ── up ──▶ proxy ── up ──▶ target
//! client ◀─ down ─ proxy ◀─ down ─ target
//! ```
//!
//! A link is either *cut* (both ends notice: connections are reset, new ones too) or *black-holed*
//! (neither end notices: bytes wait in the proxy). As with TCP, bytes sent into a black hole arrive
//! after [`FaultProxy::heal`], unless the link is cut in between. A response that is dropped ends its
//! connection, because no TCP connection survives a missing byte.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::Direction;
use crate::error::{During, Result};

const CHUNK_BYTES: usize = 16 * 1024;
/// Chunks in flight in each direction; beyond this TCP's own back pressure stops the sender.
const CHUNKS_IN_FLIGHT: usize = 64;

#[derive(Debug, Clone, Copy)]
struct LinkState {
    target: SocketAddr,
    /// New connections are reset while this is false.
    accepts: bool,
    requests_pass: bool,
    responses_pass: bool,
    delay: Duration,
    /// Number of cuts so far; a connection ends when it changes.
    cuts: u64,
    /// Responses still to be dropped, and those dropped so far.
    to_drop: usize,
    dropped: usize,
}

impl LinkState {
    fn passes(&self, direction: Direction) -> bool {
        match direction {
            Direction::Up => self.requests_pass,
            Direction::Down => self.responses_pass,
        }
    }
}

/// Bytes delivered over all connections since the proxy started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    pub up: u64,
    pub down: u64,
}

#[derive(Debug, Default)]
struct Counters {
    up: AtomicU64,
    down: AtomicU64,
    connections: AtomicU64,
}

impl Counters {
    fn of(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }
}

/// A running proxy. Dropping it resets its connections and frees its port.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    link: watch::Sender<LinkState>,
    counters: Arc<Counters>,
    listening: JoinHandle<()>,
}

impl FaultProxy {
    /// Listens on a free loopback port and forwards to `target`, on the current runtime.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .during(|| "binding a fault proxy".to_owned())?;
        let address = listener
            .local_addr()
            .during(|| "reading its address".to_owned())?;
        let link = watch::Sender::new(LinkState {
            target,
            accepts: true,
            requests_pass: true,
            responses_pass: true,
            delay: Duration::ZERO,
            cuts: 0,
            to_drop: 0,
            dropped: 0,
        });
        let counters = Arc::<Counters>::default();
        let listening = tokio::spawn(listen(listener, link.clone(), Arc::clone(&counters)));
        Ok(Self {
            address,
            link,
            counters,
            listening,
        })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes delivered so far, TLS included.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let count = |direction| self.counters.of(direction).load(Ordering::Relaxed);
        Traffic {
            up: count(Direction::Up),
            down: count(Direction::Down),
        }
    }

    /// Connections that clients have made since the proxy started.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.counters.connections.load(Ordering::Relaxed)
    }

    /// Sends new connections to another target, such as a peer that restarted on another port.
    pub fn retarget(&self, target: SocketAddr) {
        self.link.send_modify(|link| link.target = target);
    }

    /// Resets all connections, and new ones until [`FaultProxy::heal`].
    pub fn cut(&self) {
        self.link.send_modify(|link| {
            link.cuts += 1;
            link.accepts = false;
        });
    }

    /// Resets all connections once; new ones pass.
    pub fn reset_connections(&self) {
        self.link.send_modify(|link| link.cuts += 1);
    }

    /// Lets nothing pass; neither end notices.
    pub fn black_hole(&self) {
        self.link.send_modify(|link| {
            link.requests_pass = false;
            link.responses_pass = false;
        });
    }

    /// Holds what clients send; responses pass.
    pub fn hold_requests(&self) {
        self.link.send_modify(|link| link.requests_pass = false);
    }

    /// Holds responses; what clients send passes.
    pub fn hold_responses(&self) {
        self.link.send_modify(|link| link.responses_pass = false);
    }

    /// Delays everything, in each direction.
    pub fn delay(&self, delay: Duration) {
        self.link.send_modify(|link| link.delay = delay);
    }

    /// Drops the next `count` responses (reads from the target, on any connection), each together with
    /// its connection. Everything that the target sends counts, even a TLS session ticket or a ping
    /// response: call it while the connection is quiet.
    pub fn drop_responses(&self, count: usize) {
        self.link.send_modify(|link| link.to_drop = count);
    }

    /// Waits until `count` responses have been dropped since the proxy started.
    pub async fn responses_dropped(&self, count: usize) {
        let mut link = self.link.subscribe();
        // The wait can't fail: we hold the sender.
        let _ = link.wait_for(|link| link.dropped >= count).await;
    }

    /// Ends all faults. Held connections continue; cut ones stay closed.
    pub fn heal(&self) {
        self.link.send_modify(|link| {
            link.accepts = true;
            link.requests_pass = true;
            link.responses_pass = true;
            link.delay = Duration::ZERO;
            link.to_drop = 0;
        });
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, link: watch::Sender<LinkState>, counters: Arc<Counters>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((client, _)) => {
                counters.connections.fetch_add(1, Ordering::Relaxed);
                connections.spawn(carry(client, link.clone(), Arc::clone(&counters)))
            }
            Err(error) => {
                tracing::warn!(
                    code = "stack.fault_proxy_accept_failed", %error,
                    "The fault proxy could not accept a connection."
                );
                continue;
            }
        };
    }
}

/// Carries one connection until one end closes it or the link is cut.
async fn carry(mut client: TcpStream, link: watch::Sender<LinkState>, counters: Arc<Counters>) {
    let mut watched = link.subscribe();
    let LinkState { accepts, cuts, .. } = *watched.borrow_and_update();
    let closed_in_order = accepts
        && tokio::select! {
            carried = forward(&mut client, &link, &counters) => carried.is_ok(),
            _ = watched.wait_for(|link| link.cuts != cuts) => false,
        };
    if !closed_in_order && let Err(error) = client.set_zero_linger() {
        tracing::debug!(%error, "The client has closed the connection already.");
    }
}

async fn forward(
    client: &mut TcpStream,
    link: &watch::Sender<LinkState>,
    counters: &Counters,
) -> io::Result<()> {
    let target = wait_until_open(&mut link.subscribe(), Direction::Up)
        .await?
        .target;
    let mut server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(
        copy(from_client, to_server, Direction::Up, link, counters),
        copy(from_server, to_client, Direction::Down, link, counters),
    )?;
    Ok(())
}

async fn copy(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    direction: Direction,
    link: &watch::Sender<LinkState>,
    counters: &Counters,
) -> io::Result<()> {
    let (sender, mut in_flight) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let read = async move {
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let length = from.read(&mut chunk).await?;
            chunk.truncate(length);
            // A timer rounds up to whole milliseconds, even from none.
            let delay = Some(link.borrow().delay).filter(|delay| !delay.is_zero());
            let delay = delay.map(tokio::time::sleep);
            if sender.send((delay, chunk)).await.is_err() || length == 0 {
                return Ok::<_, io::Error>(());
            }
        }
    };
    let write = async {
        let mut watched = link.subscribe();
        while let Some((delay, chunk)) = in_flight.recv().await {
            if let Some(delay) = delay {
                delay.await;
            }
            wait_until_open(&mut watched, direction).await?;
            if chunk.is_empty() {
                break;
            }
            if matches!(direction, Direction::Down) && drop_response(link) {
                return Err(io::Error::other("a response was dropped"));
            }
            to.write_all(&chunk).await?;
            let bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            counters.of(direction).fetch_add(bytes, Ordering::Relaxed);
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write)?;
    Ok(())
}

/// Waits until the link lets this direction through.
async fn wait_until_open(
    watched: &mut watch::Receiver<LinkState>,
    direction: Direction,
) -> io::Result<LinkState> {
    let link = watched.wait_for(|link| link.passes(direction)).await;
    link.map(|link| *link).map_err(io::Error::other)
}

fn drop_response(link: &watch::Sender<LinkState>) -> bool {
    link.send_if_modified(|link| {
        let armed = link.to_drop > 0;
        if armed {
            link.to_drop -= 1;
            link.dropped += 1;
        }
        armed
    })
}
