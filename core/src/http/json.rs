//! Extractors that refuse with the one error body.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ApiError;

/// A JSON body, in and out.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// Query parameters.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

/// Path parameters.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(refuse(&rejection)),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection| refuse_text("query", &rejection.body_text()))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Path::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection| refuse_text("path", &rejection.body_text()))
    }
}

fn refuse(rejection: &JsonRejection) -> ApiError {
    match rejection.status() {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "send application/json",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            "the request body is too large",
        ),
        _ => refuse_text("body", &rejection.body_text()),
    }
}

/// Finds the field in serde's sentence. The sentence may quote the value that was sent, which can
/// be personal: only its kind goes on.
fn refuse_text(whole: &str, text: &str) -> ApiError {
    let quoted = |after: &str| {
        let rest = &text[text.find(after)? + after.len()..];
        rest.split('`').next().map(str::to_owned)
    };
    if let Some(field) = quoted("missing field `") {
        return ApiError::new(
            StatusCode::BAD_REQUEST,
            "validation_error",
            format!("field '{field}' is required"),
        )
        .field(field, "required");
    }
    if let Some(field) = quoted("unknown field `") {
        return ApiError::new(
            StatusCode::BAD_REQUEST,
            "validation_error",
            format!("field '{field}' is unknown"),
        )
        .field(field, "unknown");
    }
    // axum puts the JSON path of the misfit in front: "…into the target type: items[0].seatId: …".
    let path = text
        .split_once("target type: ")
        .and_then(|(_, rest)| rest.split_once(": "))
        .map(|(path, _)| path)
        .filter(|path| !path.is_empty() && !path.contains(' '));
    let field = path.unwrap_or(whole);
    let issue = if text.contains("Failed to parse the request body") {
        "malformed"
    } else {
        "invalid"
    };
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "validation_error",
        format!("'{field}' is {issue}"),
    )
    .field(field, issue)
}
