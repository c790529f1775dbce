//! Bad input at the core's HTTP API.

use anyhow::Result;
use eventify_stack::{TokenOptions, User};
use reqwest::Method;
use serde_json::json;

use super::{BadRequest, EMAIL, NAME, Refusals};
use crate::{api::Api, clock, scenes::Demo, story::Story};

const JSON: (&str, &str) = ("content-type", "application/json");
/// More than the largest body that the core accepts.
const TOO_LARGE_BYTES: usize = 300 * 1024;
const TOO_LONG_CHARS: usize = 20_000;

pub(super) async fn refuses(story: &mut Story, demo: &Demo, refusals: &mut Refusals) -> Result<()> {
    story.part("at the core's API");
    let customer = demo.world.customer(400).await?.api;
    let organiser = demo.world.organiser().await?;
    for (api, bad) in bodies(&customer, &organiser)
        .into_iter()
        .chain(addresses(&customer))
    {
        refused(story, refusals, api, bad).await?;
    }
    tokens(story, demo, refusals).await?;
    keys(story, refusals, &customer).await
}

async fn refused(
    story: &mut Story,
    refusals: &mut Refusals,
    api: &Api,
    bad: BadRequest<'_>,
) -> Result<()> {
    let key = clock::new_id().to_string();
    let mut headers = bad.headers.to_vec();
    // Idempotency keys have their own checks below.
    if bad.method == Method::POST && !bad.keyless {
        headers.push(("idempotency-key", &key));
    }
    let reply = api
        .send_raw(bad.method, bad.path, &headers, bad.body)
        .await?;
    refusals.by_core(story, bad.what, bad.expected, &reply);
    Ok(())
}

fn post<'a>(what: &'a str, path: &'a str, body: Vec<u8>, expected: &'a str) -> BadRequest<'a> {
    BadRequest {
        what,
        method: Method::POST,
        path,
        headers: &[JSON],
        keyless: false,
        body,
        expected,
    }
}

fn bodies<'a>(customer: &'a Api, organiser: &'a Api) -> Vec<(&'a Api, BadRequest<'a>)> {
    let text = |value: serde_json::Value| value.to_string().into_bytes();
    let carts = "/reservations";
    let invalid = "400 validation_error";
    let broken = format!("{{\"customerId\": \"{NAME} <{EMAIL}>");
    let unknown = text(json!({ "title": "Nuit blanche", "holder": NAME }));
    let kind = text(json!({ "customerId": format!("{NAME} <{EMAIL}>") }));
    let long = text(json!({
        "title": NAME.repeat(TOO_LONG_CHARS / NAME.len()), "description": "", "city": "Lyon",
        "pricing": { "categories": [] },
    }));
    let as_form = BadRequest {
        headers: &[("content-type", "application/x-www-form-urlencoded")],
        ..post(
            "a form instead of JSON",
            carts,
            b"customerId=1".to_vec(),
            "415 unsupported_media_type",
        )
    };
    vec![
        (
            customer,
            post("incomplete JSON", carts, broken.into_bytes(), invalid),
        ),
        (
            customer,
            post("bytes that are not text", carts, vec![0xff; 64], invalid),
        ),
        (
            organiser,
            post("an unknown field", "/events", unknown, invalid),
        ),
        (
            customer,
            post("a field of the wrong type", carts, kind, invalid),
        ),
        (customer, as_form),
        (
            customer,
            post(
                "a body that is too large",
                carts,
                vec![b' '; TOO_LARGE_BYTES],
                "413 payload_too_large",
            ),
        ),
        (
            organiser,
            post("a title that is too long", "/events", long, invalid),
        ),
    ]
}

fn addresses(customer: &Api) -> Vec<(&Api, BadRequest<'_>)> {
    let get = |what, path, expected| BadRequest {
        method: Method::GET,
        headers: &[],
        ..post(what, path, Vec::new(), expected)
    };
    let delete = BadRequest {
        method: Method::DELETE,
        ..get(
            "a method that the path does not have",
            "/orders",
            "405 method_not_allowed",
        )
    };
    let unknown_order = "/orders/00000000-0000-7000-8000-000000000000";
    [
        get("an unknown order", unknown_order, "404 order_not_found"),
        get(
            "an id with a path traversal",
            "/orders/..%2F..%2Fetc%2Fpasswd",
            "400 validation_error",
        ),
        get("an unknown path", "/etc/passwd", "404 not_found"),
        delete,
    ]
    .map(|bad| (customer, bad))
    .into()
}

