//! Who a caller is: tokens, the internal id, `GET /me`; and what the HTTP server does for every
//! route.

mod issuers;
mod keys;

use crate::world::{TestApp, send};
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_keeps_the_internal_id_of_the_first_request() {
    let core = TestApp::start().await;
    let ada = core
        .user("ada")
        .role("CUSTOMER")
        .role("SOMETHING_ELSE")
        .scope("order.write");
    let me = ada.get("/me").await.expect(200);
    assert_eq!(me["roles"], json!(["CUSTOMER"]));
    assert_eq!(
        me["scopes"],
        json!(["order:write"]),
        "both spellings mean the same"
    );
    assert_eq!(ada.id().await, core.user("ada").id().await);
    assert_ne!(ada.id().await, core.user("grace").id().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_good_token_signs_in() {
    let core = TestApp::start().await;
    let now = core.clock.now().timestamp();
    let answer = core.anybody().get("/me").await;
    answer.assert_refused(401, "unauthenticated");
    for (claim, value) in [
        ("aud", json!("another-service")),
        ("iss", json!("https://elsewhere.example")),
        ("exp", json!(now - 61)),
        ("nbf", json!(now + 120)),
        ("iat", json!(now + 120)),
    ] {
        let answer = core.user("ada").claim(claim, value).get("/me").await;
        assert_eq!(
            (answer.status, answer.code()),
            (401, "unauthenticated"),
            "{claim}"
        );
    }
    let long = "x".repeat(256);
    for (claim, value) in [
        ("sub", json!("")),
        ("sub", json!("a\0da")),
        ("sub", json!(long)),
        ("org_id", json!("\0")),
        ("jti", json!("\0")),
    ] {
        let answer = core.user("ada").claim(claim, value).get("/me").await;
        assert_eq!(
            (answer.status, answer.code()),
            (401, "unauthenticated"),
            "{claim}"
        );
    }
    for (claim, value) in [
        ("exp", json!(now - 30)),
        ("nbf", json!(now + 30)),
        ("aud", json!(["x", "eventify-core"])),
    ] {
        core.user("ada")
            .claim(claim, value)
            .get("/me")
            .await
            .expect(200);
    }
    let forged = core.user("ada").token().unwrap() + "x";
    let answer = send(
        core.anybody()
            .request(Method::GET, "/me")
            .bearer_auth(forged),
    )
    .await;
    assert_eq!(answer.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_has_the_one_body_and_the_callers_correlation_id() {
    let core = TestApp::start().await;
    let correlation = core.clock.new_id().to_string();
    for (method, path, status, code) in [
        (Method::GET, "/nowhere", 404, "not_found"),
        (Method::DELETE, "/me", 405, "method_not_allowed"),
        (Method::GET, "/me", 401, "unauthenticated"),
    ] {
        let request = core.anybody().request(method, path);
        let answer = send(request.header("X-Correlation-Id", &correlation)).await;
        assert_eq!((answer.status, answer.code()), (status, code), "{path}");
        assert_eq!(answer.header("x-correlation-id"), correlation);
        assert_eq!(answer.body["error"]["correlationId"], json!(correlation));
        assert!(answer.body["error"]["details"].is_array());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probes_cover_database_and_broker() {
    let core = TestApp::start().await;
    assert_eq!(
        core.anybody().get("/health/live").await.expect(200),
        json!({"status": "live"})
    );
    assert_eq!(
        core.anybody().get("/health/ready").await.expect(200),
        json!({"status": "ready"})
    );
}
