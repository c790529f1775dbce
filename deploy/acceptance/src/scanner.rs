//! A scanner at a gate: one paired with a node, and the wrong requests that it can send.

use std::time::Duration;

use anyhow::{Context as _, Result};
use eventify_lan_client::{self as lan, Method, Request, SigningKey, Timeouts};
use eventify_protocol::{
    hash::Hash32,
    ids::{GateId, ScanId},
    lan::{AccessToken, NodeStatus, PairingCode, ScanAnswer, ScanRequest},
};

use crate::{api::Reply, clock};

/// A node answers or refuses within this.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(3),
    request: Duration::from_secs(3),
    silence: Duration::from_secs(3),
};

/// One paired scanner.
#[derive(Clone, Debug)]
pub struct Scanner {
    /// Its gate.
    pub gate: GateId,
    lan: lan::Scanner,
}

impl Scanner {
    /// Pairs by the code on the node's screen, for the first gate that the node gives it.
    ///
    /// # Errors
    /// The code is damaged or used, or the node can't be reached.
    pub async fn pair(code: &str, label: &str, seed: [u8; 32]) -> Result<Self> {
        let code: PairingCode = code.parse()?;
        let key = SigningKey::from_bytes(&seed);
        let lan = lan::Scanner::pair(&code, key, label, TIMEOUTS).await?;
        let gates = &lan.pairing().gates;
        let gate = *gates.first().context("the node has no gate")?;
        Ok(Self { gate, lan })
    }

    /// The calls of its node's API.
    #[must_use]
    pub fn lan(&self) -> &lan::Scanner {
        &self.lan
    }

    /// Where its node is.
    #[must_use]
    pub fn base(&self) -> &str {
        self.lan.node().url()
    }

    /// The key that it knows its node by.
    #[must_use]
    pub fn pin(&self) -> Hash32 {
        self.lan.node().key()
    }

    /// The same scanner on connections of its own to another address, such as a proxy before its
    /// node.
    ///
    /// # Errors
    /// The TLS library refuses to start.
    pub fn through(&self, base: &str) -> Result<Self> {
        Ok(Self {
            gate: self.gate,
            lan: self.lan.at(base)?,
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
        Ok(self.lan.scan(&request).await?)
    }

    /// How the node is.
    ///
    /// # Errors
    /// The node does not answer.
    pub async fn status(&self) -> Result<NodeStatus> {
        Ok(self.lan.status().await?)
    }

    /// A new access token, after a restart of the node or before the old one ends.
    ///
    /// # Errors
    /// The node does not answer, or does not know the scanner.
    pub async fn refresh(&mut self) -> Result<()> {
        let renewed = self.lan.renew_access().await;
        renewed.context("refreshing the access token")
    }

    /// A request of this scanner, well signed, to be changed: for bad input.
    #[must_use]
    pub fn request(&self, method: Method, path: &str, body: &[u8]) -> Request {
        self.lan.credentials().sign(method, path, body.to_vec())
    }

    /// The headers that a request needs, for sending it by other means.
    #[must_use]
    pub fn headers(&self, method: &Method, path: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        self.request(method.clone(), path, body).headers()
    }

    /// The request of somebody who knows the scanner's id and access token, and not its key.
    #[must_use]
    pub fn request_with_key(&self, seed: [u8; 32], path: &str, body: &[u8]) -> Request {
        let mut forger = self.lan.credentials();
        forger.key = SigningKey::from_bytes(&seed);
        forger.sign(Method::POST, path, body.to_vec())
    }

    /// The same with another access token.
    #[must_use]
    pub fn request_with_access(&self, token: &str, path: &str, body: &[u8]) -> Request {
        let mut guesser = self.lan.credentials();
        guesser.access = Some(AccessToken {
            token: token.to_owned(),
            expires_in: 0,
        });
        guesser.sign(Method::POST, path, body.to_vec())
    }

    /// Sends any request to this scanner's node: for bad input.
    ///
    /// # Errors
    /// The node does not answer.
    pub async fn send(&self, request: &Request) -> Result<Reply> {
        Ok(self.lan.node().send(request).await?.into())
    }

    /// Its access token, to look for it where it must not be.
    #[must_use]
    pub fn access_token(&self) -> &str {
        self.lan.access().map_or("", |access| &access.token)
    }
}
