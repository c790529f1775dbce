//! A listener, plain or with TLS: how many connections it holds and how they are shared
//! ([`super::shares`]), how slow they may be ([`super::paced`]), and its graceful end. Who asks too often is
//! limited by request, see [`super::rate_limit`].

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Layer as _;

use super::paced::Paced;
use super::shares::{Refusal, Share, Shares};
use crate::clock::Clock;
use crate::config::Http;
use crate::telemetry::LogThrottle;

/// Pause after the system refused a connection: out of files, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longest TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the next connection is accepted with: certificates change while a listener serves.
pub type Acceptors = Box<dyn FnMut() -> TlsAcceptor + Send>;

/// A bound listener; port 0 has become a real one.
pub struct Server {
    listener: TcpListener,
    tls: Option<Acceptors>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// Binds the address.
///
/// # Errors
/// The address is taken or not ours.
pub async fn bind(address: SocketAddr) -> std::io::Result<Server> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok(Server {
        listener,
        tls: None,
        address,
    })
}

impl Server {
    /// Serves TLS; each connection gets its acceptor from here.
    #[must_use]
    pub fn with_tls(self, acceptors: Acceptors) -> Self {
        let tls = Some(acceptors);
        Self { tls, ..self }
    }

    /// Serves until `stop`, then takes no new connection and lets requests finish for `grace`.
    pub async fn run(
        mut self,
        router: Router,
        (config, clock): (Http, Clock),
        stop: CancellationToken,
        grace: Duration,
    ) {
        let shares = Shares::new(
            config.max_connections,
            config.max_connections_per_address,
            config.trusted_proxies.clone(),
        );
        let connections = TaskTracker::new();
        let (mut refusals, mut failures) = (Refusals::default(), LogThrottle::default());
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let share = match shares.take(peer.ip()) {
                        Ok(share) => share,
                        Err(refusal) => {
                            refusals.log(refusal, peer.ip(), (&config, &clock));
                            continue;
                        }
                    };
                    let connection = Connection {
                        router: router.clone(),
                        peer,
                        header_timeout: config.header_timeout(),
                        stop: stop.clone(),
                    };
                    let stream = (stream, config.write_timeout(), clock.clone());
                    let acceptor = self.tls.as_mut().map(|acceptors| acceptors());
                    connections.spawn(connection.serve_while(share, stream, acceptor));
                }
                Err(error) => {
                    if let Some(suppressed) = failures.permit(clock.instant()) {
                        tracing::warn!(code = "http.accept_failed", %error, suppressed,
                            "a connection could not be accepted");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        connections.close();
        if tokio::time::timeout(grace, connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                code = "http.stopped_early",
                "requests were still running when the grace period ended"
            );
        }
    }
}

struct Connection {
    router: Router,
    peer: SocketAddr,
    header_timeout: Duration,
    stop: CancellationToken,
}

/// Log lines about refused connections: anybody can have them written.
#[derive(Default)]
struct Refusals {
    of_address: LogThrottle,
    full: LogThrottle,
}

impl Refusals {
    fn log(&mut self, refusal: Refusal, address: IpAddr, (config, clock): (&Http, &Clock)) {
        let now = clock.instant();
        match refusal {
            Refusal::OfAddress => {
                if let Some(suppressed) = self.of_address.permit(now) {
                    let limit = config.max_connections_per_address;
                    tracing::warn!(code = "http.too_many_connections_of_address", %address, limit,
                        suppressed, "a connection was refused: its address has too many open");
                }
            }
            Refusal::Full => {
                if let Some(suppressed) = self.full.permit(now) {
                    let limit = config.max_connections;
                    tracing::warn!(
                        code = "http.too_many_connections",
                        limit,
                        suppressed,
                        "a connection was refused: too many are open"
                    );
                }
            }
        }
    }
}

impl Connection {
    /// Until it ends, or its place is given to somebody else.
    async fn serve_while(
        self,
        share: Share,
        (stream, write_timeout, clock): (TcpStream, Duration, Clock),
        acceptor: Option<TlsAcceptor>,
    ) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection broke off");
            return;
        }
        let stream = Paced::new(stream, write_timeout, clock);
        let taken_away = share.taken_away();
        let served = taken_away.run_until_cancelled(self.serve(stream, acceptor));
        if served.await.is_none() {
            tracing::debug!("a connection was closed for one of another address");
        }
    }

    async fn serve(self, stream: Paced<TcpStream>, acceptor: Option<TlsAcceptor>) {
        let Some(acceptor) = acceptor else {
            return self.serve_http(stream).await;
        };
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => self.serve_http(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn serve_http(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        // HTTP/1 only: to tell the versions apart, the first bytes are waited for without a timeout.
        let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout);
        let service = Extension(ConnectInfo(self.peer)).layer(self.router);
        let connection =
            builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        tokio::pin!(connection);
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a connection broke off");
        }
    }
}
