use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::SigningKey;
use eventify_protocol::{
    hash::Hash32,
    ids::{GateId, NodeId, ScannerId, VenueId},
    lan::{
        AccessToken, ActAnswer, ActRequest, NodeStatus, PairingCode, PairingRequest, ScanAnswer,
        ScanRequest, SearchAnswer, SearchRequest, TokenRequest, VenueCounts,
    },
};
use reqwest::Method;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{ClientError, Credentials, Events, NodeClient, Request, Timeouts, node::json};

/// What a scanner stores when it was paired. Holds its private key: store it where nobody else reads
/// it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pairing {
    /// `https://HOST:PORT`
    pub node_url: String,
    /// SHA-256 of the `SubjectPublicKeyInfo` of the node's LAN key.
    pub node_key: Hash32,
    /// The node.
    pub node_id: NodeId,
    /// Its venue.
    pub venue_id: VenueId,
    /// The scanner's id at the node.
    pub scanner_id: ScannerId,
    /// The gates that the scanner may scan for, as of the pairing; the status has the current ones.
    pub gates: Vec<GateId>,
    /// The scanner's private key, in JSON base64url of its 32 bytes.
    #[serde(with = "signing_key")]
    pub key: SigningKey,
}

/// A paired scanner. Cheap to clone; clones share the connections, not the access token.
#[derive(Clone, Debug)]
pub struct Scanner {
    node: NodeClient,
    pairing: Arc<Pairing>,
    access: Option<AccessToken>,
}

impl Scanner {
    /// Pairs with the node that shows `code`. The code works once; if the answer was lost, pair with
    /// a new code and the same key, which keeps its scanner id. `label` has 1 to 64 characters.
    ///
    /// # Errors
    /// Any.
    pub async fn pair(
        code: &PairingCode,
        key: SigningKey,
        label: &str,
        timeouts: Timeouts,
    ) -> Result<Self, ClientError> {
        let node = NodeClient::new(&code.node, code.key, timeouts)?;
        let request = PairingRequest {
            code: code.secret.clone(),
            public_key: URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes()),
            label: label.to_owned(),
        };
        let answer = node.pair(&request, &key).await?;
        let pairing = Pairing {
            node_url: code.node.clone(),
            node_key: code.key,
            node_id: answer.node_id,
            venue_id: answer.venue_id,
            scanner_id: answer.scanner_id,
            gates: answer.gates.iter().map(|gate| gate.gate_id).collect(),
            key,
        };
        Ok(Self {
            node,
            pairing: Arc::new(pairing),
            access: Some(answer.access),
        })
    }

    /// A scanner that was paired before. It has no access token yet: renew it first.
    ///
    /// # Errors
    /// [`ClientError::Setup`].
    pub fn resume(pairing: Pairing, timeouts: Timeouts) -> Result<Self, ClientError> {
        Ok(Self {
            node: NodeClient::new(&pairing.node_url, pairing.node_key, timeouts)?,
            pairing: Arc::new(pairing),
            access: None,
        })
    }

    /// The same scanner for the same node at another address, on new connections.
    ///
    /// # Errors
    /// [`ClientError::Setup`].
    pub fn at(&self, url: &str) -> Result<Self, ClientError> {
        let mut moved = self.clone();
        moved.node = self.node.at(url)?;
        url.clone_into(&mut Arc::make_mut(&mut moved.pairing).node_url);
        Ok(moved)
    }

    /// What to store.
    #[must_use]
    pub fn pairing(&self) -> &Pairing {
        &self.pairing
    }

    /// The connections to the node.
    #[must_use]
    pub fn node(&self) -> &NodeClient {
        &self.node
    }

    /// The access token. The node ends it `expires_in` seconds after it gave it out, and when it
    /// restarts.
    #[must_use]
    pub fn access(&self) -> Option<&AccessToken> {
        self.access.as_ref()
    }

    /// What the scanner signs its requests with, now.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials {
            scanner_id: self.pairing.scanner_id,
            key: self.pairing.key.clone(),
            access: self.access.clone(),
        }
    }

    /// `POST /v1/scans`. [`OpenScan`](crate::OpenScan) says what to do with the result.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn scan(&self, scan: &ScanRequest) -> Result<ScanAnswer, ClientError> {
        self.call(Method::POST, "/v1/scans", json(scan)).await
    }

    /// `POST /v1/acts`. After a lost answer send the same act again: it is done once.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn act(&self, act: &ActRequest) -> Result<ActAnswer, ClientError> {
        self.call(Method::POST, "/v1/acts", json(act)).await
    }

    /// `GET /v1/status`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn status(&self) -> Result<NodeStatus, ClientError> {
        self.call(Method::GET, "/v1/status", Vec::new()).await
    }

    /// `GET /v1/counts`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn counts(&self) -> Result<VenueCounts, ClientError> {
        self.call(Method::GET, "/v1/counts", Vec::new()).await
    }

    /// `POST /v1/searches`. The same search may be sent again while its answer is missing.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn search(&self, search: &SearchRequest) -> Result<SearchAnswer, ClientError> {
        self.call(Method::POST, "/v1/searches", json(search)).await
    }

    /// `GET /v1/stream`: events from now on, as long as this scanner has an access token. Renew it in
    /// time ([`Scanner::renew_after`]) and the stream goes on.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn events(&self) -> Result<Events, ClientError> {
        let request = self
            .credentials()
            .sign(Method::GET, "/v1/stream", Vec::new());
        self.node.open(&request).await.and_then(Events::new)
    }

    /// How long after it was given out the access token is to be renewed: at half its life, so that a
    /// renewal that fails can be tried again before streams end. None without one: renew it now.
    #[must_use]
    pub fn renew_after(&self) -> Option<Duration> {
        let access = self.access.as_ref()?;
        Some(Duration::from_secs(access.expires_in) / 2)
    }

    /// `GET /v1/nonce` and `POST /v1/tokens`: a new access token in the place of the old one, which
    /// stays good until its end. Open streams go on.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`]. With `scanner_unknown` (unpaired at the node or by the core) and
    /// `scanner_expired` (not seen for 30 days) pair again.
    pub async fn renew_access(&mut self) -> Result<(), ClientError> {
        let request = self.access_request().await?;
        self.access = Some(self.node.send(&request).await?.read()?);
        Ok(())
    }

    /// The request for a new access token, with a nonce that the node gave out just now.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn access_request(&self) -> Result<Request, ClientError> {
        let nonce = self.node.nonce().await?.nonce;
        let without_access = Credentials {
            access: None,
            ..self.credentials()
        };
        let body = json(&TokenRequest { nonce });
        Ok(without_access.sign(Method::POST, "/v1/tokens", body))
    }

    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, ClientError> {
        let request = self.credentials().sign(method, path, body);
        self.node.send(&request).await?.read()
    }

    /// A request whose answer says nothing more.
    pub(crate) async fn tell(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(), ClientError> {
        let request = self.credentials().sign(method, path, body);
        self.node.send(&request).await?.read_nothing()
    }
}

mod signing_key {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use ed25519_dalek::SigningKey;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(key: &SigningKey, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(key.as_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SigningKey, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(D::Error::custom)?;
        let seed: [u8; 32] = bytes
            .try_into()
            .map_err(|_| D::Error::custom("a signing key has 32 bytes"))?;
        Ok(SigningKey::from_bytes(&seed))
    }
}
