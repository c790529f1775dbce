//! The check of a scanned text: is it a token, and who signed it.
//!
//! Signatures are checked outside of the machines, on many threads; a machine only gets the result.

use std::fmt;

use eventify_protocol::{
    hash::Hash32,
    ids::{PerformanceId, TicketId},
    keys::{KeySet, VerifyError},
    token::{Claims, Parsed, TokenHash, Verified},
};

/// A scanned text, checked against a key set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TokenCheck {
    /// No token, or a damaged one. The hash is that of the text as scanned.
    Unreadable { hash: Hash32 },
    /// Well formed, but not validly signed by a ticket key.
    Forged { hash: TokenHash },
    /// Signed by a key that this key set does not have: forged, or newer than the set. Its claims count
    /// only if the core admits it.
    UnknownKey { claimed: SignedTicket },
    /// Signed by a ticket key.
    Signed(SignedTicket),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedTicket {
    pub hash: TokenHash,
    pub claims: Claims,
}

impl TokenCheck {
    /// Parses and verifies a text.
    #[must_use]
    pub fn of(text: &str, keys: &KeySet) -> Self {
        let Ok(parsed) = Parsed::read(text) else {
            return Self::Unreadable {
                hash: Hash32::of(text.as_bytes()),
            };
        };
        match parsed.verify(keys) {
            Ok(verified) => Self::Signed(verified.into()),
            Err(VerifyError::UnknownKey(_)) => Self::UnknownKey {
                claimed: SignedTicket {
                    hash: parsed.hash(),
                    claims: *parsed.unverified_claims(),
                },
            },
            Err(
                VerifyError::Malformed(_)
                | VerifyError::WrongUse(_)
                | VerifyError::Withdrawn(_)
                | VerifyError::Retired(_)
                | VerifyError::BadSignature(_)
                | VerifyError::OutsideWindow(_),
            ) => Self::Forged {
                hash: parsed.hash(),
            },
        }
    }

    /// What identifies the text in the journal and at the core.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        match self {
            Self::Unreadable { hash } => *hash,
            Self::Forged { hash } => hash.0,
            Self::UnknownKey { claimed } => claimed.hash.0,
            Self::Signed(signed) => signed.hash.0,
        }
    }

    /// The token's claims if it is signed by a ticket key, or by a key that this key set does not have.
    #[must_use]
    pub fn claimed(&self) -> Option<&SignedTicket> {
        match self {
            Self::Signed(signed) => Some(signed),
            Self::UnknownKey { claimed } => Some(claimed),
            Self::Unreadable { .. } | Self::Forged { .. } => None,
        }
    }

    /// The token's claims if it is signed by a ticket key.
    #[must_use]
    pub fn signed(&self) -> Option<&SignedTicket> {
        match self {
            Self::Signed(signed) => Some(signed),
            Self::Unreadable { .. } | Self::Forged { .. } | Self::UnknownKey { .. } => None,
        }
    }
}

impl SignedTicket {
    #[must_use]
    pub fn ticket(&self) -> TicketId {
        self.claims.ticket
    }

    #[must_use]
    pub fn performance(&self) -> PerformanceId {
        self.claims.performance
    }
}

impl From<Verified> for SignedTicket {
    fn from(verified: Verified) -> Self {
        Self {
            hash: verified.hash(),
            claims: *verified.claims(),
        }
    }
}

impl fmt::Debug for TokenCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { .. } => f.write_str("Unreadable"),
            Self::Forged { .. } => f.write_str("Forged"),
            Self::UnknownKey { .. } => f.write_str("UnknownKey"),
            Self::Signed(signed) => write!(f, "Signed({:?})", signed.ticket()),
        }
    }
}
