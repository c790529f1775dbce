//! Reading tokens strictly, and believing them only after the signature.

use super::{MAX_TOKEN_CHARS, PREFIX, Token, TokenHash, claims::Claims, unreadable::Unreadable};
use crate::keys::{Envelope, KeyId, KeySet, KeyUse, VerifyError, check_signature};

/// A well-formed token that nobody has vouched for yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Parsed {
    envelope: Envelope,
    claims: Claims,
    hash: TokenHash,
}

impl Parsed {
    /// Takes a scanned text apart. Never panics, and does no work on texts that are too long.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        if text.len() > MAX_TOKEN_CHARS {
            return Err(Unreadable::TooLong);
        }
        let body = text.strip_prefix(PREFIX).ok_or(Unreadable::Prefix)?;
        let cose = base45::decode(body).map_err(|_| Unreadable::Base45)?;
        if base45::encode(&cose) != body {
            return Err(Unreadable::Base45NotCanonical);
        }
        let envelope = Envelope::read(&cose, KeyUse::Ticket.content_type())?;
        let claims = Claims::from_cbor(&envelope.payload)?;
        Ok(Self {
            envelope,
            claims,
            hash: TokenHash::of_cose(&cose),
        })
    }

    /// Identifies the token in caches and journals, genuine or not.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        self.hash
    }

    /// The key that the token claims to be signed by.
    #[must_use]
    pub fn kid(&self) -> KeyId {
        self.envelope.kid
    }

    /// What the token says, for journals and diagnosis. Anybody can write anything here: decide by
    /// [`Verified::claims`] only.
    #[must_use]
    pub fn unverified_claims(&self) -> &Claims {
        &self.claims
    }

    /// The token again: the same text that was read.
    #[must_use]
    pub fn to_token(&self) -> Token {
        Token::of_cose(&self.envelope.to_bytes())
    }

    /// Believes the token, if a ticket key of the set has signed it and may vouch for its expiry.
    ///
    /// # Errors
    /// [`VerifyError`]; never [`VerifyError::Malformed`] or [`VerifyError::Retired`].
    pub fn verify(&self, keys: &KeySet) -> Result<Verified, VerifyError> {
        let entry = check_signature(&self.envelope, keys, KeyUse::Ticket, &[])?;
        if !entry.window.covers(self.claims.expiry) {
            return Err(VerifyError::OutsideWindow(self.kid()));
        }
        Ok(Verified {
            claims: self.claims,
            hash: self.hash,
        })
    }
}

impl std::fmt::Debug for Parsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parsed({:?}, {:?})", self.kid(), self.hash)
    }
}

/// A token that a ticket key has vouched for. Only [`Parsed::verify`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    claims: Claims,
    hash: TokenHash,
}

impl Verified {
    /// What the core said when it signed.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// What caches and journals know the token by.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        self.hash
    }
}
