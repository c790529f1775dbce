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
    // Of a path's parameter it names the key first.
    let of_path = quoted("Cannot parse `").filter(|_| whole == "path");
    let field = misfit.map_or_else(|| of_path.as_deref().unwrap_or(whole), |(path, _)| path);
    if let Some(allowed) = allowed {
        return ApiError::invalid(field, format!("must be one of {allowed}"));
    }
    if let Some(issue) = misfit.and_then(|(_, issue)| issue.strip_prefix(SAYS)) {
        let issue = issue
            .rsplit_once(" at line ")
            .map_or(issue, |(issue, _)| issue);
        return ApiError::invalid(field, issue);
    }
    if let Some(wanted) = wanted(text) {
        return ApiError::invalid(field, format!("must be {wanted}"));
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

/// The kind of value that is taken, from what serde and the types' own readers say. Nothing of the text itself
/// goes on: it may hold what was sent.
fn wanted(text: &str) -> Option<&'static str> {
    const AN_ID: &str = "an id, such as 01a22511-fa05-766a-b0c1-f4c4134240d0";
    const A_NUMBER: &str = "a whole number, not too large";
    let expected = text.rsplit_once(", expected ").map_or("", |(_, kind)| kind);
    let kind = expected.split(" at line ").next().unwrap_or_default();
    match kind.trim_end() {
        "a boolean" => return Some("true or false"),
        "a string" => return Some("a text"),
        "a sequence" => return Some("a list"),
        "a formatted UUID string" => return Some(AN_ID),
        "u8" | "u16" | "u32" | "u64" | "i8" | "i16" | "i32" | "i64" => return Some(A_NUMBER),
        _ => {}
    }
    [
        ("UUID parsing failed: ", AN_ID),
        ("provided string was not `true` or `false`", "true or false"),
        ("invalid digit found in string", A_NUMBER),
        ("number too large to fit in target type", A_NUMBER),
    ]
    .into_iter()
    .find_map(|(said, wanted)| text.contains(said).then_some(wanted))
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
        let theirs = of("invalid type: string \"says: Ada Lovelace\", expected a note");
        assert!(
            theirs.contains("'note' is invalid") && !theirs.contains("Ada"),
            "{theirs}"
        );
    }

    #[tokio::test]
    async fn a_value_of_another_kind_is_answered_with_the_kind_that_is_taken() {
        use serde::Deserialize;

        #[derive(Debug, Deserialize)]
        struct Asked {
            #[serde(default)]
            _ended: bool,
            #[serde(default)]
            _page: u32,
            #[serde(default)]
            _id: uuid::Uuid,
        }
        for (asked, wanted) in [
            ("_ended=Ada", "'_ended': must be true or false\""),
            ("_page=Ada", "'_page': must be a whole number"),
            ("_page=-1", "'_page': must be a whole number"),
            ("_page=4294967296", "'_page': must be a whole number"),
            ("_id=Ada", "'_id': must be an id, such as "),
        ] {
            let request = Request::get(format!("/?{asked}")).body(()).unwrap();
            let (mut parts, ()) = request.into_parts();
            let read = Query::<Asked>::from_request_parts(&mut parts, &()).await;
            let said = format!("{:?}", read.unwrap_err());
            assert!(said.contains(wanted) && !said.contains("Ada"), "{said}");
        }
        let body = |found: &str, kind: &str| {
            let text = format!(
                "Failed to deserialize the JSON body into the target type: search: invalid type: \
                 {found}, expected {kind} at line 1 column 9"
            );
            format!("{:?}", refuse_text("body", &text))
        };
        for (found, kind, wanted) in [
            ("string \"Ada\"", "a boolean", "true or false"),
            ("string \", expected u32\"", "a boolean", "true or false"),
            ("integer `1`", "a string", "a text"),
            ("string \"Ada\"", "a sequence", "a list"),
            ("string \"Ada\"", "u32", "a whole number"),
        ] {
            let said = body(found, kind);
            let wanted = format!("'search': must be {wanted}");
            assert!(said.contains(&wanted) && !said.contains("Ada"), "{said}");
        }
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
