//! Signing and verifying everything that is not a ticket.

use std::fmt;

use super::{
    cose::{Envelope, Malformed},
    kid::KeyId,
    pair::{PrivateKey, PublicKey},
    set::{KeyEntry, KeySet, KeyStatus, KeyUse},
};

/// Why a signature was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum VerifyError {
    /// Not a signed object at all.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// No key of this name is in the set: forged, or newer than the set.
    #[error("key {0} is not in the key set")]
    UnknownKey(KeyId),
    /// The key is for something else.
    #[error("key {0} is for another use")]
    WrongUse(KeyId),
    /// The key is compromised.
    #[error("key {0} is withdrawn")]
    Withdrawn(KeyId),
    /// The key is retired, and what it signs does not outlive that.
    #[error("key {0} is retired")]
    Retired(KeyId),
    /// The signature is not this key's over these bytes.
    #[error("not signed by key {0}")]
    BadSignature(KeyId),
    /// Signed by the key, but for a time that it may not vouch for.
    #[error("outside of the window of key {0}")]
    OutsideWindow(KeyId),
}

impl VerifyError {
    /// For logs, metrics and golden vectors; never changes.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed(rule) => rule.code(),
            Self::UnknownKey(_) => "key_unknown",
            Self::WrongUse(_) => "key_wrong_use",
            Self::Withdrawn(_) => "key_withdrawn",
            Self::Retired(_) => "key_retired",
            Self::BadSignature(_) => "bad_signature",
            Self::OutsideWindow(_) => "key_outside_window",
        }
    }
}

/// A private key bound to what it may sign.
#[derive(Clone)]
pub struct Signer {
    key: PrivateKey,
    key_use: KeyUse,
}

impl Signer {
    /// Signs sync points.
    #[must_use]
    pub fn for_sync(key: PrivateKey) -> Self {
        Self {
            key,
            key_use: KeyUse::Sync,
        }
    }

    /// Signs tickets; only [`crate::token::TicketSigner`] may.
    pub(crate) fn for_tickets(key: PrivateKey) -> Self {
        Self {
            key,
            key_use: KeyUse::Ticket,
        }
    }

    /// The name of the key.
    #[must_use]
    pub fn kid(&self) -> KeyId {
        self.key.kid()
    }

    /// The public half, for the key set.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// The payload as tagged `COSE_Sign1`. `external_aad` is signed but not sent: both sides must
    /// know it.
    #[must_use]
    pub fn sign_cose(&self, payload: &[u8], external_aad: &[u8]) -> Vec<u8> {
        Envelope::seal(
            self.kid(),
            self.key_use.content_type(),
            payload.to_vec(),
            external_aad,
            |message| self.key.sign(message),
        )
        .to_bytes()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({:?}, {})", self.key_use, self.kid())
    }
}

/// The payload of a tagged `COSE_Sign1` that a key of this use in the set has signed.
///
/// # Errors
/// [`VerifyError`]; never [`VerifyError::OutsideWindow`], which needs a payload that is understood.
pub fn verify_cose(
    bytes: &[u8],
    keys: &KeySet,
    key_use: KeyUse,
    external_aad: &[u8],
) -> Result<Vec<u8>, VerifyError> {
    let envelope = Envelope::read(bytes, key_use.content_type())?;
    check_signature(&envelope, keys, key_use, external_aad)?;
    Ok(envelope.payload)
}

/// The entry of the key that has signed the envelope, if that key counts for this use.
pub(crate) fn check_signature<'k>(
    envelope: &Envelope,
    keys: &'k KeySet,
    key_use: KeyUse,
    external_aad: &[u8],
) -> Result<&'k KeyEntry, VerifyError> {
    let kid = envelope.kid;
    let entry = keys.find(kid).ok_or(VerifyError::UnknownKey(kid))?;
    if entry.key_use != key_use {
        return Err(VerifyError::WrongUse(kid));
    }
    match entry.status {
        KeyStatus::Active => {}
        KeyStatus::Retired if key_use.outlives_retirement() => {}
        KeyStatus::Retired => return Err(VerifyError::Retired(kid)),
        KeyStatus::Withdrawn => return Err(VerifyError::Withdrawn(kid)),
    }
    if entry
        .key
        .verifies(&envelope.to_be_signed(external_aad), &envelope.signature)
    {
        Ok(entry)
    } else {
        Err(VerifyError::BadSignature(kid))
    }
}
