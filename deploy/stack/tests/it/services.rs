//! The identity provider, the payment provider and the mail sink do what the core relies on.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use eventify_stack::stripe::{Card, Payment, Stripe};
use eventify_stack::{Stack, TokenOptions, User};
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Why a token is not accepted.
#[derive(Debug, PartialEq, Eq)]
enum Rejection {
    Signature,
    Expired,
    Audience,
}

/// Reads a part of a token, or a number of a key.
fn decoded(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}

/// A token's header and claims, unchecked.
fn parts(token: &str) -> [Value; 2] {
    let mut parts = token.split('.');
    [(); 2].map(|()| serde_json::from_slice(&decoded(&json!(parts.next()))).unwrap())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a token expires by the real clock"
)]
fn now_seconds() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// The claims of a token that the core would accept, else why it would not.
async fn checked(token: &str, audience: &str) -> Result<Value, Rejection> {
    let oidc = Stack::shared().await.unwrap().oidc();
    let keys: Value = reqwest::get(oidc.jwks_uri())
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let [header, claims] = parts(token);
    let keys = keys["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let number = |name: &str| decoded(&key[name]);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (message, signature) = (message.as_bytes(), decoded(&json!(signature)));
    let verified = if header["alg"] == "ES256" {
        let point = [vec![4], number("x"), number("y")].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, &signature)
    } else {
        let (n, e) = (number("n"), number("e"));
        let key = RsaPublicKeyComponents { n, e };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, message, &signature)
    };
    verified.map_err(|_| Rejection::Signature)?;
    assert_eq!(claims["iss"], oidc.issuer.as_str());
    if claims["exp"].as_u64().unwrap() <= now_seconds() {
        return Err(Rejection::Expired);
    }
    if claims["aud"] != audience {
        return Err(Rejection::Audience);
    }
    Ok(claims)
}

#[tokio::test]
async fn a_users_token_has_keycloaks_claims_and_a_signature_of_the_published_keys() {
    let oidc = Stack::shared().await.unwrap().oidc();
    let user = User::new("anna")
        .role("ORGANIZER")
        .scope("order:write")
        .organisation("opera");
    let claims = checked(&oidc.token(&user).await.unwrap(), "eventify-core")
        .await
        .unwrap();
    assert_eq!(claims["sub"], "anna");
    assert_eq!(claims["realm_access"]["roles"][0], "ORGANIZER");
    assert_eq!(claims["scope"], "order:write");
    assert_eq!(claims["org_id"], "opera");
    assert_eq!(claims["azp"], oidc.client_id.as_str());

    let es256 = TokenOptions {
        es256: true,
        ..TokenOptions::default()
    };
    let token = oidc.token_with(&user, &es256).await.unwrap();
    assert_eq!(parts(&token)[0]["alg"], "ES256");
    checked(&token, "eventify-core").await.unwrap();

    let service = oidc.service_token(&["inventory:hold"]).await.unwrap();
    assert_eq!(
        checked(&service, "eventify-core").await.unwrap()["scope"],
        "inventory:hold"
    );
}

#[tokio::test]
async fn bad_tokens_are_bad_in_one_way_only() {
    let oidc = Stack::shared().await.unwrap().oidc();
    let user = User::new("eve");
    let expired = TokenOptions {
        lifetime_seconds: Some(-120),
        ..TokenOptions::default()
    };
    let expired = oidc.token_with(&user, &expired).await.unwrap();
    let why = checked(&expired, "eventify-core").await.unwrap_err();
    assert_eq!(why, Rejection::Expired);

    let elsewhere = TokenOptions {
        audience: Some("elsewhere".into()),
        ..TokenOptions::default()
    };
    let elsewhere = oidc.token_with(&user, &elsewhere).await.unwrap();
    let why = checked(&elsewhere, "eventify-core").await.unwrap_err();
    assert_eq!(why, Rejection::Audience);
    checked(&elsewhere, "elsewhere").await.unwrap();
}

/// A received webhook: signature header and raw body.
type Hook = (String, String);

/// A receiver of webhooks.
async fn receiver() -> (String, mpsc::UnboundedReceiver<Hook>) {
    let (sender, hooks) = mpsc::unbounded_channel();
    let take = |State(sender): State<mpsc::UnboundedSender<Hook>>,
                headers: HeaderMap,
                body: String| async move {
        let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
        sender.send((signature, body)).unwrap();
    };
    let router = axum::Router::new()
        .route("/webhooks/psp", post(take))
        .with_state(sender);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/webhooks/psp"), hooks)
}

/// A new account with its webhooks, as a core of its own would have it.
async fn account() -> (Stripe, mpsc::UnboundedReceiver<Hook>) {
    let stripe = Stack::shared().await.unwrap().stripe();
    let (url, hooks) = receiver().await;
    stripe.register_webhook(&url).await.unwrap();
    (stripe, hooks)
}

