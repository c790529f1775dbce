//! Pages of other origins: only those in the settings may call the API from a browser. Tokens travel in
//! `Authorization`, so no cookie is at stake, and none is allowed.

use std::time::Duration;

use axum::http::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, LOCATION, RETRY_AFTER,
};
use axum::http::{HeaderValue, Method, Uri};
use tower_http::cors::CorsLayer;

/// How long a browser may keep the answer.
const MAX_AGE: Duration = Duration::from_secs(600);

/// None: no page may, and nothing is answered about it.
pub(super) fn layer(origins: &[String]) -> Option<CorsLayer> {
    let origins = origins.iter().map(|origin| HeaderValue::from_str(origin));
    let origins: Vec<HeaderValue> = origins.filter_map(Result::ok).collect();
    if origins.is_empty() {
        return None;
    }
    let own = HeaderName::from_static;
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            IF_MATCH,
            IF_NONE_MATCH,
            own("idempotency-key"),
            own("x-correlation-id"),
        ])
        .expose_headers([
            ETAG,
            LOCATION,
            RETRY_AFTER,
            own("idempotency-replayed"),
            own("x-correlation-id"),
        ])
        .max_age(MAX_AGE);
    Some(layer)
}

/// `https://shop.example.org`, as browsers send it: in small letters, without a path.
#[must_use]
pub fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    let scheme = uri.scheme_str().unwrap_or_default();
    let Some(authority) = uri.authority() else {
        return false;
    };
    let is_plain = !authority.as_str().contains('@') && text == text.to_lowercase();
    ["http", "https"].contains(&scheme) && is_plain && text == format!("{scheme}://{authority}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for good in [
            "https://shop.example.org",
            "http://localhost:5173",
            "https://[::1]:8443",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "shop.example.org",
            "https://",
            "https://shop.example.org/",
            "https://shop.example.org/tickets",
            "https://Shop.example.org",
            "https://ada@shop.example.org",
            "ftp://shop.example.org",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
