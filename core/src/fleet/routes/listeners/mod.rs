//! Fleet's own listeners: nodes' first contact over TLS, and the broker's questions.

mod broker;
pub(in crate::fleet) mod enrolment;
mod tls;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::fleet::model::authority::AuthorityError;
use crate::http::{self, DoubleRoute};

/// Why a listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken or not ours.
    #[error("{0}: {1}")]
    Bind(&'static str, std::io::Error),
    /// The listener's own certificate could not be made.
    #[error("fleet.enrolment_listen: {0}")]
    Certificate(String),
    /// A fault of the program.
    #[error(transparent)]
    Routes(#[from] DoubleRoute),
}

impl From<AuthorityError> for ListenError {
    fn from(error: AuthorityError) -> Self {
        Self::Certificate(error.to_string())
    }
}

/// Opens the listeners that the configuration names; they are served by the futures until `stop`.
///
/// # Errors
/// [`ListenError`].
pub async fn listen(
    app: &App,
    stop: &CancellationToken,
) -> Result<Vec<BoxFuture<'static, ()>>, ListenError> {
    let mut serving = Vec::new();
    if let Some(address) = app.config.fleet.enrolment_listen() {
        serving.push(enrolment::open(app, address, stop.clone()).await?);
    }
    if let Some(address) = app.config.fleet.broker_auth_listen() {
        let failed = |error| ListenError::Bind("fleet.broker_auth_listen", error);
        let server = http::bind(address).await.map_err(failed)?;
        let _set_once = app.fleet.broker_auth_address.set(server.address);
        tracing::info!(address = %server.address, "answering the broker's questions");
        let (router, stop) = (broker::router(app), stop.clone());
        let grace = app.config.process.stop_grace();
        let limits = (app.config.http.clone(), app.clock.clone());
        let running = async move {
            server.run(router, limits, stop, grace).await;
        };
        serving.push(running.boxed());
    }
    Ok(serving)
}
