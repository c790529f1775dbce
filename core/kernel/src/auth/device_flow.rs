//! Somebody signs in elsewhere, on a device of their own: OAuth 2.0 Device Authorization Grant (RFC 8628).
//! The client is a public one, so there is no secret.
//!
//! Deliberately not here: refresh tokens. Whoever has signed in is known, and that is all.

use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Without it the provider need not say who it was.
const SCOPE: &str = "openid";
/// RFC 8628, 3.2: if the provider names none; 3.5: for each `slow_down`.
const DEFAULT_INTERVAL: u64 = 5;
const SLOWER: Duration = Duration::from_secs(5);
const MAX_INTERVAL: u64 = 60;
/// Nobody stands at a scanner for longer, whatever the provider allows.
const MAX_LIFE: u64 = 900;
/// The answers are far smaller.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// The device flow of one provider. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DeviceFlow {
    issuer: String,
    client: String,
    http: reqwest::Client,
}

/// A sign-in that has begun. Holds the code that its token is asked with.
pub struct DeviceSignIn {
    /// Typed on the provider's page.
    pub user_code: String,
    /// The page.
    pub verification_uri: String,
    /// The page with the code in it; the page alone if the provider has no other.
    pub verification_uri_complete: String,
    /// How long there is.
    pub life: Duration,
    device_code: String,
    interval: Duration,
    token_endpoint: Url,
}

/// What has become of one.
pub enum DeviceToken {
    /// Nobody has signed in yet. The pause before the next question may have grown.
    Pending,
    /// Somebody has: their access token.
    Granted(String),
    /// They said no.
    Denied,
    /// They did not in time.
    Expired,
}

/// Why the provider can't be asked.
#[derive(Debug, thiserror::Error)]
pub enum DeviceFlowError {
    /// No connection, or no answer in time.
    #[error("the identity provider does not answer: {0}")]
    NoAnswer(String),
    /// It does not have the grant, or does not give it to this client.
    #[error("the identity provider refuses the device flow: {0}")]
    Refused(String),
    /// Not what the RFCs say.
    #[error("the identity provider's answer is not that of a device flow: {0}")]
    Malformed(String),
}

#[derive(Deserialize)]
struct Discovery {
    device_authorization_endpoint: Option<String>,
    token_endpoint: String,
}

#[derive(Deserialize)]
struct Begun {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl DeviceFlow {
    pub(super) fn new(issuer: String, client: String, http: reqwest::Client) -> Self {
        Self {
            issuer,
            client,
            http,
        }
    }

    /// The `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// [`DeviceFlowError`].
    pub async fn begin(&self) -> Result<DeviceSignIn, DeviceFlowError> {
        let base = self.issuer.trim_end_matches('/');
        let discovery = format!("{base}/.well-known/openid-configuration");
        let Discovery {
            device_authorization_endpoint,
            token_endpoint,
        } = read(self.http.get(&discovery)).await?.map_err(refused)?;
        let endpoint = device_authorization_endpoint.ok_or_else(|| {
            DeviceFlowError::Refused("discovery names no device_authorization_endpoint".to_owned())
        })?;
        let form = [("client_id", self.client.as_str()), ("scope", SCOPE)];
        let request = self.http.post(page(&endpoint)?).form(&form);
        let begun: Begun = read(request).await?.map_err(refused)?;
        let complete = begun.verification_uri_complete.as_ref();
        let complete = complete.unwrap_or(&begun.verification_uri);
        let interval = begun.interval.unwrap_or(DEFAULT_INTERVAL);
        Ok(DeviceSignIn {
            user_code: begun.user_code,
            verification_uri_complete: page(complete)?.into(),
            verification_uri: page(&begun.verification_uri)?.into(),
            life: Duration::from_secs(begun.expires_in.min(MAX_LIFE)),
            device_code: begun.device_code,
            interval: Duration::from_secs(interval.clamp(1, MAX_INTERVAL)),
            token_endpoint: page(&token_endpoint)?,
        })
    }

    /// Asks once what has become of it. Before the next question, wait for [`DeviceSignIn::interval`].
    ///
    /// # Errors
    /// [`DeviceFlowError`]; after [`DeviceFlowError::NoAnswer`] the pause has grown, ask again.
    pub async fn ask(&self, sign_in: &mut DeviceSignIn) -> Result<DeviceToken, DeviceFlowError> {
        let form = [
            ("grant_type", GRANT),
            ("device_code", sign_in.device_code.as_str()),
            ("client_id", self.client.as_str()),
        ];
        let request = self.http.post(sign_in.token_endpoint.clone()).form(&form);
        let answer = match read::<Token>(request).await {
            Err(error @ DeviceFlowError::NoAnswer(_)) => {
                // RFC 8628, 3.5: exponentially.
                sign_in.slow_down(sign_in.interval);
                return Err(error);
            }
            answer => answer?,
        };
        let refusal = match answer {
            Ok(token) => return Ok(DeviceToken::Granted(token.access_token)),
            Err(refusal) => refusal,
        };
        match refusal.error.as_str() {
            "authorization_pending" => Ok(DeviceToken::Pending),
            "slow_down" => {
                sign_in.slow_down(SLOWER);
                Ok(DeviceToken::Pending)
            }
            "access_denied" => Ok(DeviceToken::Denied),
            "expired_token" => Ok(DeviceToken::Expired),
            _ => Err(refused(refusal)),
        }
    }
}

impl DeviceSignIn {
    /// The pause before each question.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }

    fn slow_down(&mut self, by: Duration) {
        let most = Duration::from_secs(MAX_INTERVAL);
        self.interval = self.interval.saturating_add(by).min(most);
    }
}

/// An address on the web, and of nothing else: a scanner shows it as a QR code.
fn page(text: &str) -> Result<Url, DeviceFlowError> {
    let url = Url::parse(text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "https" | "http"));
    url.ok_or_else(|| DeviceFlowError::Malformed("an address that is none".to_owned()))
}

fn refused(refusal: Refusal) -> DeviceFlowError {
    DeviceFlowError::Refused(refusal.error)
}

/// An answer, or the error that it names.
async fn read<T: DeserializeOwned>(
    request: reqwest::RequestBuilder,
) -> Result<Result<T, Refusal>, DeviceFlowError> {
    // Its texts name addresses; the code is in the body.
    let no_answer = |error: reqwest::Error| DeviceFlowError::NoAnswer(error.to_string());
    let mut response = request.send().await.map_err(no_answer)?;
    let status = response.status();
    if status.is_server_error() {
        return Err(DeviceFlowError::NoAnswer(format!("status {status}")));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            let why = format!("more than {MAX_ANSWER_BYTES} bytes");
            return Err(DeviceFlowError::Malformed(why));
        }
    }
    let malformed = || DeviceFlowError::Malformed(format!("status {status}"));
    if status.is_success() {
        let read = serde_json::from_slice(&body).map_err(|_| malformed())?;
        Ok(Ok(read))
    } else {
        let refusal = serde_json::from_slice(&body).map_err(|_| malformed())?;
        Ok(Err(refusal))
    }
}

/// Without the code that a token can be had for.
impl std::fmt::Debug for DeviceSignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceSignIn")
            .field("verification_uri", &self.verification_uri)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

/// Without the token.
impl std::fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pending => "Pending",
            Self::Granted(_) => "Granted",
            Self::Denied => "Denied",
            Self::Expired => "Expired",
        })
    }
}
