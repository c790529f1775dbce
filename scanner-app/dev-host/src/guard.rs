//! Who may drive the app: the page that the developer has opened, and no other of their browser.
//!
//! A browser lets each page send requests to this machine. It says whose page it is: `Origin` with everything
//! that could change something, `Sec-Fetch-Site` with everything. A name that a stranger points at this
//! machine (DNS rebinding) stands in `Host`.

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

/// How a browser on this machine names it; a port follows.
const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

pub(crate) async fn only_own_page(request: Request, next: Next) -> Response {
    if is_own_page(request.method(), request.headers()) {
        next.run(request).await
    } else {
        let why = "only the page that was opened on this machine drives the app\n";
        (StatusCode::FORBIDDEN, why).into_response()
    }
}

fn is_own_page(method: &Method, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let Some(host) = text(header::HOST) else {
        return false;
    };
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    let is_own = |origin: &str| origin.strip_prefix("http://") == Some(host);
    // A page's own GET bears no origin.
    let is_same_origin = text(header::ORIGIN).map_or(*method == Method::GET, is_own);
    let site = text(header::HeaderName::from_static("sec-fetch-site"));
    NAMES.contains(&name) && is_same_origin && site.is_none_or(|site| site == "same-origin")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: (&str, &str) = ("origin", "http://127.0.0.1:5273");

    fn passes(
        method: &Method,
        host: &'static str,
        others: &[(&'static str, &'static str)],
    ) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("host", host.parse().expect("a header"));
        for (name, value) in others {
            headers.insert(*name, value.parse().expect("a header"));
        }
        is_own_page(method, &headers)
    }

    #[test]
    fn the_own_page_may() {
        let own = "127.0.0.1:5273";
        let same = ("sec-fetch-site", "same-origin");
        assert!(passes(&Method::POST, own, &[OWN, same]));
        assert!(passes(&Method::POST, own, &[OWN]));
        assert!(passes(&Method::GET, own, &[same]));
        let localhost = ("origin", "http://localhost:5273");
        assert!(passes(&Method::POST, "localhost:5273", &[localhost, same]));
    }

    #[test]
    fn a_page_of_a_stranger_may_not() {
        let own = "127.0.0.1:5273";
        for origin in [
            "http://stranger.example",
            "https://127.0.0.1:5273",
            "http://127.0.0.1:8080",
            "http://127.0.0.1",
            "http://127.0.0.1:5273.stranger.example",
            "null",
            "",
        ] {
            assert!(
                !passes(&Method::POST, own, &[("origin", origin)]),
                "{origin}"
            );
            assert!(
                !passes(&Method::GET, own, &[("origin", origin)]),
                "{origin}"
            );
        }
        for site in ["cross-site", "same-site", "none"] {
            let site = ("sec-fetch-site", site);
            assert!(!passes(&Method::GET, own, &[site]), "{site:?}");
            assert!(!passes(&Method::POST, own, &[OWN, site]), "{site:?}");
        }
        assert!(!passes(&Method::POST, own, &[]), "without an origin");
    }

    #[test]
    fn a_strangers_name_for_this_machine_may_not() {
        for host in [
            "stranger.example:5273",
            "stranger.example",
            "127.0.0.1.stranger.example:5273",
            "",
        ] {
            assert!(!passes(&Method::GET, host, &[]), "{host}");
            let rebound = ("origin", "http://stranger.example:5273");
            assert!(!passes(&Method::POST, host, &[rebound]), "{host}");
        }
    }
}
