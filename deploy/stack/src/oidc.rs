//! An OIDC provider that makes its keys when it starts, and gives tokens for any user.
//!
//! The tokens are RFC 9068 access tokens (`typ: at+jwt`) with Keycloak's claims. Discovery, key set,
//! signatures and the client-credentials grant are `oidc-provider`'s own; the grant that gives a token
//! for a named user without a browser is ours, for development only; so is the page on which people say
//! who they are in the device flow (RFC 8628).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::clock;
use crate::error::{Result, StackError};
use crate::http;
use crate::ports;
use crate::process::{Program, Server, StopSignal};
use crate::scratch::Scratch;
use crate::tools;

const READY_LIMIT: Duration = Duration::from_secs(60);
const USER_GRANT: &str = "urn:eventify:development:user";
const AUDIENCE: &str = "eventify-core";
const CLIENT_ID: &str = "eventify-development";
const DEVICE_CLIENT_ID: &str = "eventify-gates";

/// How to reach the run's OIDC provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Oidc {
    /// `iss` of its tokens; discovery is below it.
    pub issuer: String,
    /// `aud` of its tokens unless a test asks for another.
    pub audience: String,
    /// Also `azp` and a key of `resource_access` in its tokens.
    pub client_id: String,
    pub client_secret: String,
    /// The public client of the device flow.
    pub device_client_id: String,
}

/// The user of a token.
#[derive(Debug, Clone, Default)]
pub struct User {
    /// Any string: the core maps (`iss`, `sub`) to its own user id.
    pub sub: String,
    /// `realm_access.roles`, for example `ORGANIZER`.
    pub roles: Vec<String>,
    /// `scope`, for example `order:write`.
    pub scopes: Vec<String>,
    pub org_id: Option<String>,
    pub email: Option<String>,
}

impl User {
    #[must_use]
    pub fn new(sub: impl Into<String>) -> Self {
        Self {
            sub: sub.into(),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    #[must_use]
    pub fn organisation(mut self, id: impl Into<String>) -> Self {
        self.org_id = Some(id.into());
        self
    }
}

/// How a token differs from a valid one.
#[derive(Debug, Clone, Default)]
pub struct TokenOptions {
    /// Seconds until it expires; negative for an expired one. Default: one hour.
    pub lifetime_seconds: Option<i64>,
    /// `aud` instead of the core's.
    pub audience: Option<String>,
    /// Sign with ES256 instead of RS256.
    pub es256: bool,
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
}

impl Oidc {
    /// The key set (`jwks_uri` in discovery).
    #[must_use]
    pub fn jwks_uri(&self) -> String {
        format!("{}/jwks", self.issuer)
    }

    /// A valid access token for a user.
    pub async fn token(&self, user: &User) -> Result<String> {
        self.token_with(user, &TokenOptions::default()).await
    }

    /// An access token that may be invalid.
    pub async fn token_with(&self, user: &User, options: &TokenOptions) -> Result<String> {
        let email = user
            .email
            .clone()
            .unwrap_or_else(|| format!("{}@example.org", user.sub));
        let claims = json!({
            "realm_access": { "roles": user.roles },
            "resource_access": { self.client_id.as_str(): { "roles": [] } },
            "preferred_username": user.sub,
            "email": email,
            "email_verified": true,
            "org_id": user.org_id,
        });
        let mut form = vec![
            ("grant_type", USER_GRANT.to_owned()),
            ("sub", user.sub.clone()),
            ("scope", user.scopes.join(" ")),
            ("user_claims", claims.to_string()),
            (
                "alg",
                if options.es256 { "ES256" } else { "RS256" }.to_owned(),
            ),
        ];
        if let Some(seconds) = options.lifetime_seconds {
            form.push(("lifetime", seconds.to_string()));
        }
        if let Some(audience) = &options.audience {
            form.push(("audience", audience.clone()));
        }
        self.request_token(&form).await
    }

    /// A token of a service (`client_credentials`), without a user.
    pub async fn service_token(&self, scopes: &[&str]) -> Result<String> {
        let grant = "client_credentials".to_owned();
        self.request_token(&[("grant_type", grant), ("scope", scopes.join(" "))])
            .await
    }

    /// Somebody reads a code on a scanner and signs in as this user, or says no.
    pub async fn answer_device(&self, user_code: &str, sub: Option<&str>) -> Result<()> {
        let who = match sub {
            Some(sub) => ("sub", sub),
            None => ("denied", "yes"),
        };
        let request = http::client().get(format!("{}/device/answer", self.issuer));
        let response = request.query(&[("user_code", user_code), who]).send();
        let response = response.await?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        Err(StackError::Refused {
            action: "answering a sign-in at the OIDC provider".to_owned(),
            status: status.as_u16(),
            body: response.text().await?,
        })
    }

    async fn request_token(&self, form: &[(&str, String)]) -> Result<String> {
        let request = http::client().post(format!("{}/token", self.issuer));
        let request = request
            .basic_auth(&self.client_id, Some(&self.client_secret))
            .form(form);
        let response = request.send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.json::<TokenResponse>().await?.access_token);
        }
        let action = "requesting a token from the OIDC provider".to_owned();
        Err(StackError::Refused {
            action,
            status: status.as_u16(),
            body: response.text().await?,
        })
    }
}

pub(crate) async fn start(scratch: &Scratch) -> Result<(Oidc, Server)> {
    let port = ports::free()?;
    let oidc = Oidc {
        issuer: format!("http://127.0.0.1:{port}"),
        audience: AUDIENCE.to_owned(),
        client_id: CLIENT_ID.to_owned(),
        client_secret: clock::random_name::<16>(),
        device_client_id: DEVICE_CLIENT_ID.to_owned(),
    };
    let script = tools::home().join("oidc/provider.mjs");
    let mut server = Server::start(Program {
        name: "the OIDC provider",
        executable: &tools::node(),
        arguments: vec![script.display().to_string()],
        environment: vec![
            ("PORT", port.to_string()),
            ("AUDIENCE", oidc.audience.clone()),
            ("CLIENT_ID", oidc.client_id.clone()),
            ("CLIENT_SECRET", oidc.client_secret.clone()),
            ("DEVICE_CLIENT_ID", oidc.device_client_id.clone()),
        ],
        stop: StopSignal::Kill,
        user: None,
        log: scratch.path().join("oidc.log"),
    })?;
    // A token proves that it is ours: no other provider knows the secret.
    let user = User::new("readiness");
    server
        .ready(READY_LIMIT, || async {
            oidc.token(&user).await.map_err(|e| e.to_string())
        })
        .await?;
    Ok((oidc, server))
}
