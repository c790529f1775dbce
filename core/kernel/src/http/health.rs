//! `GET /health/live`, `/ready` and `/sales`: anybody may ask, as often as they like, so an answer costs
//! nothing. Database, broker and alarms are asked once a second at most, whoever asks.
//!
//! Readiness is of one process: what can't work is to get no requests. That of sales is of the house, for
//! those who watch it: the shop takes orders whose payment or tickets have to wait.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use chrono::TimeDelta;
use futures_util::FutureExt as _;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{ApiError, Json, Policy, Routes, bind, router};
use crate::alarms::{self, Filter, Stops};
use crate::app::{App, AppWith};
use crate::context::Listening;
use crate::single_flight::SingleFlight;

/// For so long a result is given again.
const GOOD_FOR: TimeDelta = TimeDelta::seconds(1);
/// Longest time for each question; who has not answered by then is out of reach.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
const NO_ANSWER: &str = "no answer in time";
/// Most alarms that are named.
const MAX_NAMED: i64 = 20;

/// What is known of database, broker and sales, one in each process.
#[derive(Debug)]
pub struct Readiness {
    servers: SingleFlight<(), Result<(), Fault>>,
    /// The codes of the alarms that stop sales.
    sales: SingleFlight<(), Result<BTreeSet<String>, Fault>>,
}

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
        Self {
            servers: SingleFlight::new(GOOD_FOR),
            sales: SingleFlight::new(GOOD_FOR),
        }
    }
}

/// The probes.
#[must_use]
pub fn routes(readiness: &Arc<Readiness>) -> Routes {
    let probe = Policy::public().unlimited();
    Routes::new()
        .get("/health/live", probe, live)
        .get("/health/ready", probe, ready)
        .get("/health/sales", probe, sales)
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
    let begin = || Ok::<_, Infallible>(probe((*app).clone()));
    let Ok(known) = app.state.servers.join((), app.clock.now(), begin);
    match known.await {
        Ok(Ok(())) => Ok(Json(Health { status: "ready" })),
        Ok(Err(fault)) => Err(fault.into()),
        Err(broke) => Err(ApiError::internal(broke)),
    }
}

/// What is ordered now is paid and has its tickets, as far as the alarms say.
async fn sales(State(app): State<AppWith<Readiness>>) -> Result<Json<Health>, ApiError> {
    let begin = || Ok::<_, Infallible>(what_stops_sales((*app).clone()));
    let Ok(known) = app.state.sales.join((), app.clock.now(), begin);
    match known.await {
        Ok(Ok(stopped)) if stopped.is_empty() => Ok(Json(Health { status: "selling" })),
        Ok(Ok(stopped)) => {
            let codes = stopped.into_iter().collect::<Vec<_>>().join(", ");
            Err(ApiError::unavailable(format!(
                "a sale doesn't come to its end now: {codes}; GET /fleet/alarms says since when, and what to do"
            )))
        }
        Ok(Err(fault)) => Err(fault.into()),
        Err(broke) => Err(ApiError::internal(broke)),
    }
}

async fn what_stops_sales(app: App) -> Result<BTreeSet<String>, Fault> {
    let filter = Filter {
        stops: Some(Stops::Sales),
        states: Some(vec![alarms::State::Open, alarms::State::Acknowledged]),
        ..Filter::default()
    };
    let listed = alarms::list(&app, &filter, (0, MAX_NAMED));
    match tokio::time::timeout(PROBE_TIMEOUT, listed).await {
        Ok(Ok((alarms, _))) => Ok(alarms.into_iter().map(|alarm| alarm.kind).collect()),
        Ok(Err(error)) => Err(database_is_away(&error.to_string())),
        Err(_) => Err(database_is_away(NO_ANSWER)),
    }
}

fn database_is_away(error: &str) -> Fault {
    tracing::warn!(
        code = "http.not_ready",
        error,
        "the database does not answer"
    );
    Fault::Database
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        Self::unavailable(match fault {
            Fault::Database => "the database doesn't answer",
            Fault::Broker => "the broker doesn't answer",
        })
    }
}

async fn probe(app: App) -> Result<(), Fault> {
    let database = tokio::time::timeout(PROBE_TIMEOUT, app.db.ping()).await;
    match database {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(database_is_away(&error.to_string())),
        Err(_) => return Err(database_is_away(NO_ANSWER)),
    }
    match tokio::time::timeout(PROBE_TIMEOUT, app.bus.is_connected()).await {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Fault::Broker),
    }
}
