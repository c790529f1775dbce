//! The issuer's keys: cached, rotated, fetched once for many, and stale ones serve while the issuer
//! is down (DECISIONS 3).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Json;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use ed25519_dalek::{Signer, SigningKey};
use eventify_core::config::Config;
use eventify_kernel::alarms::{self, Filter, State};
use eventify_kernel::auth::{Auth, AuthError};
use eventify_kernel::clock::Clock;
use futures_util::future::join_all;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::world::{TestApp, TestOptions, jwt, until};

/// How long the core waits for an issuer.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// An issuer whose keys can be exchanged, that can be down, and that counts.
#[derive(Clone, Default)]
struct Issuer {
    /// How many keys it has had; key `n` has the id `key-n`.
    keys: Arc<AtomicUsize>,
    down: Arc<AtomicBool>,
    /// Takes requests and does not answer.
    silent: Arc<AtomicBool>,
    fetches: Arc<AtomicUsize>,
}

fn signing_key(number: usize) -> SigningKey {
    SigningKey::from_bytes(&[u8::try_from(number).expect("few keys") + 1; 32])
}

impl Issuer {
    async fn start(&self) -> String {
        let issuer = self.clone();
        let jwks = async move || {
            issuer.fetches.fetch_add(1, Ordering::SeqCst);
            if issuer.silent.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if issuer.down.load(Ordering::SeqCst) {
                return Err(StatusCode::BAD_GATEWAY);
            }
            let number = issuer.keys.load(Ordering::SeqCst);
            let x = URL_SAFE_NO_PAD.encode(signing_key(number).verifying_key().as_bytes());
            Ok(Json(json!({"keys": [
                {"kty": "OKP", "crv": "Ed25519", "kid": format!("key-{number}"), "x": x},
            ]})))
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = axum::Router::new().route("/jwks", get(jwks));
        tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        url
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    fn rotate(&self) {
        self.keys.fetch_add(1, Ordering::SeqCst);
    }
}

fn token(url: &str, key: usize, header: &Header, now: DateTime<Utc>) -> String {
    let claims: Value = json!({
        "iss": url, "sub": "ada", "aud": "eventify-core", "exp": now.timestamp() + 86_400,
    });
    jwt(header, &claims, |message| {
        signing_key(key).sign(message).to_vec()
    })
}

fn signed_by(key: usize) -> Header {
    Header {
        kid: Some(format!("key-{key}")),
        ..Header::new(Algorithm::EdDSA)
    }
}

fn trusting(url: &str) -> Auth {
    drop(rustls::crypto::ring::default_provider().install_default());
    let issuers = format!("[{{ issuer = \"{url}\", jwks_url = \"{url}/jwks\" }}]");
    let env = [("EVENTIFY_CORE__AUTH__ISSUERS".to_owned(), issuers)];
    let config = Config::load(None, env).expect("a good configuration");
    Auth::new(&config.kernel.auth).expect("an HTTP client")
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tokens_make_one_fetch_and_the_cache_lasts_ten_minutes() {
    let issuer = Issuer::default();
    let url = issuer.start().await;
    let auth = trusting(&url);
    let now = Clock::system().now();
    let good = token(&url, 0, &signed_by(0), now);
    let verdicts = join_all((0..50).map(|_| auth.verify(&good, now))).await;
    assert!(verdicts.iter().all(Result::is_ok));
    assert_eq!(issuer.fetches(), 1);
    auth.verify(&good, now + Duration::seconds(599))
        .await
        .unwrap();
    assert_eq!(issuer.fetches(), 1);
    auth.verify(&good, now + Duration::seconds(601))
        .await
        .unwrap();
    until("they are fetched again", async || issuer.fetches() == 2).await;
}

/// Kind 5: whoever is signed in notices nothing, until nobody can sign in any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_gives_no_keys_is_an_alarm_until_it_does() {
    let issuer = Issuer::default();
    let url = issuer.start().await;
    let issuers = format!("[{{ issuer = \"{url}\", jwks_url = \"{url}/jwks\" }}]");
    let core = TestApp::with(TestOptions {
        config: vec![("auth.issuers", issuers)],
        ..TestOptions::default()
    })
    .await;
    let watch = async || core.run_job("catalogue", "watch_servers").await;
    let standing = async || {
        let filter = Filter {
            kind: Some("auth.issuer_unreachable".to_owned()),
            states: Some(vec![State::Open]),
            ..Filter::default()
        };
        let (alarms, _) = alarms::list(core.app(), &filter, (0, 10)).await.unwrap();
        let subjects = alarms.into_iter().map(|alarm| alarm.subject);
        subjects.collect::<Vec<_>>()
    };
    watch().await;
    assert!(standing().await.is_empty());
    issuer.down.store(true, Ordering::SeqCst);
    core.advance(Duration::minutes(11));
    watch().await;
    assert_eq!(standing().await, [url.as_str()]);
    issuer.down.store(false, Ordering::SeqCst);
    watch().await;
    assert!(standing().await.is_empty());
}

/// S22: an issuer that swallows packets held up everybody for the length of its silence, twice a minute.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_an_issuer_that_says_nothing_whose_key_is_known() {
    let issuer = Issuer::default();
    let url = issuer.start().await;
    let auth = trusting(&url);
    let now = Clock::system().now();
    let good = token(&url, 0, &signed_by(0), now);
    auth.verify(&good, now).await.unwrap();
    issuer.silent.store(true, Ordering::SeqCst);
    auth.verify(&good, now + Duration::minutes(10))
        .await
        .unwrap();
    until("it is asked beside", async || issuer.fetches() == 2).await;
    for minute in 11..30 {
        let at = now + Duration::minutes(minute);
        let began = Clock::system().instant();
        auth.verify(&good, at).await.unwrap();
        assert!(began.elapsed() < SILENCE / 2, "minute {minute}");
    }
    issuer.silent.store(false, Ordering::SeqCst);
    issuer.rotate();
    let later = now + Duration::minutes(41);
    until("the new keys have replaced the old ones", async || {
        auth.verify(&good, later).await.is_err()
    })
    .await;
}

/// Nobody had asked for hours: the key may have been withdrawn since.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_nobody_asked_for_in_a_long_time_are_fetched_before_one_is_believed() {
    let issuer = Issuer::default();
    let url = issuer.start().await;
    let auth = trusting(&url);
    let now = Clock::system().now();
    let good = token(&url, 0, &signed_by(0), now);
    auth.verify(&good, now).await.unwrap();
    issuer.rotate();
    let refused = auth.verify(&good, now + Duration::hours(2)).await;
    assert!(matches!(refused, Err(AuthError::Refused(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_is_fetched_at_most_every_thirty_seconds() {
    let issuer = Issuer::default();
    let url = issuer.start().await;
    let auth = trusting(&url);
    let now = Clock::system().now();
    auth.verify(&token(&url, 0, &signed_by(0), now), now)
        .await
        .unwrap();
    issuer.rotate();
    let rotated = token(&url, 1, &signed_by(1), now);
    let soon = now + Duration::seconds(29);
    assert!(matches!(
        auth.verify(&rotated, soon).await,
        Err(AuthError::Refused(_))
    ));
    assert_eq!(
        issuer.fetches(),
        1,
        "unknown key ids don't cause repeated fetches"
    );
    auth.verify(&rotated, now + Duration::seconds(31))
        .await
        .unwrap();
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_keys_serve_while_the_issuer_is_down() {
    let issuer = Issuer::default();
    let url = issuer.start().await;
    let auth = trusting(&url);
    let now = Clock::system().now();
    let good = token(&url, 0, &signed_by(0), now);
    auth.verify(&good, now).await.unwrap();
    issuer.down.store(true, Ordering::SeqCst);
    let later = now + Duration::hours(5);
    auth.verify(&good, later).await.unwrap();
    assert_eq!(issuer.fetches(), 2, "it was asked");
    auth.verify(&good, later).await.unwrap();
    assert_eq!(issuer.fetches(), 2, "but not for each token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_good_is_refused_when_it_has_expired_or_its_key_is_gone() {
    let issuer = Issuer::default();
    let url = issuer.start().await;
    let auth = trusting(&url);
    let now = Clock::system().now();
    let named = token(&url, 0, &signed_by(0), now);
    // Without a key id whatever single key the issuer has is meant.
    let nameless = token(&url, 0, &Header::new(Algorithm::EdDSA), now);
    for good in [&named, &nameless] {
        auth.verify(good, now).await.unwrap();
        auth.verify(good, now).await.unwrap();
        let expired = auth.verify(good, now + Duration::hours(25)).await;
        assert!(matches!(expired, Err(AuthError::Refused(_))), "{expired:?}");
    }
    issuer.rotate();
    for orphan in [&named, &nameless] {
        let verdict = auth.verify(orphan, now + Duration::hours(26)).await;
        assert!(matches!(verdict, Err(AuthError::Refused(_))), "{verdict:?}");
        let back = auth.verify(orphan, now + Duration::hours(1)).await;
        assert!(matches!(back, Err(AuthError::Refused(_))), "{back:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_keys_no_token_is_verified() {
    let issuer = Issuer::default();
    issuer.down.store(true, Ordering::SeqCst);
    let url = issuer.start().await;
    let auth = trusting(&url);
    let now = Clock::system().now();
    let verdict = auth.verify(&token(&url, 0, &signed_by(0), now), now).await;
    assert!(
        matches!(verdict, Err(AuthError::KeysUnavailable(_))),
        "{verdict:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn symmetric_and_missing_algorithms_are_refused() {
    let issuer = Issuer::default();
    let url = issuer.start().await;
    let auth = trusting(&url);
    let now = Clock::system().now();
    let claims =
        json!({"iss": url, "sub": "ada", "aud": "eventify-core", "exp": now.timestamp() + 60});
    // The public key as the secret of an HMAC: the classic confusion.
    let secret = signing_key(0).verifying_key();
    let sign = |message: &[u8]| {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
        mac.chain_update(message).finalize().into_bytes().to_vec()
    };
    let header = Header {
        kid: Some("key-0".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let confused = jwt(&header, &claims, sign);
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!(
        "{}.{}.",
        encode(json!({"alg": "none", "typ": "JWT"})),
        encode(claims)
    );
    for bad in [
        confused,
        unsigned,
        "no.token".to_owned(),
        "x".repeat(20_000),
    ] {
        let verdict = auth.verify(&bad, now).await;
        assert!(matches!(verdict, Err(AuthError::Refused(_))), "{verdict:?}");
    }
}
