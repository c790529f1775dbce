//! The one error body (blueprint, "Format d'erreur"), for everything that can go wrong.
//!
//! Contexts map their errors to an [`ApiError`] in their `routes.rs`. The body is rendered by the
//! outermost layer, which knows the correlation id and also catches what the framework answers by
//! itself (404, 405, 413, 415, timeouts, panics).

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use eventify_protocol::error::{ErrorBody, ErrorDetail, FieldIssue};
use eventify_protocol::ids::CorrelationId;

use crate::db::DbError;

/// A refusal or fault, as the client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Vec<FieldIssue>,
    retry_after_seconds: Option<u64>,
}

impl ApiError {
    /// Any status, with a stable snake_case code and a sentence without personal data.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            code,
            message,
            details: Vec::new(),
            retry_after_seconds: None,
        }
    }

    /// 400 `validation_error` for one field.
    pub fn invalid(field: impl Into<String>, issue: impl Into<String>) -> Self {
        let (field, issue) = (field.into(), issue.into());
        Self::validation(format!("'{field}': {issue}")).field(field, issue)
    }

    /// The same where nothing is known of what is taken.
    pub(super) fn malformed(field: &str, issue: &str) -> Self {
        Self::validation(format!("'{field}' is {issue}")).field(field, issue)
    }

    /// 400 `validation_error` in a sentence of its own.
    pub(super) fn validation(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "validation_error", message)
    }

    /// 401 `unauthenticated`.
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
    }

    /// 403 `forbidden`.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 404 `<what>_not_found`, as `ApiError::not_found("order_not_found", ..)`.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 409 with a code.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 410 with a code.
    pub fn gone(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, code, message)
    }

    /// 422 with a code: well-formed, but a business rule forbids it.
    pub fn unprocessable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// 503 `busy`: the share of this kind of request is in use.
    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).retry_after(1)
    }

    /// 503 `unavailable`: a part that this needs doesn't answer.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).retry_after(1)
    }

    /// 500 `internal_error`; the reason is logged, not shown.
    pub fn internal(reason: impl std::fmt::Display) -> Self {
        tracing::error!(code = "http.internal_error", error = %reason, "a request failed inside");
        Self::of_status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Adds a field to the details.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, issue: impl Into<String>) -> Self {
        self.details.push(FieldIssue {
            field: field.into(),
            issue: issue.into(),
        });
        self
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What the framework means by a bare status.
    fn of_status(status: StatusCode) -> Self {
        let (code, message) = match status.as_u16() {
            400 => ("validation_error", "the request can't be read"),
            401 => ("unauthenticated", "sign in first"),
            403 => ("forbidden", "this is not allowed"),
            404 => ("not_found", "there is nothing at this address"),
            405 => (
                "method_not_allowed",
                "this address doesn't take this method",
            ),
            408 | 503 => ("unavailable", "the request took too long; try again"),
            413 => ("payload_too_large", "the request body is too large"),
            415 => ("unsupported_media_type", "send application/json"),
            429 => ("rate_limited", "too many requests"),
            _ if status.is_client_error() => ("request_refused", "the request was refused"),
            _ => (
                "internal_error",
                "something went wrong here; the correlation id finds it",
            ),
        };
        Self::new(status, code, message)
    }

    fn render(self, correlation: CorrelationId) -> Response {
        let body = ErrorBody {
            error: ErrorDetail {
                code: self.code.to_owned(),
                message: self.message,
                details: self.details,
                correlation_id: correlation,
            },
        };
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(Body::from(json));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Bare: the outer layer renders the body.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        if error.is_busy() {
            if !error.is_crowded() {
                tracing::warn!(code = "http.database_busy", %error,
                    "a request got no database connection");
            }
            return Self::busy("too much is asked at this moment; try again in a second");
        }
        if error.is_transient() {
            tracing::warn!(code = "http.no_database", %error, "a request found no database");
            return Self::unavailable("the database doesn't answer; try again");
        }
        Self::internal(error)
    }
}

/// Gives every error response the one body; the others pass.
pub(super) fn finish(response: Response, correlation: CorrelationId) -> Response {
    let status = response.status();
    if let Some(error) = response.extensions().get::<ApiError>() {
        let mut rendered = error.clone().render(correlation);
        for (name, value) in response.headers() {
            if name != "content-length" && name != CONTENT_TYPE {
                rendered.headers_mut().entry(name).or_insert(value.clone());
            }
        }
        return rendered;
    }
    let is_json = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if (status.is_client_error() || status.is_server_error()) && !is_json {
        let mut rendered = ApiError::of_status(status).render(correlation);
        if let Some(allow) = response.headers().get("allow") {
            rendered.headers_mut().insert("allow", allow.clone());
        }
        return rendered;
    }
    response
}
