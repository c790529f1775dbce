//! Verification of an access token: signature, issuer, audience, times; then its claims.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::device_flow::DeviceFlow;
use super::jwks::KeyCache;
use super::signed::Signed;
use super::{Role, canonical_scope, signatures};
use crate::config;

/// What we accept; symmetric algorithms and `none` never.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest identifier in a token; OpenID Connect allows a `sub` no more.
const MAX_TEXT_BYTES: usize = 255;
/// A token beyond this is not even parsed.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The trusted issuers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Auth(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    issuers: BTreeMap<String, (config::Issuer, Arc<KeyCache>)>,
    leeway: chrono::Duration,
    signed: Signed,
    device_flow: Option<DeviceFlow>,
}

/// Why a token was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The token is not good.
    #[error("the token is not accepted: {0}")]
    Refused(&'static str),
    /// Not decided: the issuer's keys can't be fetched.
    #[error("{0}")]
    KeysUnavailable(String),
}

/// The claims of a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedClaims {
    /// Issuer.
    pub iss: String,
    /// The issuer's id for the user.
    pub sub: String,
    /// Roles that we know.
    pub roles: BTreeSet<Role>,
    /// Canonical scopes.
    pub scopes: BTreeSet<String>,
    /// The issuer's id for the organisation.
    pub org_id: Option<String>,
    /// OAuth client.
    pub client_id: Option<String>,
    /// Token id.
    pub jti: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    iss: String,
    sub: String,
    pub(super) exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    aud: Option<OneOrMany>,
    scope: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    realm_access: Access,
    #[serde(default)]
    resource_access: BTreeMap<String, Access>,
    #[serde(alias = "orgId")]
    org_id: Option<String>,
    client_id: Option<String>,
    azp: Option<String>,
    jti: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Access {
    #[serde(default)]
    roles: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn iter(&self) -> impl Iterator<Item = &String> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Many(many) => many.iter(),
        }
    }
}

impl Auth {
    /// Trusts the configured issuers.
    ///
    /// # Errors
    /// The HTTP client could not be built.
    pub fn new(config: &config::Auth) -> Result<Self, reqwest::Error> {
        signatures::install();
        let http = reqwest::Client::builder().timeout(FETCH_TIMEOUT).build()?;
        let device_flow = config.issuers.iter().find_map(|issuer| {
            let client = issuer.device_client.clone()?;
            Some(DeviceFlow::new(issuer.issuer.clone(), client, http.clone()))
        });
        let issuers = config.issuers.iter().map(|issuer| {
            let cache = Arc::new(KeyCache::new(issuer.clone(), http.clone(), config));
            (issuer.issuer.clone(), (issuer.clone(), cache))
        });
        Ok(Self(Arc::new(Inner {
            issuers: issuers.collect(),
            leeway: config.leeway(),
            signed: Signed::default(),
            device_flow,
        })))
    }

    /// How people sign in who stand at a scanner, if an issuer has a client for that.
    #[must_use]
    pub fn device_flow(&self) -> Option<&DeviceFlow> {
        self.0.device_flow.as_ref()
    }

