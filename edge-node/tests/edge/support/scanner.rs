//! A scanner on the LAN: pins the node's key, signs its requests.

use std::sync::Arc;

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
use reqwest::{Response, StatusCode};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

#[derive(Clone)]
pub(crate) struct Scanner {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) key: SigningKey,
    pub(crate) id: ScannerId,
    pub(crate) gates: Vec<GateId>,
    pub(crate) access: String,
}

/// What a request was answered if it was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
}

impl Scanner {
    /// Reads the code on the node's screen and pairs.
    pub(crate) async fn pair(code: &str, seed: u8) -> Result<Self, Refusal> {
        let code: PairingCode = code.parse().unwrap();
        let key = SigningKey::from_bytes(&[seed; 32]);
        let http = pinned_client(code.key);
        let request = PairingRequest {
            code: code.secret,
            public_key: URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes()),
            label: format!("Scanner {seed}"),
        };
        let url = format!("{}/v1/pairings", code.node);
        let response = http.post(url).json(&request).send().await.unwrap();
        let answer: PairingAnswer = read(response).await?;
        Ok(Self {
            http,
            url: code.node,
            key,
            id: answer.scanner_id,
            gates: answer.gates,
            access: answer.access.token,
        })
    }

    pub(crate) async fn scan(
        &self,
        gate: GateId,
        scan: ScanId,
        token: &str,
    ) -> Result<ScanAnswer, Refusal> {
        self.try_scan(gate, scan, token).await.unwrap()
    }

    /// Fails if no answer comes, as when the node dies.
    pub(crate) async fn try_scan(
        &self,
        gate: GateId,
        scan: ScanId,
        token: &str,
    ) -> Result<Result<ScanAnswer, Refusal>, reqwest::Error> {
        let request = ScanRequest {
            scan_id: scan,
            gate_id: gate,
            token: token.to_owned(),
        };
        let body = serde_json::to_vec(&request).unwrap();
        try_read(self.send("POST", "/v1/scans", &self.bearer(), body).await?).await
    }

    pub(crate) async fn status(&self) -> Result<NodeStatus, Refusal> {
        read(
            self.send("GET", "/v1/status", &self.bearer(), vec![])
                .await
                .unwrap(),
        )
        .await
    }

    pub(crate) async fn stream(&self) -> Response {
        self.send("GET", "/v1/stream", &self.bearer(), vec![])
            .await
            .unwrap()
    }

    /// Gets a new access token, as after a restart of the node.
    pub(crate) async fn refresh(&mut self) -> Result<(), Refusal> {
        let body = self.token_request().await;
        let response = self.send("POST", "/v1/tokens", "", body).await.unwrap();
        let access: AccessToken = read(response).await?;
        self.access = access.token;
        Ok(())
    }

    /// The body of a request for an access token, with a nonce of this moment.
    pub(crate) async fn token_request(&self) -> Vec<u8> {
        let url = format!("{}/v1/nonce", self.url);
        let given: Nonce = read(self.http.get(url).send().await.unwrap())
            .await
            .unwrap();
        serde_json::to_vec(&TokenRequest { nonce: given.nonce }).unwrap()
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.access)
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        authorization: &str,
        body: Vec<u8>,
    ) -> Result<Response, reqwest::Error> {
        let headers = self.sign(method, path, authorization, &body);
        self.send_with(method, path, authorization, body, &headers)
            .await
    }

    pub(crate) fn sign(
        &self,
        method: &str,
        path: &str,
        authorization: &str,
        body: &[u8],
    ) -> Headers {
        signature::sign(
            &Signed {
                method,
                path,
                authorization,
                body,
            },
            self.id,
            &self.key,
        )
    }

    pub(crate) async fn send_with(
        &self,
        method: &str,
        path: &str,
        authorization: &str,
        body: Vec<u8>,
        headers: &Headers,
    ) -> Result<Response, reqwest::Error> {
        let mut request = self
            .http
            .request(method.parse().unwrap(), format!("{}{path}", self.url))
            .header(signature::CONTENT_DIGEST, &headers.content_digest)
            .header(signature::SIGNATURE_INPUT, &headers.signature_input)
            .header(signature::SIGNATURE, &headers.signature)
            .body(body);
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        request.send().await
    }
}

pub(crate) async fn read<T: serde::de::DeserializeOwned>(response: Response) -> Result<T, Refusal> {
    try_read(response).await.unwrap()
}

async fn try_read<T: serde::de::DeserializeOwned>(
    response: Response,
) -> Result<Result<T, Refusal>, reqwest::Error> {
    let status = response.status();
    let bytes = response.bytes().await?;
    if status == StatusCode::OK || status == StatusCode::CREATED {
        return Ok(Ok(serde_json::from_slice(&bytes).unwrap()));
    }
    let body: ErrorBody = serde_json::from_slice(&bytes)
        .unwrap_or_else(|error| panic!("{status}: {error}: {:?}", String::from_utf8_lossy(&bytes)));
    Ok(Err(Refusal {
        status: status.as_u16(),
        code: body.error.code,
    }))
}

/// Trusts one key, whatever certificate is around it.
pub(crate) fn pinned_client(key: Hash32) -> reqwest::Client {
    reqwest::Client::builder()
        .tls_backend_preconfigured(pinned_config(key))
        .no_proxy()
        .build()
        .unwrap()
}

/// The same for connections of a test's own.
pub(crate) fn pinned_config(key: Hash32) -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedKey { key, provider }))
        .with_no_client_auth()
}

#[derive(Debug)]
struct PinnedKey {
    key: Hash32,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let (_, certificate) = x509_parser::parse_x509_certificate(end_entity)
            .map_err(|error| Error::General(error.to_string()))?;
        if Hash32::of(certificate.public_key().raw) == self.key {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::General("another key than the pinned one".to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
