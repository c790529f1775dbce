//! What a scanned text turned out to be, before anybody asks whether its ticket may enter.
//!
//! Signatures are checked outside of the machines, on as many threads as there are; a machine only
//! takes the result.

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
    /// No token at all, or a damaged one.
    Unreadable {
        /// Hash of the text as scanned.
        hash: Hash32,
    },
    /// Well formed, but no key of ours vouches for it.
    Forged {
        /// The token's hash.
        hash: TokenHash,
    },
    /// Signed by a key that this key set does not have: forged, or newer than the set.
    UnknownKey {
        /// What it claims to be; to be believed only if the core admits it.
        claimed: SignedTicket,
    },
    /// Signed by a ticket key.
    Signed(SignedTicket),
}

/// A token's hash and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedTicket {
    /// The token's hash.
    pub hash: TokenHash,
    /// What it says.
    pub claims: Claims,
}

impl TokenCheck {
    /// Reads and verifies a text.
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

    /// What the journal and the core know the text by.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        match self {
            Self::Unreadable { hash } => *hash,
            Self::Forged { hash } => hash.0,
            Self::UnknownKey { claimed } => claimed.hash.0,
            Self::Signed(signed) => signed.hash.0,
        }
    }

    /// What the text says, if a key vouches for it, or one that this key set does not have may.
    #[must_use]
    pub fn claimed(&self) -> Option<&SignedTicket> {
        match self {
            Self::Signed(signed) => Some(signed),
            Self::UnknownKey { claimed } => Some(claimed),
            Self::Unreadable { .. } | Self::Forged { .. } => None,
        }
    }

    /// The ticket, if the token is good.
    #[must_use]
    pub fn signed(&self) -> Option<&SignedTicket> {
        match self {
            Self::Signed(signed) => Some(signed),
            Self::Unreadable { .. } | Self::Forged { .. } | Self::UnknownKey { .. } => None,
        }
    }
}

impl SignedTicket {
    /// The ticket's id.
    #[must_use]
    pub fn ticket(&self) -> TicketId {
        self.claims.ticket
    }

    /// The performance that it is for.
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
