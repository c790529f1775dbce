//! TLS, connections, and how many and how slow they may be.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{Extension, Router};
use eventify_log::LogThrottle;
use eventify_protocol::{lan::IDLE_CONNECTION, time::BootTime};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Layer as _;

use super::{
    Lan, certificate,
    connections::{ConnectionHandle, Refusal},
    routes,
};
use crate::identity::Identity;

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Pause after the system refused a connection: out of files, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Shortest time between two log lines about the same kind of refusal.
const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(1);
/// How long the stop waits for requests under way.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no LAN API.
#[derive(Debug, thiserror::Error)]
pub enum LanError {
    /// The address can't be listened on.
    #[error("listening on {address} for scanners: {error}; is another node running?")]
    Bind {
        /// `lan.listen`
        address: SocketAddr,
        /// From the system.
        error: io::Error,
    },
    /// The LAN key makes no certificate.
    #[error("the LAN certificate: {0}")]
    Certificate(String),
}

/// A listener that has its port.
pub(crate) struct Bound {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    pub(crate) address: SocketAddr,
}

impl Bound {
    pub(crate) async fn new(identity: &Identity, address: SocketAddr) -> Result<Self, LanError> {
        let bind = |error| LanError::Bind { address, error };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let bound = listener.local_addr().map_err(bind)?;
        let config =
            certificate::server_config(identity, address.ip()).map_err(LanError::Certificate)?;
        Ok(Self {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            address: bound,
        })
    }

    /// Serves until `stop`; then finishes what is under way.
    pub(crate) async fn serve(self, lan: Arc<Lan>, stop: CancellationToken) {
        let (clock, connections) = (lan.clock, Arc::clone(&lan.connections));
        let router = routes::router(lan);
        let tasks = TaskTracker::new();
        let mut log = RefusalLog::default();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    log.accept_failed(&error, clock.boottime());
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            match connections.admit(peer.ip()) {
                Ok(handle) => {
                    let connection = Connection {
                        acceptor: self.acceptor.clone(),
                        router: router.clone(),
                        stop: stop.clone(),
                        handle,
                    };
                    tasks.spawn(connection.serve(stream));
                }
                Err(refusal) => log.refused(refusal, peer.ip(), clock.boottime()),
            }
        }
        tasks.close();
        if timeout(DRAIN_TIMEOUT, tasks.wait()).await.is_err() {
            tracing::warn!(
                code = "lan.drain_timed_out",
                "connections were closed before their requests ended"
            );
        }
    }
}

/// Log lines about connections that are not served. Anybody can cause any number of them.
struct RefusalLog {
    full: LogThrottle<BootTime>,
    unauthenticated: LogThrottle<BootTime>,
    accept: LogThrottle<BootTime>,
}

impl Default for RefusalLog {
    fn default() -> Self {
        let throttle = || LogThrottle::every(REFUSAL_LOG_INTERVAL);
        Self {
            full: throttle(),
            unauthenticated: throttle(),
            accept: throttle(),
        }
    }
}

impl RefusalLog {
    fn refused(&mut self, refusal: Refusal, address: IpAddr, now: BootTime) {
        match refusal {
            Refusal::Full => {
                if let Some(suppressed) = self.full.permit(now) {
                    tracing::warn!(
                        code = "lan.connections_full",
                        suppressed,
                        %address,
                        "a connection was refused: all are in use by scanners"
                    );
                }
            }
            Refusal::TooManyUnauthenticated => {
                if let Some(suppressed) = self.unauthenticated.permit(now) {
                    tracing::warn!(
                        code = "lan.unauthenticated_limit",
                        suppressed,
                        %address,
                        "a connection was refused: its address has too many unauthenticated ones"
                    );
                }
            }
        }
    }

    fn accept_failed(&mut self, error: &io::Error, now: BootTime) {
        if let Some(suppressed) = self.accept.permit(now) {
            tracing::warn!(
                code = "lan.accept_failed",
                suppressed,
                %error,
                "the system could not accept a connection"
            );
        }
    }
}

struct Connection {
    acceptor: TlsAcceptor,
    router: Router,
    stop: CancellationToken,
    handle: ConnectionHandle,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // A verdict is one small packet: it must not wait for another one.
        let no_delay = stream.set_nodelay(true);
        let handshake = tokio::select! {
            handshake = timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(stream)) => handshake,
            () = self.handle.closed() => return,
        };
        let tls = match handshake {
            Ok(Ok(tls)) if no_delay.is_ok() => tls,
            Ok(Ok(_)) | Ok(Err(_)) | Err(_) => {
                tracing::debug!("a TLS handshake failed or timed out");
                return;
            }
        };
        let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
        builder
            .http1()
            .timer(TokioTimer::new())
            // From the first byte of a request to the end of its headers, and between two requests.
            .header_read_timeout(IDLE_CONNECTION)
            .max_buf_size(MAX_HEADER_BYTES);
        let service = TowerToHyperService::new(Extension(self.handle.clone()).layer(self.router));
        let connection = builder.serve_connection(TokioIo::new(tls), service);
        tokio::pin!(connection);
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = self.handle.clone().closed_or_late() => {
                tracing::debug!("a connection was closed that is unauthenticated, or of an unpaired scanner");
                return;
            }
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a connection broke");
        }
    }
}
