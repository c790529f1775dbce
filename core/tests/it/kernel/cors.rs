//! Pages of other origins.

use reqwest::Method;

use crate::world::{Answer, TestApp, TestOptions, User, send};

const SHOP: &str = "https://shop.example.org";

async fn ask(user: &User<'_>, path: &str, origin: &str) -> Answer {
    let request = user.request(Method::OPTIONS, path);
    let request = request
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "POST")
        .header(
            "Access-Control-Request-Headers",
            "authorization,idempotency-key",
        );
    send(request).await
}

/// Part D 9: a shop on another origin is let in by a setting, and nobody else is.
#[tokio::test(flavor = "multi_thread")]
async fn the_shops_pages_may_call_the_api_and_no_others() {
    let core = TestApp::with(TestOptions {
        config: vec![("http.cors_origins", format!("[\"{SHOP}\"]"))],
        ..TestOptions::default()
    })
    .await;
    let anybody = core.anybody();
    let asked = ask(&anybody, "/reservations", SHOP).await;
    assert_eq!(asked.status, 200);
    assert_eq!(asked.header("access-control-allow-origin"), SHOP);
    assert!(
        asked
            .header("access-control-allow-methods")
            .contains("POST")
    );
    let headers = asked.header("access-control-allow-headers");
    for needed in [
        "authorization",
        "content-type",
        "idempotency-key",
        "if-match",
    ] {
        assert!(headers.contains(needed), "{needed} in {headers}");
    }
    assert_eq!(asked.header("access-control-allow-credentials"), "");

    // What it gets it may read, refusals too.
    for (path, status) in [("/catalog/events", 200), ("/me", 401)] {
        let request = anybody.request(Method::GET, path).header("Origin", SHOP);
        let answer = send(request).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), SHOP);
        assert!(
            answer
                .header("access-control-expose-headers")
                .contains("etag")
        );
        assert_ne!(answer.header("x-correlation-id"), "");
    }
    for other in [
        "https://evil.example.org",
        "http://shop.example.org",
        "null",
    ] {
        let asked = ask(&anybody, "/reservations", other).await;
        assert_eq!(asked.header("access-control-allow-origin"), "", "{other}");
        let request = anybody
            .request(Method::GET, "/catalog/events")
            .header("Origin", other);
        let answer = send(request).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_no_page_of_another_origin_may() {
    let core = TestApp::start().await;
    let asked = ask(&core.anybody(), "/reservations", SHOP).await;
    asked.assert_refused(405, "method_not_allowed");
    assert_eq!(asked.header("access-control-allow-origin"), "");
}
