//! The check of a scanned text: is it a token, and who signed it; or is it a ticket's short code.
//!
//! Signatures are checked outside of the machines, on many threads; a machine only gets the result.

use std::fmt;

use eventify_protocol::{
    hash::Hash32,
    ids::{PerformanceId, TicketId},
    keys::{KeySet, VerifyError},
    short_code::CodeHash,
    sync::ScannedTicket,
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
    /// A short code, typed by staff. The ticket is the one that replica or core have under it, if they
    /// have been asked and have one: then the scan is a scan of that ticket's token.
    Code {
        code: CodeHash,
        ticket: Option<SignedTicket>,
    },
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
            // Not that of the ticket's token, which may be another by the next request: a scan id is
            // bound to what was typed.
            Self::Code { code, .. } => code.0,
        }
    }

    /// The short code, if it is one.
    #[must_use]
    pub fn code(&self) -> Option<CodeHash> {
        match self {
            Self::Code { code, .. } => Some(*code),
            Self::Unreadable { .. }
            | Self::Forged { .. }
            | Self::UnknownKey { .. }
            | Self::Signed(_) => None,
        }
    }

    /// The same, and a short code with the ticket that was found under it.
    #[must_use]
    pub fn with_ticket(self, found: &ScannedTicket) -> Self {
        match self {
            Self::Code { code, .. } => Self::Code {
                code,
                ticket: Some(SignedTicket::vouched(found)),
            },
            Self::Unreadable { .. }
            | Self::Forged { .. }
            | Self::UnknownKey { .. }
            | Self::Signed(_) => self,
        }
    }

    /// The token's claims if it is signed by a ticket key, or by a key that this key set does not have;
    /// and the ticket under a short code.
    #[must_use]
    pub fn claimed(&self) -> Option<&SignedTicket> {
        match self {
            Self::Signed(signed) => Some(signed),
            Self::UnknownKey { claimed } => Some(claimed),
            Self::Code { ticket, .. } => ticket.as_ref(),
            Self::Unreadable { .. } | Self::Forged { .. } => None,
        }
    }

    /// The token's claims if it is signed by a ticket key; and the ticket under a short code.
    #[must_use]
    pub fn signed(&self) -> Option<&SignedTicket> {
        match self {
            Self::Signed(signed) => Some(signed),
            Self::Code { ticket, .. } => ticket.as_ref(),
            Self::Unreadable { .. } | Self::Forged { .. } | Self::UnknownKey { .. } => None,
        }
    }
}

impl SignedTicket {
    /// The ticket itself in place of its token, which nobody has presented: no bounds of its own.
    #[must_use]
    pub fn vouched(found: &ScannedTicket) -> Self {
        Self {
            hash: found.token,
            claims: Claims {
                ticket: found.ticket,
                performance: found.performance,
                category: found.category,
                not_before: 0,
                expiry: u32::MAX.into(),
                revision: 1,
            },
        }
    }

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
            Self::Code { ticket, .. } => {
                write!(f, "Code({:?})", ticket.as_ref().map(SignedTicket::ticket))
            }
        }
    }
}
