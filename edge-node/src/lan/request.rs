//! What all requests have in common: a correlation id, and a body within limits.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode},
    middleware::Next,
    response::Response,
};
use eventify_protocol::{ids::CorrelationId, text};
use serde::de::DeserializeOwned;
use serde_json::Value;
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
/// Of a field's place that a refusal repeats.
const MAX_FIELD_CHARS: usize = 64;
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
    if serde_json::from_slice(bytes).is_ok_and(|sent| has_list(&sent)) {
        return Err(ApiError::Malformed {
            field: "body".to_owned(),
            issue: "must be an object with the fields of the request, and no list in it".to_owned(),
        });
    }
    let mut from = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize(&mut from) {
        Ok(value) => match from.end() {
            Ok(()) => Ok(value),
            Err(error) => Err(malformed("body", &error)),
        },
        Err(error) => {
            let path = error.path().to_string();
            let is_whole = !error.inner().is_data() || [".", "?"].contains(&path.as_str());
            let field = if is_whole { "body" } else { &path };
            Err(malformed(field, error.inner()))
        }
    }
}

/// No request has one, and serde would read an object's fields from it, by their places.
fn has_list(sent: &Value) -> bool {
    match sent {
        Value::Array(_) => true,
        Value::Object(fields) => fields.values().any(has_list),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The field and what is taken for it. Nothing of what was sent goes on: it may be a PIN, a code, a guest's name.
fn malformed(field: &str, error: &serde_json::Error) -> ApiError {
    let said = error.to_string();
    let said = said
        .rsplit_once(" at line ")
        .map_or(said.as_str(), |(said, _)| said);
    let expected = said
        .rsplit_once(", expected ")
        .map(|(_, expected)| expected);
    let issue = match expected {
        _ if !error.is_data() => "is no JSON".to_owned(),
        _ if said.starts_with("missing field ") => said.replace('`', "'"),
        Some(allowed) if said.starts_with("unknown field ") => {
            format!("is unknown; allowed: {}", allowed.replace('`', "'"))
        }
        Some(expected) => format!("must be {}", expected.replace('`', "'")),
        None => "is not what this request takes".to_owned(),
    };
    let field = field
        .chars()
        .filter(|it| text::shows(*it))
        .take(MAX_FIELD_CHARS);
    ApiError::Malformed {
        field: field.collect(),
        issue,
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
            ("{", "body: is no JSON"),
            ("[]", "body: must be an object"),
            (
                r#"["01a22511-fa05-766a-b0c1-f4c4134240d0","01a22511-fa05-766a-b0c1-f4c4134240d0","EV1:x"]"#,
                "body: must be an object",
            ),
            ("{}", "body: missing field 'scanId'"),
            (
                r#"{"scanId":"1234"}"#,
                "scanId: is not what this request takes",
            ),
            (r#"{"token":1234}"#, "token: must be a string"),
            (
                r#"{"override":1234}"#,
                "override: is unknown; allowed: one of 'scanId', ",
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
