//! What all requests have in common: a correlation id, and a body within limits.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode},
    middleware::Next,
    response::Response,
};
use eventify_protocol::ids::CorrelationId;
use serde::de::DeserializeOwned;
use tokio::{task_local, time::timeout};
use tracing::Instrument as _;

use super::{
    Lan,
    error::{ApiError, Refused},
    locked,
};
use crate::clock;

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// Largest body: a scan with the longest token fits four times.
pub(super) const MAX_BODY_BYTES: usize = 4 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

task_local! {
    static CORRELATION: CorrelationId;
}

/// The id of the current request.
pub(super) fn correlation() -> CorrelationId {
    CORRELATION
        .try_with(|id| *id)
        .unwrap_or_else(|_| clock::new_id())
}

/// Each request has an id, the client's or a new one, in its log lines and its answer.
pub(super) async fn correlate(
    State(lan): State<Arc<Lan>>,
    request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(CORRELATION_ID);
    let given = given
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    let id: CorrelationId = given.unwrap_or_else(clock::new_id);
    let span = tracing::info_span!("request", correlation_id = %id);
    let mut response = CORRELATION
        .scope(id, next.run(request))
        .instrument(span.clone())
        .await;
    if let Some(Refused(reason)) = response.extensions_mut().remove() {
        span.in_scope(|| lan.log_refusal(reason, response.status()));
    }
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(CORRELATION_ID, value);
    }
    response
}

impl Lan {
    /// Anybody on the LAN can cause any number of them, and the journal is on the same disk. A scanner that
    /// is too fast has a line of its own.
    fn log_refusal(&self, reason: &'static str, status: StatusCode) {
        if status == StatusCode::TOO_MANY_REQUESTS {
            return;
        }
        if let Some(suppressed) = locked(&self.refusals).pass(self.clock.boottime()) {
            tracing::info!(
                code = "lan.request_refused",
                reason,
                status = status.as_u16(),
                suppressed,
                "a request was refused"
            );
        }
    }
}

/// The whole body, if it is small enough and arrives in time.
pub(super) async fn body(body: Body) -> Result<Bytes, ApiError> {
    match timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_BYTES + 1)).await {
        Err(_) => Err(ApiError::BodyTimeout),
        Ok(Ok(bytes)) if bytes.len() <= MAX_BODY_BYTES => Ok(bytes),
        Ok(Ok(_)) => Err(ApiError::BodyTooLarge),
        Ok(Err(error)) if is_length_limit(&error) => Err(ApiError::BodyTooLarge),
        Ok(Err(_)) => Err(ApiError::BodyBroken),
    }
}

pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| ApiError::Malformed(error.to_string()))
}

fn is_length_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.to_string() == "length limit exceeded" {
            return true;
        }
        source = cause.source();
    }
    false
}
