//! `ETag` and `If-Match`: an edit needs the version that its author has read (DECISIONS 22, RFC 9110).

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::{ETAG, HeaderName, IF_MATCH};
use axum::http::request::Parts;

use super::ApiError;

/// The request's `If-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(Option<String>);

/// The `ETag` of a version, for a response.
#[must_use]
pub fn etag(version: i32) -> (HeaderName, String) {
    (ETAG, tag(version))
}

fn tag(version: i32) -> String {
    format!("\"{version}\"")
}

impl IfMatch {
    /// Compares with the version that is about to be edited.
    ///
    /// # Errors
    /// 428 without the header, 412 when the caller has seen another version.
    pub fn must_match(&self, version: i32) -> Result<(), ApiError> {
        let Some(seen) = &self.0 else {
            return Err(ApiError::new(
                StatusCode::PRECONDITION_REQUIRED,
                "precondition_required",
                "send If-Match with the ETag of what you have read",
            ));
        };
        let current = tag(version);
        if seen
            .split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag == current)
        {
            return Ok(());
        }
        Err(Self::stale())
    }

    /// 412: another edit was committed between reading and writing.
    #[must_use]
    pub fn stale() -> ApiError {
        ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            "it was changed in the meantime; read it again",
        )
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let value = parts
            .headers
            .get(IF_MATCH)
            .and_then(|value| value.to_str().ok());
        Ok(Self(value.map(str::to_owned)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(header: Option<&str>) -> u16 {
        let seen = IfMatch(header.map(str::to_owned));
        seen.must_match(7)
            .map_or_else(|error| error.status().as_u16(), |()| 200)
    }

    #[test]
    fn missing_is_428_and_stale_412() {
        assert_eq!(etag(7).1, "\"7\"");
        for (header, answer) in [
            (None, 428),
            (Some("\"6\""), 412),
            (Some("7"), 412),
            (Some("W/\"7\""), 412),
            (Some("\"7\""), 200),
            (Some("\"6\", \"7\""), 200),
            (Some("*"), 200),
        ] {
            assert_eq!(status(header), answer, "{header:?}");
        }
    }
}
