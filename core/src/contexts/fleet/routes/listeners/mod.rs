//! Fleet's own listeners: enrolment of nodes over TLS, and the broker's authorization requests.

mod broker;
pub(crate) mod enrolment;
mod tls;

use std::sync::Arc;

use eventify_kernel::context::{Listening, OpenListeners};
use eventify_kernel::db::Work;
use eventify_kernel::http::{self, DoubleRoute};
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::contexts::fleet::model::authority::AuthorityError;
use crate::contexts::fleet::{App, State};

/// Why a listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// The address is in use, or not one of this machine.
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

/// Opens the listeners that the configuration names.
pub(crate) fn open(state: &Arc<State>) -> OpenListeners {
    let state = Arc::clone(state);
    Box::new(move |app, stop| {
        let app = app.with(&state);
        async move { Ok(listen(&app, &stop).await?) }.boxed()
    })
}

async fn listen(app: &App, stop: &CancellationToken) -> Result<Vec<Listening>, ListenError> {
    let mut listening = Vec::new();
    if let Some(address) = app.state.settings.enrolment_listen() {
        listening.push(enrolment::open(app, address, stop.clone()).await?);
    }
    if let Some(address) = app.state.settings.broker_auth_listen() {
        let failed = |error| ListenError::Bind("fleet.broker_auth_listen", error);
        let server = http::bind(address).await.map_err(failed)?;
        let address = server.address;
        tracing::info!(
            code = "fleet.broker_auth_listening",
            %address,
            "listening for the broker's authorization requests"
        );
        // Nodes connect and publish with it.
        let gates = app.for_work(Work::Gates).with(&app.state);
        let (router, stop) = (broker::router(&gates), stop.clone());
        let grace = app.config.process.stop_grace();
        let mut config = app.config.http.clone();
        // All of them come from the broker.
        config.max_connections_per_address = config.max_connections;
        let limits = (config, app.clock.clone());
        let serving = async move { server.run(router, limits, stop, grace).await }.boxed();
        listening.push(Listening {
            name: "broker_auth",
            address,
            serving,
        });
    }
    Ok(listening)
}
