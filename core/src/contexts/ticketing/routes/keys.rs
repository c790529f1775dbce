//! `/.well-known/eventify/keys`: the public keys that verify tickets, for everybody.

use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use eventify_kernel::http::{Answer, ApiError, Json, Policy, Routes};

use crate::contexts::ticketing::{App, NAME, acts};

const JWKS: &str = "application/jwk-set+json";
/// RFC 9052, section 11.3.
const COSE_KEY_SET: &str = "application/cose-key-set";
/// As some libraries spell it.
const COSE_KEY_SET_CBOR: &str = "application/cose-key-set+cbor";
/// So that a withdrawn key is soon known as such.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=60");

pub(super) fn routes(routes: Routes<App>) -> Routes<App> {
    routes.get("/.well-known/eventify/keys", Policy::public(), key_set)
}

async fn key_set(State(app): State<App>, headers: HeaderMap) -> Answer<Response> {
    let mut conn = app.db.read(NAME).await?;
    let keys = acts::keys::in_force(&app, &mut conn).await?;
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let kind = negotiate(accept.unwrap_or_default()).ok_or_else(|| {
        ApiError::new(
            axum::http::StatusCode::NOT_ACCEPTABLE,
            "not_acceptable",
            format!("the key set comes as {JWKS} or {COSE_KEY_SET}"),
        )
    })?;
    let mut response = if kind == JWKS {
        Json(keys.to_jwks()).into_response()
    } else {
        keys.to_cose_key_set().into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, CACHED);
    headers.insert(VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// The media type that a client prefers (RFC 9110, section 12.5.1); JWKS if it has no preference.
fn negotiate(accept: &str) -> Option<&'static str> {
    let mut best: Option<(&'static str, f32)> = None;
    let ranges = accept
        .split(',')
        .map(str::trim)
        .filter(|range| !range.is_empty());
    let mut any = false;
    for range in ranges {
        any = true;
        let mut parts = range.split(';').map(str::trim);
        let kind = match parts
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            COSE_KEY_SET => COSE_KEY_SET,
            COSE_KEY_SET_CBOR => COSE_KEY_SET_CBOR,
            JWKS | "application/json" | "application/*" | "*/*" => JWKS,
            _ => continue,
        };
        let quality = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
        if quality > 0.0 && best.is_none_or(|(_, highest)| quality > highest) {
            best = Some((kind, quality));
        }
    }
    best.map(|(kind, _)| kind).or((!any).then_some(JWKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_the_media_type_that_they_prefer() {
        for (accept, kind) in [
            ("", Some(JWKS)),
            ("*/*", Some(JWKS)),
            ("application/json", Some(JWKS)),
            ("application/cose-key-set", Some(COSE_KEY_SET)),
            ("application/cose-key-set+cbor", Some(COSE_KEY_SET_CBOR)),
            (
                "application/json;q=0.5, application/cose-key-set;q=0.9",
                Some(COSE_KEY_SET),
            ),
            ("application/cose-key-set;q=0, */*;q=0.1", Some(JWKS)),
            ("text/html", None),
        ] {
            assert_eq!(negotiate(accept), kind, "{accept}");
        }
    }
}