/// A core's request to Stripe.
async fn request(stripe: &Stripe, path: &str, key: &str, form: &[(&str, &str)]) -> Value {
    let request = reqwest::Client::new()
        .post(format!("{}{path}", stripe.base_url))
        .bearer_auth(&stripe.secret_key)
        .header("Idempotency-Key", key)
        .form(form);
    request.send().await.unwrap().json().await.unwrap()
}

async fn intent(stripe: &Stripe) -> (String, String) {
    let form = [
        ("amount", "4200"),
        ("currency", "eur"),
        ("capture_method", "manual"),
    ];
    let intent = request(stripe, "/v1/payment_intents", "intent", &form).await;
    let field = |name: &str| intent[name].as_str().unwrap().to_owned();
    (field("id"), field("client_secret"))
}

/// The next event's type, its signature checked.
async fn event(stripe: &Stripe, hooks: &mut mpsc::UnboundedReceiver<Hook>) -> String {
    let hook = tokio::time::timeout(Duration::from_secs(10), hooks.recv()).await;
    let (signature, body) = hook.expect("no webhook came").unwrap();
    let (time, signature) = signature
        .strip_prefix("t=")
        .unwrap()
        .split_once(",v1=")
        .unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(stripe.webhook_secret.as_bytes()).unwrap();
    mac.update(format!("{time}.{body}").as_bytes());
    assert_eq!(hex::encode(mac.finalize().into_bytes()), signature);
    let event: Value = serde_json::from_str(&body).unwrap();
    event["type"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_payment_is_authorised_captured_and_refunded_and_only_its_account_gets_events() {
    let (stripe, mut hooks) = account().await;
    let (_other, mut others) = account().await;
    let (id, secret) = intent(&stripe).await;
    assert_eq!(
        intent(&stripe).await.0,
        id,
        "the same idempotency key gives the same intent"
    );

    assert!(
        stripe
            .pay(&secret, Card::Good)
            .await
            .unwrap()
            .is_authorised()
    );
    assert_eq!(
        event(&stripe, &mut hooks).await,
        "payment_intent.amount_capturable_updated"
    );
    let captured = request(
        &stripe,
        &format!("/v1/payment_intents/{id}/capture"),
        "c",
        &[],
    )
    .await;
    assert_eq!(captured["status"], "succeeded");
    assert_eq!(event(&stripe, &mut hooks).await, "payment_intent.succeeded");
    let form = [("payment_intent", id.as_str()), ("amount", "1200")];
    for _retry in 0..2 {
        assert_eq!(
            request(&stripe, "/v1/refunds", "r", &form).await["amount"],
            1200
        );
    }
    assert_eq!(event(&stripe, &mut hooks).await, "refund.created");
    assert_eq!(event(&stripe, &mut hooks).await, "charge.refunded");
    assert!(hooks.try_recv().is_err() && others.try_recv().is_err());
}

#[tokio::test]
async fn people_and_banks_do_at_the_provider_what_they_do_at_stripe() {
    let (stripe, mut hooks) = account().await;
    let (id, secret) = intent(&stripe).await;
    let capture = format!("/v1/payment_intents/{id}/capture");
    stripe.roll_key(true).await.unwrap();
    let refused = request(&stripe, &capture, "c", &[]).await;
    assert_eq!(refused["error"]["code"], "api_key_expired");
    stripe.roll_key(false).await.unwrap();

    // Another card after a declined one.
    let declined = stripe.pay(&secret, Card::Declined).await.unwrap();
    assert!(matches!(declined, Payment::Refused { .. }));
    let failed = event(&stripe, &mut hooks).await;
    assert_eq!(failed, "payment_intent.payment_failed");
    let good = stripe.pay(&secret, Card::Good).await.unwrap();
    assert!(good.is_authorised());
    let authorised = event(&stripe, &mut hooks).await;
    assert_eq!(authorised, "payment_intent.amount_capturable_updated");
    let part = [("amount_to_capture", "3000")];
    let captured = request(&stripe, &capture, "c", &part).await;
    assert_eq!(captured["amount_received"], 3000);
    assert_eq!(event(&stripe, &mut hooks).await, "payment_intent.succeeded");

    let form = [("payment_intent", id.as_str()), ("amount", "1200")];
    stripe.be_busy(2).await.unwrap();
    let refund = request(&stripe, "/v1/refunds", "r", &form).await;
    let slower = request(&stripe, "/v1/refunds", "s", &form).await;
    assert_eq!(slower["error"]["code"], "rate_limit");
    assert_eq!(event(&stripe, &mut hooks).await, "refund.created");
    assert_eq!(event(&stripe, &mut hooks).await, "charge.refunded");
    stripe
        .send_back(refund["id"].as_str().unwrap())
        .await
        .unwrap();
    assert_eq!(event(&stripe, &mut hooks).await, "refund.failed");
    stripe.dispute(&secret, None).await.unwrap();
    assert_eq!(event(&stripe, &mut hooks).await, "charge.dispute.created");
    stripe.dispute(&secret, Some("lost")).await.unwrap();
    assert_eq!(event(&stripe, &mut hooks).await, "charge.dispute.closed");
}

#[tokio::test]
async fn a_declined_card_is_refused_and_reported() {
    let (stripe, mut hooks) = account().await;
    let (_, secret) = intent(&stripe).await;
    let refused = Payment::Refused {
        code: "card_declined".into(),
    };
    assert_eq!(stripe.pay(&secret, Card::Declined).await.unwrap(), refused);
    assert_eq!(
        event(&stripe, &mut hooks).await,
        "payment_intent.payment_failed"
    );
}

#[tokio::test]
async fn three_d_secure_waits_for_the_customer_and_can_fail() {
    let (stripe, mut hooks) = account().await;
    let (_, secret) = intent(&stripe).await;
    assert!(
        stripe
            .pay(&secret, Card::ThreeDSecure)
            .await
            .unwrap()
            .needs_authentication()
    );
    assert_eq!(
        event(&stripe, &mut hooks).await,
        "payment_intent.requires_action"
    );
    assert!(
        stripe
            .authenticate(&secret, true)
            .await
            .unwrap()
            .is_authorised()
    );
    assert_eq!(
        event(&stripe, &mut hooks).await,
        "payment_intent.amount_capturable_updated"
    );

    let (stripe, mut hooks) = account().await;
    let (_, secret) = intent(&stripe).await;
    stripe.pay(&secret, Card::ThreeDSecure).await.unwrap();
    assert_eq!(
        event(&stripe, &mut hooks).await,
        "payment_intent.requires_action"
    );
    let failed = stripe.authenticate(&secret, false).await.unwrap();
    assert_eq!(failed, Payment::Status("requires_payment_method".into()));
    assert_eq!(
        event(&stripe, &mut hooks).await,
        "payment_intent.payment_failed"
    );
}

#[tokio::test]
async fn a_mail_that_was_accepted_can_be_read() {
    let mail = Stack::shared().await.unwrap().mail();
    let mut line = BufReader::new(TcpStream::connect(mail.smtp_address()).await.unwrap());
    let script = [
        ("", "220"),
        ("HELO test\r\n", "250"),
        ("MAIL FROM:<shop@example.org>\r\n", "250"),
        ("RCPT TO:<guest-17@example.org>\r\n", "250"),
        ("DATA\r\n", "354"),
        ("Subject: Your tickets\r\n\r\nA-12 \u{e9}\r\n.\r\n", "250"),
    ];
    for (command, wanted) in script {
        line.write_all(command.as_bytes()).await.unwrap();
        let mut answer = String::new();
        line.read_line(&mut answer).await.unwrap();
        assert!(
            answer.starts_with(wanted),
            "{command:?} was answered {answer:?}"
        );
    }
    let mails = mail.received_by("guest-17@example.org").unwrap();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].from, "shop@example.org");
    assert!(mails[0].data.contains("Subject: Your tickets") && mails[0].data.contains("A-12 é"));
    assert_eq!(mail.received_by("guest-18@example.org").unwrap(), []);
}

