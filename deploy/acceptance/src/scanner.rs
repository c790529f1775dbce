//! A scanner at a gate: paired with one node, signs each request, keeps a scan's id until it is
//! decided for good.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use eventify_protocol::{
    error::ErrorBody,
    hash::Hash32,
    ids::{GateId, ScanId, ScannerId},
    lan::{
        AccessToken, NodeStatus, Nonce, PairingAnswer, PairingCode, PairingRequest, ScanAnswer,
        ScanRequest, TokenRequest,
        signature::{self, Headers, Signed},
    },
};
use reqwest::{Method, header::AUTHORIZATION};
use serde::de::DeserializeOwned;

use crate::{api::Reply, clock, pinned};

/// The node answers or refuses within this.
const TIMEOUT: Duration = Duration::from_secs(3);

/// One paired scanner.
#[derive(Clone, Debug)]
pub struct Scanner {
    /// Its id at the node.
    pub id: ScannerId,
    /// Its gate.
    pub gate: GateId,
    http: reqwest::Client,
    pin: Hash32,
    base: String,
    key: SigningKey,
    access: AccessToken,
}

impl Scanner {
    /// Pairs by the code on the node's screen, for the first gate that the node gives it.
    ///
    /// # Errors
    /// The code is damaged or used, or the node can't be reached.
    pub async fn pair(code: &str, label: &str, seed: [u8; 32]) -> Result<Self> {
        let code: PairingCode = code.parse()?;
        let http = client(code.key)?;
        let key = SigningKey::from_bytes(&seed);
        let request = PairingRequest {
            code: code.secret,
            public_key: URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes()),
            label: label.to_owned(),
        };
        let answer = http
            .post(format!("{}/v1/pairings", code.node))
            .json(&request)
            .send()
            .await?;
        let paired: PairingAnswer = read(answer).await.context("pairing")?;
        let gate = *paired
            .gates
            .first()
            .ok_or_else(|| anyhow!("the node has no gate"))?;
        Ok(Self {
            id: paired.scanner_id,
            gate,
            http,
            pin: code.key,
            base: code.node,
            key,
            access: paired.access,
        })
    }

    /// Where its node is.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The same scanner on connections of its own to another address, such as a proxy before its
    /// node.
    ///
    /// # Errors
    /// The TLS library refuses to start.
    pub fn through(&self, base: &str) -> Result<Self> {
        Ok(Self {
            http: client(self.pin)?,
            base: base.to_owned(),
            ..self.clone()
        })
    }

    /// Scans once, with a new id.
    ///
    /// # Errors
    /// The node does not answer, or refuses the request itself.
    pub async fn scan(&self, token: &str) -> Result<ScanAnswer> {
        self.scan_as(ScanId(clock::new_id()), token).await
    }

    /// Scans with an id of the caller's: again, until it is final.
    ///
    /// # Errors
    /// The node does not answer, or refuses the request itself.
    pub async fn scan_as(&self, scan_id: ScanId, token: &str) -> Result<ScanAnswer> {
        let request = ScanRequest {
            scan_id,
            gate_id: self.gate,
            token: token.to_owned(),
        };
        self.call(Method::POST, "/v1/scans", &serde_json::to_vec(&request)?)
            .await
    }

    /// How the node is.
    ///
    /// # Errors
    /// The node does not answer.
    pub async fn status(&self) -> Result<NodeStatus> {
        self.call(Method::GET, "/v1/status", b"").await
    }

    /// A new access token, after a restart of the node or before the old one ends.
    ///
    /// # Errors
    /// The node does not answer, or does not know the scanner.
    pub async fn refresh(&mut self) -> Result<()> {
        let url = format!("{}/v1/nonce", self.base);
        let Nonce { nonce, .. } = read(self.http.get(url).send().await?).await?;
        let body = serde_json::to_vec(&TokenRequest { nonce })?;
        let request = self.request(Method::POST, "/v1/tokens", &body, "");
        let answer = request.send().await?;
        self.access = read(answer).await.context("refreshing the access token")?;
        Ok(())
    }

    /// Sends any bytes, well signed; `spoil` may then change the request: for bad input.
    ///
    /// # Errors
    /// The node does not answer.
    pub async fn send_raw(
        &self,
        method: Method,
        path: &str,
        body: &[u8],
        spoil: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Result<Reply> {
        let request = spoil(self.signed(method, path, body));
        Reply::of(request.send().await?).await
    }

    /// Sends bytes without any signature: for bad input.
    ///
    /// # Errors
    /// The node does not answer.
    pub async fn send_unsigned(&self, method: Method, path: &str, body: &[u8]) -> Result<Reply> {
        let url = format!("{}{path}", self.base);
        let request = self.http.request(method, url).body(body.to_vec());
        Reply::of(request.send().await?).await
    }

    /// This scanner on the lines of another, whose node it tries to use.
    #[must_use]
    pub fn at_node_of(&self, other: &Self) -> Self {
        Self {
            id: self.id,
            key: self.key.clone(),
            access: self.access.clone(),
            ..other.clone()
        }
    }

    /// Somebody who knows the scanner's id and access token, and not its key.
    #[must_use]
    pub fn with_key(&self, seed: [u8; 32]) -> Self {
        Self {
            key: SigningKey::from_bytes(&seed),
            ..self.clone()
        }
    }

    /// The same with another access token.
    #[must_use]
    pub fn with_access(&self, token: &str) -> Self {
        let access = AccessToken {
            token: token.to_owned(),
            expires_in: 0,
        };
        Self {
            access,
            ..self.clone()
        }
    }

    /// Its access token, to look for it where it must not be.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.access.token
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &[u8],
    ) -> Result<T> {
        read(self.signed(method, path, body).send().await?)
            .await
            .context(path.to_owned())
    }

    fn signed(&self, method: Method, path: &str, body: &[u8]) -> reqwest::RequestBuilder {
        self.request(method, path, body, &format!("Bearer {}", self.access.token))
    }

    /// The key that it knows its node by.
    #[must_use]
    pub fn pin(&self) -> Hash32 {
        self.pin
    }

    /// The headers that a request needs, for whoever sends it by other means.
    #[must_use]
    pub fn headers(&self, method: &Method, path: &str, body: &[u8]) -> [(&'static str, String); 4] {
        let authorization = format!("Bearer {}", self.access.token);
        let signed = self.sign(method, path, body, &authorization);
        [
            (signature::CONTENT_DIGEST, signed.content_digest),
            (signature::SIGNATURE_INPUT, signed.signature_input),
            (signature::SIGNATURE, signed.signature),
            ("authorization", authorization),
        ]
    }

    fn sign(&self, method: &Method, path: &str, body: &[u8], authorization: &str) -> Headers {
        let signed = Signed {
            method: method.as_str(),
            path,
            authorization,
            body,
        };
        signature::sign(&signed, self.id, &self.key)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: &[u8],
        authorization: &str,
    ) -> reqwest::RequestBuilder {
        let headers = self.sign(&method, path, body, authorization);
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header(signature::CONTENT_DIGEST, headers.content_digest)
            .header(signature::SIGNATURE_INPUT, headers.signature_input)
            .header(signature::SIGNATURE, headers.signature)
            .header("content-type", "application/json")
            .body(body.to_vec());
        if !authorization.is_empty() {
            request = request.header(AUTHORIZATION, authorization);
        }
        request
    }
}

fn client(pin: Hash32) -> Result<reqwest::Client> {
    let tls = pinned::client(pin)?;
    Ok(reqwest::Client::builder()
        .timeout(TIMEOUT)
        .use_preconfigured_tls(tls)
        .build()?)
}

async fn read<T: DeserializeOwned>(answer: reqwest::Response) -> Result<T> {
    let status = answer.status();
    let bytes = answer.bytes().await?;
    if status.is_success() {
        return serde_json::from_slice(&bytes).context("an answer of another shape");
    }
    let code = serde_json::from_slice::<ErrorBody>(&bytes).map_or_else(
        |_| String::from_utf8_lossy(&bytes).into_owned(),
        |body| body.error.code,
    );
    Err(anyhow!("the node answered {status}: {code}"))
}
