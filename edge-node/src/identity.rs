//! The node's identity: the result of its enrolment, its two private keys, and what it pins.
//!
//! One file, readable by its owner only. It is written by the enrolment, and when the certificate is
//! renewed. Anything else is a new instance in an empty data directory: an instance's id is never used
//! again (`ADMISSION` 4.4).

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use eventify_disk::files;
use eventify_protocol::{
    enrolment::BrokerAddress,
    hash::Hash32,
    ids::{NodeId, VenueId},
    keys::{KeySet, RootPublicKey, SignedKeySet},
};
use rcgen::{KeyPair, PublicKeyData as _};
use serde::{Deserialize, Serialize};

const FILE: &str = "identity.json";

/// A node's identity, as in its file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// Of this instance.
    pub node_id: NodeId,
    pub venue_id: VenueId,
    /// The venue's name for it.
    pub label: String,
    /// Base URL of the core's fleet listener.
    pub core: String,
    pub broker: BrokerAddress,
    /// The node's certificate and its authority's, PEM, leaf first.
    pub certificate_chain: String,
    /// The certificate's private key, PKCS #8 PEM, ECDSA P-256.
    pub private_key: String,
    /// The key that scanners pin, PKCS #8 PEM, ECDSA P-256. It is valid as long as the enrolment; its
    /// certificates are not.
    pub lan_key: String,
    /// The pinned root key, base64url.
    pub root_key: String,
    /// The key set at the enrolment, base64url; newer ones come with the feed.
    pub key_set: String,
}

/// Why there is no usable identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("this node is not enrolled ({} does not exist): run `eventify-edge enrol CODE`", .0.display())]
    NotEnrolled(PathBuf),
    /// The file can't be read or written.
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{} is damaged: {what}. Restore it from a backup; otherwise save the journal \
         with `eventify-edge export-journal` and enrol a new instance in an empty folder", path.display())]
    Damaged { path: PathBuf, what: String },
}

impl Identity {
    /// The same identity with another address of the broker (`link.broker`).
    #[must_use]
    pub fn behind(mut self, broker: Option<&(String, u16)>) -> Self {
        if let Some((host, port)) = broker {
            self.broker.host.clone_from(host);
            self.broker.port = *port;
        }
        self
    }

    /// The identity's file in a data directory.
    #[must_use]
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE)
    }

    #[must_use]
    pub fn exists(data_dir: &Path) -> bool {
        Self::path(data_dir).exists()
    }

    /// Reads the file and checks its keys, so that a damaged one prevents the start.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn load(data_dir: &Path) -> Result<Self, IdentityError> {
        let path = Self::path(data_dir);
        let bytes = files::read(&path).map_err(|error| {
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

    /// Writes the file, durably.
    ///
    /// # Errors
    /// [`IdentityError::File`].
    pub fn save(&self, data_dir: &Path) -> Result<(), IdentityError> {
        let path = Self::path(data_dir);
        let bytes = serde_json::to_vec_pretty(self).expect("strings and ids are JSON");
        files::replace(&path, &bytes).map_err(|error| IdentityError::File { path, error })
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

    /// The key set of the enrolment, verified against the root key.
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