#[tokio::test]
async fn somebody_signs_in_on_a_device_of_their_own_or_says_no() {
    let oidc = Stack::shared().await.unwrap().oidc();
    let http = reqwest::Client::new();
    let client = ("client_id", oidc.device_client_id.as_str());
    for sub in [Some("sam"), None] {
        let begin = http.post(format!("{}/device/auth", oidc.issuer));
        let begin = begin.form(&[client, ("scope", "openid")]).send();
        let begun: Value = begin.await.unwrap().json().await.unwrap();
        let ask = async || -> Value {
            let grant = "urn:ietf:params:oauth:grant-type:device_code";
            let code = begun["device_code"].as_str().unwrap();
            let form = [client, ("grant_type", grant), ("device_code", code)];
            let request = http.post(format!("{}/token", oidc.issuer)).form(&form);
            request.send().await.unwrap().json().await.unwrap()
        };
        assert_eq!(ask().await["error"], "authorization_pending");
        let page = begun["verification_uri_complete"].as_str().unwrap();
        let page = reqwest::get(page).await.unwrap().text().await.unwrap();
        let code = begun["user_code"].as_str().unwrap();
        assert!(page.contains(code), "{page}");
        oidc.answer_device(code, sub).await.unwrap();
        let twice = oidc.answer_device(code, Some("eve")).await;
        assert!(twice.is_err(), "a code is answered once");
        let answer = ask().await;
        match sub {
            Some(sub) => {
                let token = answer["access_token"].as_str().expect("a token");
                let claims = checked(token, "eventify-core").await.unwrap();
                assert_eq!(claims["sub"], sub);
            }
            None => assert_eq!(answer["error"], "access_denied", "{answer}"),
        }
    }
}
