//! Extractors that refuse with the one error body.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ApiError;
use super::misfit::{read_body, read_query, refuse_nul_in_path};

/// A JSON body, in and out.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// Query parameters.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

/// Path parameters.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + JsonSchema + 'static, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| refuse(rejection.status()))?;
        if !is_json {
            return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        read_body(&bytes).map(Self)
    }
}

/// `application/json`, or what is written in it: `application/merge-patch+json; charset=utf-8`.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    let written_in = kind.strip_prefix("application/");
    written_in.is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned + JsonSchema + 'static, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        read_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        refuse_nul_in_path(parts.uri.path())?;
        axum::extract::Path::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection| refuse_part(&rejection.body_text()))
    }
}

/// All parts of paths that are read are ids or numbers. axum names the key first; what was sent follows.
fn refuse_part(text: &str) -> ApiError {
    let key = text
        .split_once("Cannot parse `")
        .and_then(|(_, rest)| rest.split('`').next());
    let key = key.unwrap_or("path");
    if text.contains("UUID parsing failed: ") {
        return ApiError::invalid(
            key,
            "must be an id, such as 01a22511-fa05-766a-b0c1-f4c4134240d0",
        );
    }
    if text.contains("invalid digit found in string") || text.contains("number too ") {
        return ApiError::invalid(key, "must be a whole number, not too large");
    }
    ApiError::malformed(key, "invalid")
}

/// A body that could not be read whole, or is of another kind.
pub(super) fn refuse(status: StatusCode) -> ApiError {
    match status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ApiError::new(status, "unsupported_media_type", "send application/json")
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(status, "payload_too_large", "the request body is too large")
        }
        _ => ApiError::malformed("body", "malformed"),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn json_is_known_by_its_media_type() {
        for (kind, is) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/merge-patch+json", true),
            ("text/json", false),
            ("application/x-www-form-urlencoded", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
            assert_eq!(is_json(&headers), is, "{kind}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }

    /// By axum itself: the words are its own.
    #[tokio::test]
    async fn a_wrong_part_of_a_path_is_named() {
        use axum::routing::get;
        use tower::ServiceExt as _;

        async fn one(Path(_): Path<uuid::Uuid>) {}
        async fn two(Path(_): Path<(uuid::Uuid, uuid::Uuid)>) {}
        let routes = axum::Router::new()
            .route("/nodes/{nodeId}", get(one))
            .route("/nodes/{nodeId}/scanners/{scannerId}", get(two));
        let id = uuid::Uuid::nil();
        for (path, key) in [
            ("/nodes/Ada".to_owned(), "nodeId"),
            (format!("/nodes/{id}/scanners/Ada"), "scannerId"),
            (format!("/nodes/Ada/scanners/{id}"), "nodeId"),
        ] {
            let request = Request::get(&path).body(Body::empty()).unwrap();
            let answer = routes.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
            let said = format!("{:?}", answer.extensions().get::<ApiError>().unwrap());
            let wanted = format!("'{key}': must be an id, such as ");
            assert!(said.contains(&wanted) && !said.contains("Ada"), "{said}");
        }
    }
}
