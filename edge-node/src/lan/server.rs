//! TLS, connections, and how many and how slow they may be.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{Extension, Router};
use eventify_protocol::time::BootTime;
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
    certificate,
    seldom::Seldom,
    stranger::{Connections, Refusal, Stranger},
};
use crate::{clock::Clock, config::LanConfig, identity::Identity};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// From the first byte of a request to the end of its headers, and between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Pause after the system refused a connection: out of files, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long requests under way are waited for at the end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no LAN API.
#[derive(Debug, thiserror::Error)]
pub enum LanError {
    /// The address can't be listened on.
    #[error("listening on {address} for scanners: {error}; is another node running?")]
    Bind {
        /// As configured.
        address: SocketAddr,
        /// Why not.
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
    pub(crate) async fn serve(
        self,
        router: Router,
        config: &LanConfig,
        clock: Clock,
        stop: CancellationToken,
    ) {
        let places = Connections::new(
            config.max_connections,
            config.max_unauthenticated_per_address,
        );
        let connections = TaskTracker::new();
        let mut refusals = Refusals::default();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let stranger = match places.admit(peer.ip()) {
                        Ok(stranger) => stranger,
                        Err(refusal) => {
                            refusals.tell(refusal, peer.ip(), clock.boottime());
                            continue;
                        }
                    };
                    let connection = Connection {
                        acceptor: self.acceptor.clone(),
                        router: router.clone(),
                        stop: stop.clone(),
                        stranger,
                    };
                    connections.spawn(connection.serve(stream));
                }
                Err(error) => {
                    if let Some(unsaid) = refusals.not_taken.say(clock.boottime()) {
                        let code = "accept_failed";
                        tracing::warn!(code, unsaid, %error, "a connection was not taken");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        connections.close();
        if timeout(DRAIN_TIMEOUT, connections.wait()).await.is_err() {
            tracing::warn!(
                code = "lan_drain_timeout",
                "connections were cut at the end"
            );
        }
    }
}

/// What is said of connections that came to nothing: who is refused can come as often as it likes.
#[derive(Default)]
struct Refusals {
    full: Seldom,
    strangers: Seldom,
    not_taken: Seldom,
}

impl Refusals {
    fn tell(&mut self, refusal: Refusal, address: IpAddr, now: BootTime) {
        let (line, code) = match refusal {
            Refusal::Full => (&mut self.full, "too_many_connections"),
            Refusal::TooManyStrangers => (&mut self.strangers, "too_many_strangers"),
        };
        if let Some(unsaid) = line.say(now) {
            tracing::warn!(code, unsaid, %address, "a connection was refused");
        }
    }
}

struct Connection {
    acceptor: TlsAcceptor,
    router: Router,
    stop: CancellationToken,
    stranger: Stranger,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // A verdict is one small packet: it must not wait for another one.
        let quick = stream.set_nodelay(true);
        let handshake = tokio::select! {
            handshake = timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(stream)) => handshake,
            () = self.stranger.is_told_to_go() => return,
        };
        let tls = match handshake {
            Ok(Ok(tls)) if quick.is_ok() => tls,
            Ok(Ok(_)) | Ok(Err(_)) | Err(_) => {
                tracing::debug!(
                    code = "tls_handshake_failed",
                    "a connection came to nothing"
                );
                return;
            }
        };
        let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(MAX_HEADER_BYTES);
        let service = TowerToHyperService::new(Extension(self.stranger.clone()).layer(self.router));
        let connection = builder.serve_connection(TokioIo::new(tls), service);
        tokio::pin!(connection);
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = self.stranger.clone().overstays() => {
                tracing::debug!(code = "stranger_cut", "a connection was not a scanner's");
                return;
            }
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(code = "connection_broken", %error, "a connection broke off");
        }
    }
}
