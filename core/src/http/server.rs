//! The listener and its graceful end.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A bound listener; port 0 has become a real one.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Binds the address.
///
/// # Errors
/// The address is taken or not ours.
pub async fn bind(address: SocketAddr) -> std::io::Result<Server> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok(Server { listener, address })
}

impl Server {
    /// Serves until `stop`, then takes no new connection and lets requests finish for `grace`.
    ///
    /// # Errors
    /// The listener broke.
    pub async fn run(
        self,
        router: Router,
        stop: CancellationToken,
        grace: Duration,
    ) -> std::io::Result<()> {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let signal = stop.clone();
        let serving = axum::serve(self.listener, service)
            .with_graceful_shutdown(async move { signal.cancelled().await })
            .into_future();
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended,
            () = stop.cancelled() => {}
        }
        match tokio::time::timeout(grace, serving).await {
            Ok(ended) => ended,
            Err(_) => {
                tracing::warn!("requests were still running when the grace period ended");
                Ok(())
            }
        }
    }
}
