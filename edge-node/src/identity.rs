//! Who the node is: what enrolment brought, its two private keys, and what it pins.
//!
//! One file, owner-only, written once. There is no way to change it but to enrol a new instance in
//! an empty data directory: an instance's id is never used again (`ADMISSION` 4.4).

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use eventify_protocol::{
    enrolment::BrokerAddress,
    hash::Hash32,
    ids::{NodeId, VenueId},
    keys::{KeySet, RootPublicKey, SignedKeySet},
};
use rcgen::{KeyPair, PublicKeyData as _};
use serde::{Deserialize, Serialize};

use crate::durable_file;

const FILE: &str = "identity.json";

/// A node's identity, as it lies in its file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The instance.
    pub node_id: NodeId,
    /// Its venue.
    pub venue_id: VenueId,
    /// The venue's name for it.
    pub label: String,
    /// Base URL of the core's fleet listener.
    pub core: String,
    /// The broker.
    pub broker: BrokerAddress,
    /// The node's certificate and its authority's, PEM, leaf first.
    pub certificate_chain: String,
    /// The certificate's private key, PKCS #8 PEM, ECDSA P-256.
    pub private_key: String,
    /// The key that scanners pin, PKCS #8 PEM, ECDSA P-256. Lives as long as the enrolment; the
    /// certificates around it don't.
    pub lan_key: String,
    /// The pinned root key, base64url.
    pub root_key: String,
    /// The key set as it was at enrolment, base64url; newer ones come with the feed.
    pub key_set: String,
}

/// Why there is no identity to work with.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Nobody has enrolled this node.
    #[error("this node is not enrolled: run `eventify-edge enrol CODE` (looked in {})", .0.display())]
    NotEnrolled(PathBuf),
    /// The file can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is damaged.
    #[error("{} is damaged: {what}; restore it from a backup or enrol anew", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl Identity {
    /// The same identity, with the broker reached elsewhere (`link.broker`).
    #[must_use]
    pub fn behind(mut self, broker: Option<&(String, u16)>) -> Self {
        if let Some((host, port)) = broker {
            self.broker.host.clone_from(host);
            self.broker.port = *port;
        }
        self
    }

    /// Where the identity lies.
    #[must_use]
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE)
    }

    /// Whether there is one.
    #[must_use]
    pub fn exists(data_dir: &Path) -> bool {
        Self::path(data_dir).exists()
    }

    /// Reads it, keys and pins included, so that a damaged one stops the start.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn load(data_dir: &Path) -> Result<Self, IdentityError> {
        let path = Self::path(data_dir);
        let bytes = fs::read(&path).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                IdentityError::NotEnrolled(path.clone())
            } else {
                IdentityError::File {
                    path: path.clone(),
                    error,
                }
            }
        })?;
        let damaged = |what: String| IdentityError::Damaged {
            path: path.clone(),
            what,
        };
        let identity: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        identity
            .root()
            .and_then(|_| identity.lan_key_pair())
            .map_err(damaged)?;
        Ok(identity)
    }

    /// Writes it, durably.
    ///
    /// # Errors
    /// [`IdentityError::File`].
    pub fn save(&self, data_dir: &Path) -> Result<(), IdentityError> {
        let path = Self::path(data_dir);
        let bytes = serde_json::to_vec_pretty(self).expect("strings and ids are JSON");
        durable_file::replace(&path, &bytes).map_err(|error| IdentityError::File { path, error })
    }

    /// The pinned root key.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn root(&self) -> Result<RootPublicKey, String> {
        let bytes = URL_SAFE_NO_PAD
            .decode(&self.root_key)
            .map_err(|error| format!("the root key is not base64url: {error}"))?;
        RootPublicKey::from_bytes(&bytes).map_err(|error| format!("the root key: {error}"))
    }

    /// The key set as of enrolment, verified against the root.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn first_key_set(&self) -> Result<KeySet, String> {
        let bytes = URL_SAFE_NO_PAD
            .decode(&self.key_set)
            .map_err(|error| format!("the key set is not base64url: {error}"))?;
        let signed = SignedKeySet::from_bytes(bytes);
        signed
            .verify(&self.root()?)
            .map_err(|error| format!("the key set: {error}"))
    }

    /// The LAN key.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn lan_key_pair(&self) -> Result<KeyPair, String> {
        KeyPair::from_pem(&self.lan_key).map_err(|error| format!("the LAN key: {error}"))
    }

    /// What scanners pin: SHA-256 over the LAN key's `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// What is wrong with the key.
    pub fn lan_fingerprint(&self) -> Result<Hash32, String> {
        Ok(Hash32::of(&self.lan_key_pair()?.subject_public_key_info()))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("node_id", &self.node_id)
            .field("venue_id", &self.venue_id)
            .finish_non_exhaustive()
    }
}
