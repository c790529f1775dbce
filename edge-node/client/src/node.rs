use std::time::Duration;

use eventify_protocol::{
    error::ErrorBody,
    hash::Hash32,
    ids::CorrelationId,
    lan::{IDLE_CONNECTION, Nonce, PairingAnswer, PairingRequest},
};
use reqwest::{
    Method, Response,
    header::{HeaderMap, RETRY_AFTER},
    redirect::Policy,
};
use serde::de::DeserializeOwned;

use crate::{ClientError, Refusal, Request, SigningKey, pinned_tls};

/// The largest answer of the API is far smaller.
const MAX_REPLY_BYTES: usize = 1 << 20;

/// How long to wait for a node.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a connection, its TLS handshake included.
    pub connect: Duration,
    /// For a whole answer, the connection included.
    pub request: Duration,
    /// For the next event of a stream, if it is longer than `request`; else that. A node sends one at
    /// least every second.
    pub silence: Duration,
}

/// Connections to one node, which the key proves to be the node. Cheap to clone; clones share the
/// connections.
#[derive(Clone, Debug)]
pub struct NodeClient {
    http: reqwest::Client,
    url: String,
    key: Hash32,
    timeouts: Timeouts,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The id of the request in the node's log.
    pub correlation_id: Option<CorrelationId>,
    /// When to send the request again, from the `Retry-After` header.
    pub retry_after: Option<Duration>,
    /// JSON.
    pub body: Vec<u8>,
}

impl NodeClient {
    /// Connections to the node at `url` (`https://HOST:PORT`) that has `key`. Connects when the
    /// first request is sent.
    ///
    /// # Errors
    /// [`ClientError::Setup`].
    pub fn new(url: &str, key: Hash32, timeouts: Timeouts) -> Result<Self, ClientError> {
        let tls = pinned_tls(key).map_err(ClientError::setup)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(timeouts.connect)
            // Well before the node closes it: a scan on a connection that is just being closed gets no answer.
            .pool_idle_timeout(IDLE_CONNECTION / 2)
            .read_timeout(timeouts.silence.max(timeouts.request))
            .redirect(Policy::none())
            .https_only(true)
            .no_proxy()
            .build()
            .map_err(ClientError::setup)?;
        Ok(Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
            key,
            timeouts,
        })
    }

    /// The same node at another address, on new connections.
    ///
    /// # Errors
    /// [`ClientError::Setup`].
    pub fn at(&self, url: &str) -> Result<Self, ClientError> {
        Self::new(url, self.key, self.timeouts)
    }

    /// `https://HOST:PORT`
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The node's key, as in the pairing code.
    #[must_use]
    pub fn key(&self) -> Hash32 {
        self.key
    }

    /// Sends a request. The reply may be a refusal.
    ///
    /// # Errors
    /// [`ClientError::WrongKey`], [`ClientError::NoAnswer`] or [`ClientError::Malformed`].
    pub async fn send(&self, request: &Request) -> Result<Reply, ClientError> {
        let response = self.build(request).timeout(self.timeouts.request).send();
        Reply::of(response.await?).await
    }

    /// Sends a request whose answer does not end by itself.
    pub(crate) async fn open(&self, request: &Request) -> Result<Response, ClientError> {
        let response = self.build(request).send().await?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(Reply::of(response).await?.into_error())
        }
    }

    /// `POST /v1/pairings`, signed by the key that is to be paired.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn pair(
        &self,
        pairing: &PairingRequest,
        key: &SigningKey,
    ) -> Result<PairingAnswer, ClientError> {
        let request = Request::pairing(json(pairing), key);
        self.send(&request).await?.read()
    }

    /// `GET /v1/nonce`, not signed.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn nonce(&self) -> Result<Nonce, ClientError> {
        let request = Request::unsigned(Method::GET, "/v1/nonce", Vec::new());
        self.send(&request).await?.read()
    }

    fn build(&self, request: &Request) -> reqwest::RequestBuilder {
        let url = format!("{}{}", self.url, request.path);
        let building = self.http.request(request.method.clone(), url);
        request
            .headers()
            .into_iter()
            .fold(building, |building, (name, value)| {
                building.header(name, value)
            })
            .body(request.body.clone())
    }
}

impl Reply {
    async fn of(mut response: Response) -> Result<Self, ClientError> {
        let status = response.status().as_u16();
        let correlation_id = header(response.headers(), "x-correlation-id");
        let retry_after = header(response.headers(), RETRY_AFTER.as_str()).map(Duration::from_secs);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_REPLY_BYTES {
                let reason = format!("more than {MAX_REPLY_BYTES} bytes");
                return Err(ClientError::Malformed { status, reason });
            }
        }
        Ok(Self {
            status,
            correlation_id,
            retry_after,
            body,
        })
    }

    /// The answer as `T`.
    ///
    /// # Errors
    /// [`ClientError::Refused`] if it is an error, [`ClientError::Malformed`] if it is neither.
    pub fn read<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        if !(200..300).contains(&self.status) {
            return Err(self.into_error());
        }
        serde_json::from_slice(&self.body).map_err(|error| self.malformed(&error))
    }

    /// That it was done.
    ///
    /// # Errors
    /// As of [`Reply::read`].
    pub fn read_nothing(self) -> Result<(), ClientError> {
        if (200..300).contains(&self.status) {
            Ok(())
        } else {
            Err(self.into_error())
        }
    }

    fn into_error(self) -> ClientError {
        match serde_json::from_slice::<ErrorBody>(&self.body) {
            Ok(ErrorBody { error }) => ClientError::Refused(Refusal {
                status: self.status,
                error,
                retry_after: self.retry_after,
            }),
            Err(error) => self.malformed(&error),
        }
    }

    fn malformed(&self, error: &serde_json::Error) -> ClientError {
        ClientError::Malformed {
            status: self.status,
            reason: error.to_string(),
        }
    }
}

fn header<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

pub(crate) fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("requests consist of strings and ids, which are JSON")
}
