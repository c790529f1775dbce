//! What all requests have in common: a correlation id, and a body within limits.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use eventify_protocol::ids::CorrelationId;
use serde::de::DeserializeOwned;
use tokio::{task_local, time::timeout};
use tracing::Instrument as _;

use super::error::ApiError;
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
pub(super) async fn correlate(request: Request, next: Next) -> Response {
    let given = request.headers().get(CORRELATION_ID);
    let given = given
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    let id: CorrelationId = given.unwrap_or_else(clock::new_id);
    let span = tracing::info_span!("request", correlation_id = %id);
    let mut response = CORRELATION
        .scope(id, next.run(request))
        .instrument(span)
        .await;
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(CORRELATION_ID, value);
    }
    response
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
