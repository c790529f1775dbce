//! At the core's HTTP API.

use anyhow::Result;
use eventify_stack::{TokenOptions, User};
use reqwest::Method;
use serde_json::json;

use super::{Bad, EMAIL, NAME, Refusals};
use crate::{api::Api, clock, scenes::Play, story::Story};

const JSON: (&str, &str) = ("content-type", "application/json");
/// Over the largest body that the core takes.
const TOO_LARGE_BYTES: usize = 300 * 1024;
const TOO_LONG_CHARS: usize = 20_000;

pub(super) async fn refuses(story: &mut Story, play: &Play, refusals: &mut Refusals) -> Result<()> {
    story.part("at the core's API");
    let customer = play.world.customer(400).await?.api;
    let organiser = play.world.organiser().await?;
    for (api, bad) in bodies(&customer, &organiser)
        .into_iter()
        .chain(addresses(&customer))
    {
        refused(story, refusals, api, bad).await?;
    }
    tokens(story, play, refusals).await?;
    keys(story, refusals, &customer).await
}

async fn refused(
    story: &mut Story,
    refusals: &mut Refusals,
    api: &Api,
    bad: Bad<'_>,
) -> Result<()> {
    let key = clock::new_id().to_string();
    let mut headers = bad.headers.to_vec();
    // The keys themselves are tried further below.
    if bad.method == Method::POST && !bad.keyless {
        headers.push(("idempotency-key", &key));
    }
    let reply = api
        .send_raw(bad.method, bad.path, &headers, bad.body)
        .await?;
    refusals.by_core(story, bad.what, bad.expected, &reply);
    Ok(())
}

fn post<'a>(what: &'a str, path: &'a str, body: Vec<u8>, expected: &'a str) -> Bad<'a> {
    Bad {
        what,
        method: Method::POST,
        path,
        headers: &[JSON],
        keyless: false,
        body,
        expected,
    }
}

fn bodies<'a>(customer: &'a Api, organiser: &'a Api) -> Vec<(&'a Api, Bad<'a>)> {
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
    let as_form = Bad {
        headers: &[("content-type", "application/x-www-form-urlencoded")],
        ..post(
            "a form in place of JSON",
            carts,
            b"customerId=1".to_vec(),
            "415 unsupported_media_type",
        )
    };
    vec![
        (
            customer,
            post("JSON that breaks off", carts, broken.into_bytes(), invalid),
        ),
        (
            customer,
            post("bytes that are no text", carts, vec![0xff; 64], invalid),
        ),
        (
            organiser,
            post("an unknown field", "/events", unknown, invalid),
        ),
        (
            customer,
            post("a field of another type", carts, kind, invalid),
        ),
        (customer, as_form),
        (
            customer,
            post(
                "a body too large",
                carts,
                vec![b' '; TOO_LARGE_BYTES],
                "413 payload_too_large",
            ),
        ),
        (
            organiser,
            post("a title too long", "/events", long, invalid),
        ),
    ]
}

fn addresses(customer: &Api) -> Vec<(&Api, Bad<'_>)> {
    let get = |what, path, expected| Bad {
        method: Method::GET,
        headers: &[],
        ..post(what, path, Vec::new(), expected)
    };
    let delete = Bad {
        method: Method::DELETE,
        ..get(
            "a method that the address lacks",
            "/orders",
            "405 method_not_allowed",
        )
    };
    let nobody = "/orders/00000000-0000-7000-8000-000000000000";
    [
        get("an order that nobody placed", nobody, "404 order_not_found"),
        get(
            "an id that is a way out",
            "/orders/..%2F..%2Fetc%2Fpasswd",
            "400 validation_error",
        ),
        get("an address that is none", "/etc/passwd", "404 not_found"),
        delete,
    ]
    .map(|bad| (customer, bad))
    .into()
}

/// Who asks is not who may.
async fn tokens(story: &mut Story, play: &Play, refusals: &mut Refusals) -> Result<()> {
    let anybody = &play.world.core.api;
    let oidc = &play.world.scope.oidc;
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
    let me = |what, expected| Bad {
        method: Method::GET,
        headers: &[],
        ..post(what, "/me", Vec::new(), expected)
    };
    refused(
        story,
        refusals,
        anybody,
        me("no token", "401 unauthenticated"),
    )
    .await?;
    for (what, token) in [
        ("a token of nonsense", "nonsense".to_owned()),
        ("an expired token", expired),
        ("a token for another service", other),
        ("a token whose claims were changed", promoted(&good)),
    ] {
        let api = anybody.signed_in(token);
        refused(story, refusals, &api, me(what, "401 unauthenticated")).await?;
    }
    let customer = anybody.signed_in(good);
    let bad = post(
        "a customer who publishes",
        "/events",
        b"{}".to_vec(),
        "403 forbidden",
    );
    refused(story, refusals, &customer, bad).await
}

/// The same signature under claims that make somebody an administrator.
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

/// An idempotency key that is missing, too long, or of another request.
async fn keys(story: &mut Story, refusals: &mut Refusals, customer: &Api) -> Result<()> {
    let intent = "/payments/intents";
    let body = |order: u128| {
        json!({ "orderId": uuid::Uuid::from_u128(order) })
            .to_string()
            .into_bytes()
    };
    let missing = Bad {
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
    let bad = Bad {
        headers: &headers,
        keyless: true,
        ..post(
            "an idempotency key too long",
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
    let bad = Bad {
        headers: &headers,
        keyless: true,
        ..post(
            "the same key for another cart",
            "/reservations",
            cart(3),
            "422 idempotency_key_reused",
        )
    };
    refused(story, refusals, customer, bad).await
}
