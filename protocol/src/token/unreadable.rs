//! Why a text is no token.

use crate::keys::Malformed;

/// The first rule that a text broke. Nothing of the text is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unreadable {
    /// Longer than [`super::MAX_TOKEN_CHARS`].
    #[error("longer than any token")]
    TooLong,
    /// Does not begin with [`super::PREFIX`].
    #[error("does not begin like a token")]
    Prefix,
    /// Not Base45: another character (lower case is another), or a group out of range.
    #[error("not Base45")]
    Base45,
    /// Decodes, but is not how these bytes are written.
    #[error("not canonical Base45")]
    Base45NotCanonical,
    /// The bytes are not a `COSE_Sign1` of ours.
    #[error(transparent)]
    Cose(#[from] Malformed),
    /// The payload is not well-formed CBOR.
    #[error("the claims are not well-formed CBOR")]
    ClaimsCbor,
    /// Bytes after the claims.
    #[error("bytes after the claims")]
    ClaimsTrailingBytes,
    /// The payload is not a map.
    #[error("the claims are not a map")]
    ClaimsShape,
    /// A claim twice.
    #[error("a claim twice")]
    DuplicateClaim,
    /// A claim that tokens don't have.
    #[error("an unknown claim")]
    UnknownClaim,
    /// A claim is missing.
    #[error("a claim is missing")]
    MissingClaim,
    /// A claim of another type.
    #[error("a claim of another type")]
    ClaimType,
    /// A claim of the right type with a value out of range.
    #[error("a claim out of range")]
    ClaimRange,
    /// The category is not a [`super::CategoryCode`].
    #[error("not a category code")]
    Category,
    /// `exp` is not after `nbf`.
    #[error("the ticket is never valid")]
    NeverValid,
    /// Readable, but not in the deterministic encoding (RFC 8949, 4.2.1).
    #[error("the claims are not in the deterministic encoding")]
    ClaimsNotCanonical,
}

impl Unreadable {
    /// For logs, metrics and golden vectors; never changes.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "token_too_long",
            Self::Prefix => "token_prefix",
            Self::Base45 => "token_base45",
            Self::Base45NotCanonical => "token_base45_not_canonical",
            Self::Cose(rule) => rule.code(),
            Self::ClaimsCbor => "claims_cbor",
            Self::ClaimsTrailingBytes => "claims_trailing_bytes",
            Self::ClaimsShape => "claims_shape",
            Self::DuplicateClaim => "claims_duplicate",
            Self::UnknownClaim => "claims_unknown",
            Self::MissingClaim => "claims_missing",
            Self::ClaimType => "claims_type",
            Self::ClaimRange => "claims_range",
            Self::Category => "claims_category",
            Self::NeverValid => "claims_never_valid",
            Self::ClaimsNotCanonical => "claims_not_canonical",
        }
    }
}
