//! RabbitMQ's HTTP auth backend: forms in, `allow` or `deny` out.
//!
//! The path holds a secret, so nothing here logs it; that is why this isn't one of the core's
//! ordinary routes.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::contexts::fleet::App;
use crate::contexts::fleet::NAME;
use crate::contexts::fleet::api::uplink;
use crate::contexts::fleet::model::alarm::Alarm;
use crate::contexts::fleet::model::broker::{Asked, Denied, Question, authorise};
use crate::contexts::fleet::store::nodes;
use eventify_kernel::db::DbResult;

/// A question is a short form.
const MAX_QUESTION_BYTES: usize = 16 * 1024;

pub(super) fn router(app: &App) -> Router {
    Router::new()
        .route("/{secret}/broker/{question}", post(answer))
        .layer(DefaultBodyLimit::max(MAX_QUESTION_BYTES))
        .with_state(app.clone())
}

async fn answer(
    State(app): State<App>,
    Path((secret, asked)): Path<(String, Asked)>,
    Form(question): Form<Question>,
) -> Response {
    let expected = app.state.settings.broker_auth_secret();
    if !bool::from(secret.as_bytes().ct_eq(expected.as_bytes())) {
        return StatusCode::NOT_FOUND.into_response();
    }
    match decide(&app, asked, &question).await {
        Ok(true) => "allow".into_response(),
        Ok(false) => "deny".into_response(),
        Err(error) => {
            // RabbitMQ takes anything but `allow` for a no.
            tracing::error!(%error, "the broker's question goes unanswered");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

async fn decide(app: &App, asked: Asked, question: &Question) -> DbResult<bool> {
    let node = match authorise(asked, question, &app.config.bus.vhost()) {
        Ok(node) => node,
        Err(denied) => {
            complain(app, asked, question, denied).await?;
            return Ok(false);
        }
    };
    let mut conn = app.db.read(NAME).await?;
    let known = nodes::find(&mut conn, node).await?;
    let enrolled = known.is_some_and(|node| node.is_enrolled());
    if !enrolled {
        tracing::warn!(%node, "the broker was told to refuse a node that is not enrolled");
    }
    Ok(enrolled)
}

/// A node that wants what isn't its own is worth an alarm; a stranger only a log line.
async fn complain(app: &App, asked: Asked, question: &Question, denied: Denied) -> DbResult<()> {
    tracing::warn!(?asked, reason = %denied, "the broker was told to refuse a client");
    let Ok(node) = question.username.parse() else {
        return Ok(());
    };
    let mut conn = app.db.read(NAME).await?;
    let Some(node) = nodes::find(&mut conn, node).await? else {
        return Ok(());
    };
    drop(conn);
    let details = json!({ "reason": denied.to_string(), "permission": question.permission });
    let alarm = Alarm::new("broker_refused")
        .of(node.venue_id, node.node_id)
        .with(details);
    uplink::raise(app, &alarm).await
}