/// Callers without the right to call.
async fn tokens(story: &mut Story, demo: &Demo, refusals: &mut Refusals) -> Result<()> {
    let api = &demo.world.core.api;
    let oidc = &demo.world.scope.oidc;
    let user = User::new("customer-400").role("CUSTOMER");
    let good = oidc.token(&user).await?;
    let expired = TokenOptions {
        lifetime_seconds: Some(-3_600),
        ..TokenOptions::default()
    };
    let expired = oidc.token_with(&user, &expired).await?;
    let other = TokenOptions {
        audience: Some("another-service".to_owned()),
        ..TokenOptions::default()
    };
    let other = oidc.token_with(&user, &other).await?;
    let me = |what, expected| BadRequest {
        method: Method::GET,
        headers: &[],
        ..post(what, "/me", Vec::new(), expected)
    };
    refused(story, refusals, api, me("no token", "401 unauthenticated")).await?;
    for (what, token) in [
        ("a token that is not a JWT", "nonsense".to_owned()),
        ("an expired token", expired),
        ("a token for another service", other),
        ("a token with changed claims", promoted(&good)),
    ] {
        let api = api.signed_in(token);
        refused(story, refusals, &api, me(what, "401 unauthenticated")).await?;
    }
    let customer = api.signed_in(good);
    let bad = post(
        "a customer who publishes an event",
        "/events",
        b"{}".to_vec(),
        "403 forbidden",
    );
    refused(story, refusals, &customer, bad).await
}

/// The token with claims of an administrator and the old signature.
fn promoted(token: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let parts: Vec<_> = token.split('.').collect();
    let claims = parts
        .get(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = String::from_utf8(claims.unwrap_or_default()).unwrap_or_default();
    let claims = URL_SAFE_NO_PAD.encode(claims.replace("CUSTOMER", "ADMIN"));
    let at = |place: usize| parts.get(place).copied().unwrap_or_default();
    format!("{}.{claims}.{}", at(0), at(2))
}

/// Missing, too long or reused idempotency keys.
async fn keys(story: &mut Story, refusals: &mut Refusals, customer: &Api) -> Result<()> {
    let intent = "/payments/intents";
    let body = |order: u128| {
        json!({ "orderId": uuid::Uuid::from_u128(order) })
            .to_string()
            .into_bytes()
    };
    let missing = BadRequest {
        keyless: true,
        ..post(
            "a payment without an idempotency key",
            intent,
            body(1),
            "400 idempotency_key_required",
        )
    };
    refused(story, refusals, customer, missing).await?;
    let long = "k".repeat(300);
    let headers = [JSON, ("idempotency-key", long.as_str())];
    let bad = BadRequest {
        headers: &headers,
        keyless: true,
        ..post(
            "an idempotency key that is too long",
            intent,
            body(1),
            "400 validation_error",
        )
    };
    refused(story, refusals, customer, bad).await?;
    let me: serde_json::Value = customer.get("/me").await?;
    let cart = |seconds: u32| {
        json!({ "customerId": me["userId"], "expiresInSeconds": seconds })
            .to_string()
            .into_bytes()
    };
    let key = clock::new_id().to_string();
    let headers = [JSON, ("idempotency-key", key.as_str())];
    let first = customer
        .send_raw(Method::POST, "/reservations", &headers, cart(2))
        .await?;
    story.expect(
        "a cart, with an idempotency key",
        201,
        first.status.as_u16(),
    );
    let bad = BadRequest {
        headers: &headers,
        keyless: true,
        ..post(
            "the same idempotency key for another cart",
            "/reservations",
            cart(3),
            "422 idempotency_key_reused",
        )
    };
    refused(story, refusals, customer, bad).await
}
