//! A TCP proxy that does to a line what cables, firewalls and radio do.
//!
//! ```text
//! client ── up ──▶ proxy ── up ──▶ target
//! client ◀─ down ─ proxy ◀─ down ─ target
//! ```
//!
//! A line is either *cut* (both ends notice: connections are reset, new ones too) or *black-holed*
//! (nobody notices: bytes stand still). A black hole keeps what TCP would keep: bytes sent while it is
//! open arrive after [`FaultProxy::heal`], unless the line is cut in between. An answer that is lost
//! for good ends its connection, as no TCP connection survives a missing byte.

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

use crate::error::{During, Result};

const CHUNK_BYTES: usize = 16 * 1024;
/// Chunks in flight a direction; beyond this the sender feels TCP's own back pressure.
const CHUNKS_IN_FLIGHT: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Line {
    target: SocketAddr,
    /// New connections are reset while this is false.
    accepts: bool,
    up_passes: bool,
    down_passes: bool,
    delay: Duration,
    /// Counts up with each cut; a connection ends when it is no longer the one that it began with.
    cuts: u64,
    /// Answers still to be swallowed, and those already gone.
    to_swallow: usize,
    swallowed: usize,
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Up,
    Down,
}

impl Line {
    fn passes(&self, way: Way) -> bool {
        match way {
            Way::Up => self.up_passes,
            Way::Down => self.down_passes,
        }
    }
}

/// Bytes that have reached the other end, of all connections since the proxy started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
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
    fn of(&self, way: Way) -> &AtomicU64 {
        match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        }
    }
}

/// A line that can be broken. Dropping it resets its connections and frees its port.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
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
        let line = watch::Sender::new(Line {
            target,
            accepts: true,
            up_passes: true,
            down_passes: true,
            delay: Duration::ZERO,
            cuts: 0,
            to_swallow: 0,
            swallowed: 0,
        });
        let counters = Arc::<Counters>::default();
        let listening = tokio::spawn(listen(listener, line.clone(), Arc::clone(&counters)));
        Ok(Self {
            address,
            line,
            counters,
            listening,
        })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the line has carried, TLS and all.
    #[must_use]
    pub fn carried(&self) -> Carried {
        let count = |way| self.counters.of(way).load(Ordering::Relaxed);
        Carried {
            up: count(Way::Up),
            down: count(Way::Down),
        }
    }

    /// Connections that clients have made since the proxy started.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.counters.connections.load(Ordering::Relaxed)
    }

    /// New connections go to another target from now on (a peer that restarted on another port).
    pub fn retarget(&self, target: SocketAddr) {
        self.line.send_modify(|line| line.target = target);
    }

    /// The cable is pulled and both ends notice: connections are reset, new ones too.
    pub fn cut(&self) {
        self.line.send_modify(|line| {
            line.cuts += 1;
            line.accepts = false;
        });
    }

    /// Connections are reset once; new ones pass.
    pub fn reset_connections(&self) {
        self.line.send_modify(|line| line.cuts += 1);
    }

    /// Nothing passes and nobody is told.
    pub fn black_hole(&self) {
        self.line.send_modify(|line| {
            line.up_passes = false;
            line.down_passes = false;
        });
    }

    /// What clients send stands still; answers pass.
    pub fn hold_up(&self) {
        self.line.send_modify(|line| line.up_passes = false);
    }

    /// Answers stand still; what clients send passes.
    pub fn hold_down(&self) {
        self.line.send_modify(|line| line.down_passes = false);
    }

    /// Everything takes this much longer, each way.
    pub fn delay(&self, delay: Duration) {
        self.line.send_modify(|line| line.delay = delay);
    }

    /// The next `count` answers (reads from the target, on whichever connection) are lost, and each
    /// takes its connection with it. Whatever the target sends counts, also a TLS session ticket or a
    /// ping's answer: arm it when the connection is quiet.
    pub fn swallow_answers(&self, count: usize) {
        self.line.send_modify(|line| line.to_swallow = count);
    }

    /// Waits until `count` answers have been lost since the proxy started.
    pub async fn swallowed(&self, count: usize) {
        let mut line = self.line.subscribe();
        // The sender is ours, so the wait can't end for lack of one.
        let _ = line.wait_for(|line| line.swallowed >= count).await;
    }

    /// The line is as good as new. Connections that were held go on; those that were cut stay dead.
    pub fn heal(&self) {
        self.line.send_modify(|line| {
            line.accepts = true;
            line.up_passes = true;
            line.down_passes = true;
            line.delay = Duration::ZERO;
            line.to_swallow = 0;
        });
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, line: watch::Sender<Line>, counters: Arc<Counters>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((client, _)) => {
                counters.connections.fetch_add(1, Ordering::Relaxed);
                connections.spawn(carry(client, line.clone(), Arc::clone(&counters)))
            }
            Err(error) => {
                tracing::warn!(%error, "the fault proxy could not accept a connection");
                continue;
            }
        };
    }
}

/// Carries one connection until an end closes it or the line is cut.
async fn carry(mut client: TcpStream, line: watch::Sender<Line>, counters: Arc<Counters>) {
    let mut watched = line.subscribe();
    let Line { accepts, cuts, .. } = *watched.borrow_and_update();
    let closed_in_order = accepts
        && tokio::select! {
            carried = forward(&mut client, &line, &counters) => carried.is_ok(),
            _ = watched.wait_for(|line| line.cuts != cuts) => false,
        };
    if !closed_in_order && let Err(error) = client.set_zero_linger() {
        tracing::debug!(%error, "the client is gone already");
    }
}

async fn forward(
    client: &mut TcpStream,
    line: &watch::Sender<Line>,
    counters: &Counters,
) -> io::Result<()> {
    let target = passing(&mut line.subscribe(), Way::Up).await?.target;
    let mut server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(
        flow(from_client, to_server, Way::Up, line, counters),
        flow(from_server, to_client, Way::Down, line, counters),
    )?;
    Ok(())
}

async fn flow(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    way: Way,
    line: &watch::Sender<Line>,
    counters: &Counters,
) -> io::Result<()> {
    let (sender, mut in_flight) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let read = async move {
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let length = from.read(&mut chunk).await?;
            chunk.truncate(length);
            // A timer rounds up to whole milliseconds, even from none.
            let delay = Some(line.borrow().delay).filter(|delay| !delay.is_zero());
            let delay = delay.map(tokio::time::sleep);
            if sender.send((delay, chunk)).await.is_err() || length == 0 {
                return Ok::<_, io::Error>(());
            }
        }
    };
    let write = async {
        let mut watched = line.subscribe();
        while let Some((delay, chunk)) = in_flight.recv().await {
            if let Some(delay) = delay {
                delay.await;
            }
            passing(&mut watched, way).await?;
            if chunk.is_empty() {
                break;
            }
            if matches!(way, Way::Down) && swallow(line) {
                return Err(io::Error::other("an answer was swallowed"));
            }
            to.write_all(&chunk).await?;
            let bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            counters.of(way).fetch_add(bytes, Ordering::Relaxed);
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write)?;
    Ok(())
}

/// Waits until the line lets this way through.
async fn passing(watched: &mut watch::Receiver<Line>, way: Way) -> io::Result<Line> {
    let line = watched.wait_for(|line| line.passes(way)).await;
    line.map(|line| *line).map_err(io::Error::other)
}

fn swallow(line: &watch::Sender<Line>) -> bool {
    line.send_if_modified(|line| {
        let armed = line.to_swallow > 0;
        if armed {
            line.to_swallow -= 1;
            line.swallowed += 1;
        }
        armed
    })
}
