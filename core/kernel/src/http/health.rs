//! `GET /health/live` and `GET /health/ready`: anybody may ask, as often as they like, so an answer costs
//! nothing. Database and broker are asked once a second at most, whoever asks.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use chrono::TimeDelta;
use futures_util::FutureExt as _;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{ApiError, Json, Policy, Routes, bind, router};
use crate::app::{App, AppWith};
use crate::context::Listening;
use crate::single_flight::SingleFlight;

/// For so long a result is given again.
const GOOD_FOR: TimeDelta = TimeDelta::seconds(1);
/// Longest time for each question; who has not answered by then is out of reach.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// What is known of database and broker, one in each process.
#[derive(Debug)]
pub struct Readiness(SingleFlight<(), Result<(), Fault>>);

/// What does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Database,
    Broker,
}

#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
}

impl Default for Readiness {
    fn default() -> Self {
        Self(SingleFlight::new(GOOD_FOR))
    }
}

/// The probes.
#[must_use]
pub fn routes(readiness: &Arc<Readiness>) -> Routes {
    let probe = Policy::public().unlimited();
    Routes::new()
        .get("/health/live", probe, live)
        .get("/health/ready", probe, ready)
        .capture(readiness)
}

/// Opens the listener for probes alone, if the configuration names one.
///
/// # Errors
/// The address is taken, or not one of this machine.
pub async fn listen(
    app: &App,
    readiness: &Arc<Readiness>,
    stop: CancellationToken,
) -> anyhow::Result<Option<Listening>> {
    let Some(address) = app.config.http.health_listen() else {
        return Ok(None);
    };
    let bound = bind(address).await;
    let server = bound.map_err(|error| anyhow::anyhow!("http.health_listen: {error}"))?;
    let address = server.address;
    tracing::info!(code = "http.health_listening", %address, "the probes are served");
    let router = router(app, [("health", routes(readiness))])?;
    let limits = (app.config.http.clone(), app.clock.clone());
    let grace = app.config.process.stop_grace();
    let serving = async move { server.run(router, limits, stop, grace).await }.boxed();
    Ok(Some(Listening {
        name: "health",
        address,
        serving,
    }))
}

/// The process answers.
async fn live() -> Json<Health> {
    Json(Health { status: "live" })
}

/// Database and broker answer.
async fn ready(State(app): State<AppWith<Readiness>>) -> Result<Json<Health>, ApiError> {
    let Readiness(flights) = &*app.state;
    let begin = || Ok::<_, Infallible>(probe((*app).clone()));
    let Ok(known) = flights.join((), app.clock.now(), begin);
    match known.await {
        Ok(Ok(())) => Ok(Json(Health { status: "ready" })),
        Ok(Err(Fault::Database)) => Err(ApiError::unavailable("the database doesn't answer")),
        Ok(Err(Fault::Broker)) => Err(ApiError::unavailable("the broker doesn't answer")),
        Err(broke) => Err(ApiError::internal(broke)),
    }
}

async fn probe(app: App) -> Result<(), Fault> {
    let database = tokio::time::timeout(PROBE_TIMEOUT, app.db.ping()).await;
    let why = match database {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("no answer in time".to_owned()),
    };
    if let Some(error) = why {
        tracing::warn!(
            code = "http.not_ready",
            error,
            "the database does not answer"
        );
        return Err(Fault::Database);
    }
    match tokio::time::timeout(PROBE_TIMEOUT, app.bus.is_connected()).await {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Fault::Broker),
    }
}