    /// The trusted issuers.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.0.issuers.keys().map(String::as_str)
    }

    /// The trusted issuers that can't be reached: whose keys could not be fetched when they were due.
    pub async fn list_unreachable(&self, now: DateTime<Utc>) -> Vec<&str> {
        let mut unreachable = Vec::new();
        for (issuer, (_, keys)) in &self.0.issuers {
            if !keys.is_reachable(now).await {
                unreachable.push(issuer.as_str());
            }
        }
        unreachable
    }

    /// Verifies a token at a moment.
    ///
    /// # Errors
    /// [`AuthError`].
    pub async fn verify(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<VerifiedClaims, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::Refused("it is too long"));
        }
        let header = decode_header(token).map_err(|_| AuthError::Refused("it is no JWT"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(AuthError::Refused("its algorithm is not accepted"));
        }
        let unverified = jsonwebtoken::dangerous::insecure_decode::<IssuerOnly>(token)
            .map_err(|_| AuthError::Refused("its claims can't be read"))?;
        let (issuer, keys) = self
            .0
            .issuers
            .get(&unverified.claims.iss)
            .ok_or(AuthError::Refused("its issuer is not trusted"))?;
        let key = keys
            .find(header.kid.as_deref(), now)
            .await
            .map_err(|error| AuthError::KeysUnavailable(error.to_string()))?
            .ok_or(AuthError::Refused("its key is unknown"))?;
        let claims = match self.0.signed.find(token, &key) {
            Some(claims) => claims,
            None => {
                let claims = signed_claims(token, header.alg, &key)?;
                self.0.signed.keep(token, key, claims, now)
            }
        };
        self.check_times(&claims, now)?;
        check_audience(&claims, issuer)?;
        check_texts(&claims)?;
        Ok(verified(&claims, issuer))
    }

    /// Against our clock: the library would read the system's.
    fn check_times(&self, claims: &Claims, now: DateTime<Utc>) -> Result<(), AuthError> {
        let early = (now - self.0.leeway).timestamp();
        let late = (now + self.0.leeway).timestamp();
        if claims.exp <= early {
            return Err(AuthError::Refused("it has expired"));
        }
        if claims.nbf.is_some_and(|nbf| nbf > late) || claims.iat.is_some_and(|iat| iat > late) {
            return Err(AuthError::Refused("it is not valid yet"));
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct IssuerOnly {
    iss: String,
}

fn signed_claims(token: &str, algorithm: Algorithm, key: &Jwk) -> Result<Claims, AuthError> {
    let key = DecodingKey::from_jwk(key).map_err(|_| AuthError::Refused("its key is no key"))?;
    decode::<Claims>(token, &key, &signature_only(algorithm))
        .map(|token| token.claims)
        .map_err(|_| AuthError::Refused("its signature or claims are wrong"))
}

fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

fn check_audience(claims: &Claims, issuer: &config::Issuer) -> Result<(), AuthError> {
    let for_us = claims
        .aud
        .as_ref()
        .is_some_and(|aud| aud.iter().any(|it| issuer.audiences.contains(it)));
    if for_us {
        Ok(())
    } else {
        Err(AuthError::Refused("it is for another audience"))
    }
}

/// What goes into rows and log lines: the database takes no NUL, and its index no long text.
#[expect(
    clippy::disallowed_methods,
    reason = "ids of a provider, which nobody is shown"
)]
fn check_texts(claims: &Claims) -> Result<(), AuthError> {
    let fits = |text: &String| text.len() <= MAX_TEXT_BYTES && !text.chars().any(char::is_control);
    let Claims {
        sub,
        org_id,
        client_id,
        azp,
        jti,
        ..
    } = claims;
    let named = [org_id, client_id, azp, jti];
    if !sub.is_empty() && fits(sub) && named.into_iter().flatten().all(fits) {
        Ok(())
    } else {
        Err(AuthError::Refused("it names the user by an unusable text"))
    }
}

fn verified(claims: &Claims, issuer: &config::Issuer) -> VerifiedClaims {
    let of_clients = claims
        .resource_access
        .iter()
        .filter(|(client, _)| issuer.clients.contains(client))
        .flat_map(|(_, access)| &access.roles);
    let roles = claims
        .realm_access
        .roles
        .iter()
        .chain(of_clients)
        .chain(&claims.roles)
        .filter_map(|name| Role::parse(name))
        .filter(|role| issuer.may_grant(*role))
        .collect();
    let scopes = claims
        .scope
        .iter()
        .flat_map(|scope| scope.split_whitespace());
    VerifiedClaims {
        iss: claims.iss.clone(),
        sub: claims.sub.clone(),
        roles,
        scopes: scopes.map(canonical_scope).collect(),
        org_id: claims.org_id.clone().filter(|id| !id.is_empty()),
        client_id: claims.client_id.clone().or_else(|| claims.azp.clone()),
        jti: claims.jti.clone(),
    }
}
