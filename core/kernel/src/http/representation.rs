//! What public reads answer: bytes that are made once, compressed, and not sent again to who has them.

use std::io::Write as _;

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::ApiError;

/// A smaller body is not worth its compression.
const COMPRESSED_FROM: usize = 1_024;
/// Bytes of the hash in an `ETag`.
const TAG_BYTES: usize = 12;

/// JSON, ready to be sent any number of times. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Representation {
    plain: Bytes,
    gzip: Option<Bytes>,
    tag: HeaderValue,
}

/// The value can't be written: the code is wrong, or the memory full.
#[derive(Debug, thiserror::Error)]
#[error("an answer can't be written: {0}")]
pub struct Unwritable(Box<dyn std::error::Error + Send + Sync>);

impl From<Unwritable> for ApiError {
    fn from(error: Unwritable) -> Self {
        Self::internal(error)
    }
}

/// What the client can read and already has (RFC 9110, 12.5.3 and 13.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditional {
    takes_gzip: bool,
    has: Vec<String>,
}

impl Representation {
    /// Takes time with large bodies: those belong on a thread where nobody waits.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub fn json(value: &impl Serialize) -> Result<Self, Unwritable> {
        let plain = serde_json::to_vec(value).map_err(|error| Unwritable(error.into()))?;
        let hash = hex(&Sha256::digest(&plain)[..TAG_BYTES]);
        // Weak: the same content in two encodings has one tag.
        let tag = HeaderValue::from_str(&format!("W/\"{hash}\""));
        let gzip = (plain.len() >= COMPRESSED_FROM).then(|| compress(&plain));
        Ok(Self {
            plain: plain.into(),
            gzip: gzip.transpose().map_err(|error| Unwritable(error.into()))?,
            tag: tag.map_err(|error| Unwritable(error.into()))?,
        })
    }

    /// Memory that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.plain.len() + self.gzip.as_ref().map_or(0, Bytes::len)
    }

    /// 200 with the body, or 304.
    #[must_use]
    pub fn answer(&self, to: &Conditional) -> Response {
        let has = self.tag.to_str().is_ok_and(|tag| to.has(tag));
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(ETAG, self.tag.clone());
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        // Kept, and asked about each time.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if has {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = match &self.gzip {
            Some(gzip) if to.takes_gzip => {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                gzip.clone()
            }
            Some(_) | None => self.plain.clone(),
        };
        *response.body_mut() = Body::from(body);
        response
    }
}

fn compress(plain: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain)?;
    Ok(encoder.finish()?.into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Conditional {
    fn of(headers: &HeaderMap) -> Self {
        let items = |name| {
            let lines = headers.get_all(name).into_iter();
            lines
                .filter_map(|value: &HeaderValue| value.to_str().ok())
                .flat_map(|line| line.split(','))
                .map(str::trim)
        };
        Self {
            takes_gzip: items(ACCEPT_ENCODING).any(takes_gzip),
            has: items(IF_NONE_MATCH).map(str::to_owned).collect(),
        }
    }

    /// Weak comparison.
    fn has(&self, tag: &str) -> bool {
        let opaque = |tag: &str| tag.trim_start_matches("W/").to_owned();
        let mut tags = self.has.iter();
        tags.any(|has| has == "*" || opaque(has) == opaque(tag))
    }
}

/// `gzip`, `x-gzip;q=0.5`, `*`; not `gzip;q=0`.
fn takes_gzip(item: &str) -> bool {
    let mut parts = item.split(';').map(str::trim);
    let coding = parts.next().unwrap_or_default();
    let refused = parts.any(|part| {
        let weight = part.strip_prefix("q=").map(str::parse::<f32>);
        weight.is_some_and(|weight| weight.is_ok_and(|weight| weight <= 0.0))
    });
    ["gzip", "x-gzip", "*"].contains(&coding.to_ascii_lowercase().as_str()) && !refused
}

impl<S: Sync> FromRequestParts<S> for Conditional {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: axum::http::HeaderName, value: &str) -> Conditional {
        let value = HeaderValue::from_str(value).unwrap();
        Conditional::of(&HeaderMap::from_iter([(name, value)]))
    }

    #[test]
    fn who_has_it_is_not_sent_it_again() {
        let map = Representation::json(&vec!["A-1"; 1_000]).unwrap();
        let tag = map.tag.to_str().unwrap().to_owned();
        let strong = tag.trim_start_matches("W/").to_owned();
        for (has, status) in [
            (tag.clone(), 304),
            (strong, 304),
            (format!("\"old\", {tag}"), 304),
            ("*".to_owned(), 304),
            ("\"old\"".to_owned(), 200),
        ] {
            let answer = map.answer(&asked(IF_NONE_MATCH, &has));
            assert_eq!(answer.status().as_u16(), status, "{has}");
            assert_eq!(answer.headers()[ETAG], tag.as_str());
        }
        let other = Representation::json(&vec!["A-2"; 1_000]).unwrap();
        assert_ne!(other.tag, map.tag);
    }

    #[test]
    fn it_is_compressed_for_who_can_read_that() {
        let (large, small) = (
            Representation::json(&vec!["A-1"; 1_000]).unwrap(),
            Representation::json(&["A-1"]).unwrap(),
        );
        assert!(large.bytes() < 7_000, "{}", large.bytes());
        for (accepted, compressed) in [
            ("gzip", true),
            ("br, gzip;q=0.8", true),
            ("*", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
        ] {
            let to = asked(ACCEPT_ENCODING, accepted);
            let encoding =
                |it: &Representation| it.answer(&to).headers().get(CONTENT_ENCODING).cloned();
            assert_eq!(encoding(&large).is_some(), compressed, "{accepted}");
            assert_eq!(encoding(&small), None);
        }
    }
}
