//! RabbitMQ's HTTP auth backend: forms in, `allow` or `deny` out.
//!
//! The path holds a secret and must not be logged; that is why this isn't one of the core's ordinary
//! routes.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use eventify_kernel::db::DbResult;
use serde_json::json;
use subtle::ConstantTimeEq;
use tower_http::timeout::TimeoutLayer;

use crate::contexts::fleet::acts::alarms;
use crate::contexts::fleet::model::alarm::{Alarm, Code};
use crate::contexts::fleet::model::broker::{AuthRequest, Check, Denied, authorise};
use crate::contexts::fleet::store::nodes;
use crate::contexts::fleet::{App, NAME};

/// A request is a short form.
const MAX_REQUEST_BYTES: usize = 16 * 1024;
/// The broker waits no longer, and neither does a node that connects.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn router(app: &App) -> Router {
    Router::new()
        .route("/{secret}/broker/{check}", post(answer))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .layer(from_fn_with_state(app.clone(), knows_secret))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            app.config.http.request_timeout().min(REQUEST_TIMEOUT),
        ))
        .with_state(app.clone())
}

/// Before anything of the body is read.
async fn knows_secret(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut parts = request.uri().path().split('/').skip(1);
    let secret = parts.next().unwrap_or_default();
    let expected = app.state.settings.broker_auth_secret();
    if !bool::from(secret.as_bytes().ct_eq(expected.as_bytes())) {
        return StatusCode::NOT_FOUND.into_response();
    }
    next.run(request).await
}

async fn answer(
    State(app): State<App>,
    Path((_, check)): Path<(String, Check)>,
    Form(request): Form<AuthRequest>,
) -> Response {
    match decide(&app, check, &request).await {
        Ok(true) => "allow".into_response(),
        Ok(false) => "deny".into_response(),
        Err(error) => {
            // RabbitMQ takes any other answer than `allow` for a denial.
            tracing::error!(
                code = "fleet.broker_auth_failed",
                %error,
                "an authorization request of the broker could not be answered"
            );
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

async fn decide(app: &App, check: Check, request: &AuthRequest) -> DbResult<bool> {
    let node = match authorise(check, request, &app.config.bus.vhost()) {
        Ok(node) => node,
        Err(denied) => {
            report_denial(app, check, request, denied).await?;
            return Ok(false);
        }
    };
    let mut conn = app.db.read(NAME).await?;
    let known = nodes::find(&mut conn, node).await?;
    let enrolled = known.is_some_and(|node| node.is_enrolled());
    if !enrolled {
        tracing::warn!(
            code = "fleet.broker_denied_node",
            node_id = %node,
            "a node that is not enrolled was denied access to the broker"
        );
    }
    Ok(enrolled)
}

/// A known node that requests what isn't its own raises an alarm; an unknown client only a log line.
async fn report_denial(
    app: &App,
    check: Check,
    request: &AuthRequest,
    denied: Denied,
) -> DbResult<()> {
    tracing::warn!(
        code = "fleet.broker_denied_client",
        ?check,
        reason = %denied,
        "a client was denied access to the broker"
    );
    let Ok(node) = request.username.parse() else {
        return Ok(());
    };
    let mut conn = app.db.read(NAME).await?;
    let Some(node) = nodes::find(&mut conn, node).await? else {
        return Ok(());
    };
    drop(conn);
    let details = json!({ "reason": denied.to_string(), "permission": request.permission });
    let alarm = Alarm::new(Code::BrokerRefused)
        .of_node(node.venue_id, node.node_id)
        .with(details);
    alarms::raise(app, &alarm).await
}
