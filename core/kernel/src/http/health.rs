//! `GET /health/live` and `GET /health/ready`.

use serde::Serialize;

use super::{ApiError, Json, Policy, Routes};
use crate::app::App;

/// The probes.
#[must_use]
pub fn routes() -> Routes {
    let probe = Policy::public().unlimited();
    Routes::new()
        .get("/health/live", probe, live)
        .get("/health/ready", probe, ready)
}

#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
}

/// The process answers.
async fn live() -> Json<Health> {
    Json(Health { status: "live" })
}

/// Database and broker answer.
async fn ready(
    axum::extract::State(app): axum::extract::State<App>,
) -> Result<Json<Health>, ApiError> {
    app.db.ping().await.map_err(|error| {
        tracing::warn!(code = "http.not_ready", %error, "the database does not answer");
        ApiError::unavailable("the database doesn't answer")
    })?;
    if !app.bus.is_connected().await {
        return Err(ApiError::unavailable("the broker doesn't answer"));
    }
    Ok(Json(Health { status: "ready" }))
}
