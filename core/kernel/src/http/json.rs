//! Extractors that refuse with the one error body.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ApiError;
use super::fields::SAYS;

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
        let (parts, body) = request.into_parts();
        let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), state)
            .await
            .map_err(|rejection| refuse(rejection.status(), &rejection.body_text()))?;
        if has_nul(&bytes) {
            return Err(ApiError::invalid("body", "must not have U+0000 in a text"));
        }
        let request = Request::from_parts(parts, Body::from(bytes));
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(refuse(rejection.status(), &rejection.body_text())),
        }
    }
}

/// U+0000 in a JSON text can only be written as an escape; PostgreSQL has no place for it.
fn has_nul(json: &[u8]) -> bool {
    const ESCAPE: &[u8] = br"\u0000";
    json.windows(ESCAPE.len())
        .enumerate()
        .filter(|(_, window)| *window == ESCAPE)
        .any(|(at, _)| {
            let before = json[..at].iter().rev();
            before.take_while(|byte| **byte == b'\\').count() % 2 == 0
        })
}

/// The same in a URI.
fn refuse_nul(field: &'static str, encoded: &str) -> Result<(), ApiError> {
    if encoded.contains("%00") {
        return Err(ApiError::invalid(field, "must not have U+0000"));
    }
    Ok(())
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        refuse_nul("query", parts.uri.query().unwrap_or_default())?;
        axum::extract::Query::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection| refuse_text("query", &rejection.body_text()))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        refuse_nul("path", parts.uri.path())?;
        axum::extract::Path::<T>::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection| refuse_text("path", &rejection.body_text()))
    }
}

pub(super) fn refuse(status: StatusCode, text: &str) -> ApiError {
    match status {
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
        _ => refuse_text("body", text),
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
        let allowed = allowed_words(text, "unknown field `").unwrap_or_else(|| "none".to_owned());
        return ApiError::new(
            StatusCode::BAD_REQUEST,
            "validation_error",
            format!("field '{field}' is unknown; allowed: {allowed}"),
        )
        .field(field, "unknown");
    }
    if let Some(field) = quoted("duplicate field `") {
        let issue = "stands there twice, perhaps under two names";
        return ApiError::invalid(field, issue);
    }
    let allowed = allowed_words(text, "unknown variant `");
    // axum puts the path of the misfit in front: "…into the target type: items[0].seatId: …".
    let after = text.split_once("target type: ");
    let after = after.or_else(|| text.split_once("query string: "));
    let misfit = after.and_then(|(_, rest)| rest.split_once(": "));
    let misfit = misfit.filter(|(path, _)| !path.is_empty() && !path.contains(' '));
    let field = misfit.map_or(whole, |(path, _)| path);
    if let Some(allowed) = allowed {
        return ApiError::invalid(field, format!("must be one of {allowed}"));
    }
    if let Some(issue) = misfit.and_then(|(_, issue)| issue.strip_prefix(SAYS)) {
        let issue = issue
            .rsplit_once(" at line ")
            .map_or(issue, |(issue, _)| issue);
        return ApiError::invalid(field, issue);
    }
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

/// What is taken instead, from serde's "unknown variant `x`, expected one of `a`, `b`", which it says of
/// fields too.
fn allowed_words(text: &str, unknown: &str) -> Option<String> {
    // The word that was sent stands between the first two backquotes, whatever it contains is cut
    // off with it: the list comes last.
    let (before, list) = text.rsplit_once("`, expected ")?;
    if !before.contains(unknown) {
        return None;
    }
    let words: Vec<_> = list.split('`').skip(1).step_by(2).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_not_taken_is_answered_with_those_that_are() {
        let of = |sent: &str| {
            let text = format!(
                "Failed to deserialize the JSON body into the target type: reason: unknown variant \
                 `{sent}`, expected one of `refund`, `fraud` at line 1 column 14"
            );
            refuse_text("body", &text)
        };
        for sent in ["storm", "`, expected `x", ""] {
            let refused = of(sent);
            let said = format!("{refused:?}");
            assert!(said.contains("must be one of refund, fraud"), "{said}");
            assert!(said.contains("'reason'"), "{said}");
            assert!(!said.contains("storm"), "{said}");
        }
    }

    #[test]
    fn a_field_that_does_not_exist_is_answered_with_those_that_do() {
        for (sent, listed) in [
            ("expected `note`", "note"),
            ("expected `ticketIds` or `note`", "ticketIds, note"),
            ("expected one of `a`, `b`, `c`", "a, b, c"),
            ("there are no fields", "none"),
        ] {
            let text = format!(
                "Failed to deserialize the JSON body into the target type: words: unknown field \
                 `words`, {sent} at line 1 column 8"
            );
            let said = format!("{:?}", refuse_text("body", &text));
            let wanted = format!("field 'words' is unknown; allowed: {listed}\"");
            assert!(said.contains(&wanted), "{said}");
        }
    }

    /// What our own types say goes on; what serde says may hold what was sent.
    #[test]
    fn only_our_own_words_about_a_value_go_on() {
        let of = |issue: &str| {
            let text = format!(
                "Failed to deserialize the JSON body into the target type: note: {issue} at line 1 \
                 column 9"
            );
            format!("{:?}", refuse_text("body", &text))
        };
        let ours = of("says: at most 500 characters");
        assert!(ours.contains("'note': at most 500 characters\""), "{ours}");
        let theirs = of("invalid type: string \"says: Ada Lovelace\", expected u32");
        assert!(
            theirs.contains("'note' is invalid") && !theirs.contains("Ada"),
            "{theirs}"
        );
    }

    #[test]
    fn a_nul_is_seen_and_an_escaped_backslash_before_it_is_none() {
        assert!(has_nul(br#"{"seatId":"D-9\u0000"}"#));
        assert!(
            has_nul(br#"{"seatId":"\\\u0000"}"#),
            "a backslash, then NUL"
        );
        assert!(
            !has_nul(br#"{"seatId":"\\u0000"}"#),
            "a backslash, then letters"
        );
        assert!(!has_nul(br#"{"seatId":"\u0001"}"#));
    }
}
