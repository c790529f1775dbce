//! The root: the one key that nodes pin at enrolment. It signs key sets and nothing else.

use std::{fmt, str::FromStr};

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{
    cose::Envelope,
    kid::KeyId,
    pair::{KeyError, PrivateKey, PublicKey},
    set::KeySet,
    signer::VerifyError,
};
use crate::hash::Hash32;

const CONTENT_TYPE: &str = "application/vnd.eventify.key-set+cbor";

/// The root's private half. May be kept offline: it is needed only when the key set changes.
pub struct RootKey(PrivateKey);

impl RootKey {
    /// Takes a key for the root; it must have no other use.
    #[must_use]
    pub fn new(key: PrivateKey) -> Self {
        Self(key)
    }

    /// The public half, to be pinned.
    #[must_use]
    pub fn public(&self) -> RootPublicKey {
        RootPublicKey(self.0.public())
    }

    /// Signs a set.
    #[must_use]
    pub fn sign(&self, keys: &KeySet) -> SignedKeySet {
        let payload = encode(keys);
        let sign = |message: &[u8]| self.0.sign(message);
        SignedKeySet(
            Envelope::seal(self.0.kid(), Some(CONTENT_TYPE), payload, &[], sign).to_bytes(),
        )
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey({})", self.0.kid())
    }
}

/// The root's public half, as pinned: 32 bytes, hexadecimal in JSON and configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct RootPublicKey(#[n(0)] PublicKey);

impl RootPublicKey {
    /// Reads the 32 bytes of RFC 8032.
    ///
    /// # Errors
    /// [`KeyError`] for anything but a canonical point of prime order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        PublicKey::from_bytes(bytes).map(Self)
    }

    /// The 32 bytes of RFC 8032.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// What people compare and enrolment codes carry: the COSE key thumbprint (RFC 9679, SHA-256).
    #[must_use]
    pub fn fingerprint(&self) -> Hash32 {
        self.0.thumbprint()
    }

    /// The name in the header of what it signed.
    #[must_use]
    pub fn kid(&self) -> KeyId {
        self.0.kid()
    }
}

impl fmt::Display for RootPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RootPublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A key set as it travels and is stored: tagged `COSE_Sign1` by the root over the set's CBOR.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct SignedKeySet(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>);

/// Why a signed set was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetRefused {
    /// Not signed by the root.
    #[error(transparent)]
    Unverified(#[from] VerifyError),
    /// Signed, but not a key set in its only encoding, or one that can't be.
    #[error("the payload is not a key set")]
    NotAKeySet,
}

impl KeySetRefused {
    /// For logs, metrics and golden vectors; never changes.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unverified(reason) => reason.code(),
            Self::NotAKeySet => "key_set_payload",
        }
    }
}

impl SignedKeySet {
    /// Takes bytes from a wire or a store; they are looked at only by [`Self::verify`].
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// As on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The set, if the pinned root has signed it. Whether it is newer than the one held is the
    /// caller's to ask ([`KeySet::supersedes`]).
    ///
    /// # Errors
    /// [`KeySetRefused`].
    pub fn verify(&self, root: &RootPublicKey) -> Result<KeySet, KeySetRefused> {
        let envelope = Envelope::read(&self.0, Some(CONTENT_TYPE)).map_err(VerifyError::from)?;
        if envelope.kid != root.kid() {
            return Err(VerifyError::UnknownKey(envelope.kid).into());
        }
        if !root
            .0
            .verifies(&envelope.to_be_signed(&[]), &envelope.signature)
        {
            return Err(VerifyError::BadSignature(envelope.kid).into());
        }
        let keys = minicbor::decode(&envelope.payload).map_err(|_| KeySetRefused::NotAKeySet)?;
        if encode(&keys) == envelope.payload {
            Ok(keys)
        } else {
            Err(KeySetRefused::NotAKeySet)
        }
    }
}

impl fmt::Debug for SignedKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedKeySet({} bytes)", self.0.len())
    }
}

fn encode(keys: &KeySet) -> Vec<u8> {
    minicbor::to_vec(keys).expect("writing to memory does not fail")
}
