//! Serving a router over TLS. Handshakes run beside each other, each with a time limit, so that a
//! client that never finishes one holds up nobody.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::serve::{IncomingStream, Listener};
use chrono::{DateTime, Utc};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;

use super::ListenError;
use crate::app::App;
use crate::fleet::model::authority::ServerIdentity;

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Handshakes at once; more wait in the kernel's queue.
const MAX_HANDSHAKES: usize = 64;
/// Pause after a failed accept: the process is out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A certificate with the time to make the next.
pub(super) struct Certified {
    pub(super) identity: ServerIdentity,
    pub(super) renew_at: DateTime<Utc>,
}

type Certify = fn(&App) -> Result<Certified, ListenError>;

/// The listener's certificate, renewed while it serves.
pub(super) struct Identity {
    app: App,
    certify: Certify,
    acceptor: TlsAcceptor,
    renew_at: DateTime<Utc>,
}

impl Identity {
    pub(super) fn new(app: App, certify: Certify) -> Result<Self, ListenError> {
        let Certified { identity, renew_at } = certify(&app)?;
        Ok(Self {
            acceptor: acceptor(identity)?,
            renew_at,
            app,
            certify,
        })
    }

    /// What to accept the next connection with.
    fn acceptor(&mut self) -> TlsAcceptor {
        if self.app.clock.now() >= self.renew_at {
            let renewed = (self.certify)(&self.app)
                .and_then(|made| Ok((acceptor(made.identity)?, made.renew_at)));
            match renewed {
                Ok((acceptor, renew_at)) => (self.acceptor, self.renew_at) = (acceptor, renew_at),
                Err(error) => tracing::error!(%error, "the listener keeps its old certificate"),
            }
        }
        self.acceptor.clone()
    }
}

fn acceptor(identity: ServerIdentity) -> Result<TlsAcceptor, ListenError> {
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key.into())
        .map_err(|error| ListenError::Certificate(error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves until `stop`.
pub(super) async fn serve(
    listener: TcpListener,
    identity: Identity,
    router: Router,
    stop: CancellationToken,
) {
    let address = match listener.local_addr() {
        Ok(address) => address,
        Err(error) => {
            tracing::error!(%error, "the listener is gone");
            return;
        }
    };
    let (ready, handshaken) = mpsc::channel(MAX_HANDSHAKES);
    let accepting = tokio::spawn(
        stop.clone()
            .run_until_cancelled_owned(accept(listener, identity, ready)),
    );
    let service = ServiceBuilder::new()
        .map_request(peer_address)
        .service(router);
    let service = axum::ServiceExt::<Request>::into_make_service_with_connect_info::<Peer>(service);
    let serving = axum::serve(
        Handshaken {
            handshaken,
            address,
        },
        service,
    )
    .with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = serving.await {
        tracing::error!(%error, "the TLS listener broke");
    }
    accepting.abort();
}

async fn accept(
    listener: TcpListener,
    mut identity: Identity,
    ready: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let permits = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else {
            return;
        };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, ready) = (identity.acceptor(), ready.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let _stopping = ready.send((stream, peer)).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                Err(_) => tracing::debug!("TLS handshake took too long"),
            }
            drop(permit);
        });
    }
}

/// Connections whose handshake is done.
struct Handshaken {
    handshaken: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Listener for Handshaken {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.handshaken.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Who connected.
#[derive(Clone, Copy, Debug)]
struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, Handshaken>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Handshaken>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Gives the request its peer's address in the form that the core's guard looks for.
fn peer_address(mut request: Request) -> Request {
    if let Some(ConnectInfo(Peer(address))) = request.extensions().get().copied() {
        request.extensions_mut().insert(ConnectInfo(address));
    }
    request
}
