//! RabbitMQ's HTTP auth backend: forms in, `allow` or `deny` out.
//!
//! The path holds a secret and must not be logged; that is why this isn't one of the core's ordinary
//! routes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use eventify_kernel::db::DbResult;
use eventify_kernel::quotas::Quotas;
use eventify_kernel::telemetry::LogThrottle;
use eventify_protocol::ids::NodeId;
use serde_json::{Value, json};
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

/// Sessions that a node may begin: one whose line flaps begins one a second. Each costs the broker more than all
/// that a node sends in it, and one certificate's in a row delayed the scans of all others.
const LOGINS_PER_SECOND: u32 = 1;
const LOGINS_AT_ONCE: u32 = 30;

/// The core, and what it lets through of what one certificate can cause without end.
#[derive(Clone)]
struct Door {
    app: App,
    limits: Arc<Limits>,
}

struct Limits {
    logins: Quotas<NodeId>,
    /// Alarms about what was denied.
    alarms: Quotas<NodeId>,
    lines: Mutex<LogThrottle>,
}

impl Limits {
    fn new() -> Self {
        Self {
            logins: Quotas::new(LOGINS_PER_SECOND, LOGINS_AT_ONCE),
            alarms: Quotas::new(1, 1),
            lines: Mutex::default(),
        }
    }
}

pub(super) fn router(app: &App) -> Router {
    let door = Door {
        app: app.clone(),
        limits: Arc::new(Limits::new()),
    };
    Router::new()
        .route("/{secret}/broker/{check}", post(answer))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .layer(from_fn_with_state(door.clone(), knows_secret))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            app.config.http.request_timeout().min(REQUEST_TIMEOUT),
        ))
        .with_state(door)
}

/// Before anything of the body is read.
async fn knows_secret(
    State(Door { app, .. }): State<Door>,
    request: Request,
    next: Next,
) -> Response {
    let mut parts = request.uri().path().split('/').skip(1);
    let secret = parts.next().unwrap_or_default();
    let expected = app.state.settings.broker_auth_secret();
    if !bool::from(secret.as_bytes().ct_eq(expected.as_bytes())) {
        return StatusCode::NOT_FOUND.into_response();
    }
    next.run(request).await
}

async fn answer(
    State(door): State<Door>,
    Path((_, check)): Path<(String, Check)>,
    Form(request): Form<AuthRequest>,
) -> Response {
    match door.decide(check, &request).await {
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

impl Door {
    async fn decide(&self, check: Check, request: &AuthRequest) -> DbResult<bool> {
        let app = &self.app;
        let node = match authorise(check, request, &app.config.bus.vhost()) {
            Ok(node) => node,
            Err(denied) => {
                self.denied_client(check, denied);
                if let Ok(node) = request.username.parse() {
                    let details = json!({
                        "reason": denied.to_string(), "permission": request.permission,
                    });
                    self.tell(Code::BrokerRefused, node, details).await?;
                }
                return Ok(false);
            }
        };
        let is_login = check == Check::User;
        if is_login && self.limits.logins.take(node, app.clock.now()).is_err() {
            self.denied_node(node, "too_many_sessions");
            let details = json!({ "reason": "sessions", "perSecond": LOGINS_PER_SECOND });
            self.tell(Code::NodeFloods, node, details).await?;
            return Ok(false);
        }
        let mut conn = app.db.read(NAME).await?;
        let known = nodes::find(&mut conn, node).await?;
        let enrolled = known.is_some_and(|node| node.is_enrolled());
        if !enrolled {
            self.denied_node(node, "not_enrolled");
        }
        Ok(enrolled)
    }

    fn denied_client(&self, check: Check, reason: Denied) {
        if let Some(suppressed) = self.permit_line() {
            tracing::warn!(
                code = "fleet.broker_denied_client",
                ?check,
                %reason,
                suppressed,
                "a client was denied access to the broker"
            );
        }
    }

    fn denied_node(&self, node: NodeId, reason: &'static str) {
        if let Some(suppressed) = self.permit_line() {
            tracing::warn!(
                code = "fleet.broker_denied_node",
                node_id = %node,
                reason,
                suppressed,
                "a node was denied access to the broker"
            );
        }
    }

    fn permit_line(&self) -> Option<u64> {
        let lines = self.limits.lines.lock();
        let mut lines = lines.unwrap_or_else(PoisonError::into_inner);
        lines.permit(self.app.clock.instant())
    }

    /// An alarm about a node that is known; an unknown client is only a line in the log.
    async fn tell(&self, code: Code, node: NodeId, details: Value) -> DbResult<()> {
        let app = &self.app;
        if self.limits.alarms.take(node, app.clock.now()).is_err() {
            return Ok(());
        }
        let mut conn = app.db.read(NAME).await?;
        let Some(node) = nodes::find(&mut conn, node).await? else {
            return Ok(());
        };
        drop(conn);
        let alarm = Alarm::new(code)
            .of_node(node.venue_id, node.node_id)
            .with(details);
        alarms::raise(app, &alarm).await
    }
}
