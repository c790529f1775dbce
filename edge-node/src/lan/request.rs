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
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{task_local, time::timeout};
use tracing::Instrument as _;

use super::{
    Lan,
    error::{ApiError, Refused},
    locked,
    misfit::{self, Misfit},
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
        if let Some(suppressed) = locked(&self.refusals).permit(self.clock.boottime()) {
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

/// A body as its type. What does not fit is named, with what is taken; of what was sent nothing goes on.
pub(super) fn json<T: DeserializeOwned + JsonSchema>(bytes: &[u8]) -> Result<T, ApiError> {
    let sent: Value = serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        malformed(
            "body",
            format!("is no JSON from line {line}, column {column} on"),
        )
    })?;
    // serde would read an object's fields from a list too, by their places.
    let error = match serde_json::from_slice(bytes) {
        Ok(value) if !has_list(&sent) => return Ok(value),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    };
    if let Some(Misfit { field, issue }) = misfit::find::<T>(&sent) {
        return Err(malformed(&field, issue));
    }
    let twice = error.as_deref().and_then(|said| {
        let (name, _) = said.strip_prefix("duplicate field `")?.split_once('`')?;
        Some(malformed(name, "stands there twice".to_owned()))
    });
    Err(twice.unwrap_or_else(|| malformed("body", "is not what this request takes".to_owned())))
}

fn malformed(field: &str, issue: String) -> ApiError {
    ApiError::Malformed {
        field: field.to_owned(),
        issue,
    }
}

/// No request has one.
fn has_list(sent: &Value) -> bool {
    match sent {
        Value::Array(_) => true,
        Value::Object(fields) => fields.values().any(has_list),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
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

#[cfg(test)]
mod tests {
    use eventify_protocol::lan::ScanRequest;

    use super::json;

    #[test]
    fn what_does_not_fit_is_named_with_what_is_taken_and_not_repeated() {
        for (sent, wanted) in [
            ("{", "body: is no JSON from line 1, column 1 on"),
            (
                "[]",
                "body: must be an object with gateId, scanId, token; given: a list",
            ),
            (
                r#"["01a22511-fa05-766a-b0c1-f4c4134240d0","01a22511-fa05-766a-b0c1-f4c4134240d0","EV1:x"]"#,
                "body: must be an object with gateId, scanId, token; given: a list",
            ),
            ("{}", "scanId: is required: an id, such as "),
            (
                r#"{"scanId":"1234"}"#,
                "scanId: must be an id, such as 01a22511-fa05-766a-b0c1-f4c4134240d0; given: a text of 4 \
                 characters",
            ),
            (
                r#"{"token":1234}"#,
                "token: must be a text; given: a number",
            ),
            (
                r#"{"override":1234}"#,
                "override: is unknown; allowed: gateId, scanId, token",
            ),
            (
                r#"{"token":"1234","token":"1234","gateId":"01a22511-fa05-766a-b0c1-f4c4134240d0","scanId":"01a22511-fa05-766a-b0c1-f4c4134240d0"}"#,
                "token: stands there twice",
            ),
        ] {
            let refused = json::<ScanRequest>(sent.as_bytes()).unwrap_err();
            let said = refused.to_string();
            assert!(
                said.contains(wanted) && !said.contains("1234"),
                "{sent}: {said}"
            );
        }
        let long = format!(r#"{{"{}\u202e":1}}"#, "x".repeat(200));
        let said = json::<ScanRequest>(long.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(
            !said.contains(&"x".repeat(65)) && !said.contains('\u{202e}'),
            "{said}"
        );
    }
}
