//! The ticket token: a CWT (RFC 8392) in tagged `COSE_Sign1` (RFC 9052) with EdDSA, as Base45 text
//! (RFC 9285) after the prefix `EV1:`. It fits a QR code of version 9 at level M.
//!
//! | label | claim | encoding |
//! |---|---|---|
//! | 4 `exp` | admitted until, Unix seconds | unsigned, 32 bits |
//! | 5 `nbf` | admitted from, Unix seconds | unsigned, 32 bits |
//! | 7 `cti` | ticket id | 16 bytes |
//! | −65537 | performance id | 16 bytes |
//! | −65538 | category or zone code | text, 1–16 of `A-Z 0-9 . _ -` |
//! | −65539 | revision, counts up when a ticket is reissued | unsigned, 32 bits |
//!
//! The last three are from the range that RFC 8392 (section 9.1.1) leaves to private use. There
//! are no others, and no personal data. The protected header is exactly `{1: -8, 4: kid}`, the
//! unprotected one empty, `external_aad` empty: any COSE library can verify a token with the
//! published key set ([`crate::keys::KeySet::to_cose_key_set`]). COSE's tag 18 is always there,
//! the CWT tag 61 never.
//!
//! The way of a token is [`TicketSigner::sign`] → [`Token`] → [`Parsed::read`] →
//! [`Parsed::verify`] → [`Verified`]. There is one text for each signed ticket: whatever
//! [`Parsed::read`] accepts, encodes to the same text again.
//!
//! Deliberately not here: whether the ticket may enter. That depends on time, gate and state, and
//! a good signature alone admits nobody.

mod category;
mod claims;
mod read;
mod sign;
mod unreadable;

use std::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize, Serializer};
use subtle::ConstantTimeEq as _;

pub use category::{CategoryCode, InvalidCategory};
pub use claims::{Claims, InvalidClaims};
pub use read::{Parsed, Verified};
pub use sign::TicketSigner;
pub use unreadable::Unreadable;

use crate::hash::Hash32;

/// What every token begins with: Eventify, format 1. Made of characters of QR's alphanumeric mode.
pub const PREFIX: &str = "EV1:";

/// The longest token, prefix included: what QR version 9 holds at level M in alphanumeric mode.
pub const MAX_TOKEN_CHARS: usize = 262;

/// A ticket's token as text. Whoever has it can use the ticket: it belongs in QR codes and mails,
/// not in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    text: String,
    hash: TokenHash,
}

impl Token {
    fn of_cose(cose: &[u8]) -> Self {
        Self {
            text: format!("{PREFIX}{}", base45::encode(cose)),
            hash: TokenHash::of_cose(cose),
        }
    }

    /// The text that the QR code holds.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What caches and journals know the token by.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        self.hash
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:?})", self.hash)
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// SHA-256 over the token's COSE bytes: names a token without giving it away.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct TokenHash(#[n(0)] pub Hash32);

impl TokenHash {
    pub(crate) fn of_cose(cose: &[u8]) -> Self {
        Self(Hash32::of(cose))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }

    /// Equality in constant time, for where the other side could measure how far it got.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl From<[u8; 32]> for TokenHash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(Hash32(bytes))
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({}…)", hex::encode(&self.as_bytes()[..6]))
    }
}
