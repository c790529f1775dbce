//! An identity provider in this process: discovery, one Ed25519 key, tokens shaped like Keycloak's.
//! The acceptance tests use a real provider.

use axum::Json;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use eventify_kernel::clock::Clock;
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};

use super::device_flow::DeviceSignIns;

const KEY_ID: &str = "test-key";
const TOKEN_SECONDS: i64 = 600;

pub(super) struct TestIssuer {
    pub(super) url: String,
    key: SigningKey,
    clock: Clock,
    pub(super) device_sign_ins: DeviceSignIns,
    serving: tokio::task::JoinHandle<()>,
}

impl TestIssuer {
    pub(super) async fn start(clock: Clock) -> Self {
        let signing = SigningKey::from_bytes(&clock.random_bytes());
        let x = URL_SAFE_NO_PAD.encode(signing.verifying_key().as_bytes());
        let jwks = json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": KEY_ID, "x": x,
        }]});
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let discovery = json!({
            "issuer": url,
            "jwks_uri": format!("{url}/jwks"),
            "device_authorization_endpoint": format!("{url}/device"),
            "token_endpoint": format!("{url}/token"),
        });
        let device_sign_ins = DeviceSignIns::default();
        let router = axum::Router::new()
            .route("/jwks", get(async move || Json(jwks)))
            .route(
                "/.well-known/openid-configuration",
                get(async move || Json(discovery)),
            )
            .merge(device_sign_ins.router());
        let serving = tokio::spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("the issuer serves");
        });
        Self {
            url,
            key: signing,
            clock,
            device_sign_ins,
            serving,
        }
    }

    /// A token of now; `claims` go over the usual ones.
    pub(super) fn token(&self, sub: &str, claims: &Value) -> String {
        let now = self.clock.now().timestamp();
        let mut all = json!({
            "iss": self.url, "sub": sub, "aud": "eventify-core", "azp": "tests",
            "iat": now, "nbf": now, "exp": now + TOKEN_SECONDS,
            "jti": self.clock.new_id(),
        });
        for (name, value) in claims.as_object().expect("claims are an object") {
            all[name] = value.clone();
        }
        let header = Header {
            kid: Some(KEY_ID.to_owned()),
            ..Header::new(Algorithm::EdDSA)
        };
        jwt(&header, &all, |message| self.key.sign(message).to_vec())
    }
}

/// A token of these claims, signed in any way.
pub fn jwt(header: &Header, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let header = serde_json::to_value(header).expect("a header encodes");
    let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

impl std::fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TestIssuer({})", self.url)
    }
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
