//! The name of a key.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::hash::Hash32;

/// How many bytes of the thumbprint a key's name carries: 8 characters of base64url.
const THUMBPRINT_BYTES: usize = 6;

/// A key's name: the first 8 characters of the base64url form of its COSE key thumbprint (RFC 9679,
/// SHA-256).
///
/// The same 8 ASCII bytes are the `kid` of a COSE header, of a `COSE_Key` and of a JWK, so that a
/// library that reads the JWKS finds the key of a token without knowing any rule of ours. It is a
/// name and proves nothing: a key set refuses two keys of one name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; Self::LENGTH]);

impl KeyId {
    /// Its length on every wire, in bytes.
    pub const LENGTH: usize = 8;

    /// The name of the key with this thumbprint.
    pub(super) fn of(thumbprint: &Hash32) -> Self {
        let mut name = [0; Self::LENGTH];
        URL_SAFE_NO_PAD
            .encode_slice(&thumbprint.0[..THUMBPRINT_BYTES], &mut name)
            .expect("6 bytes are 8 characters of base64url");
        Self(name)
    }

    /// Reads a `kid`; `None` unless it is 8 characters of base64url.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let name: [u8; Self::LENGTH] = bytes.try_into().ok()?;
        name.iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            .then_some(Self(name))
    }

    /// As on a CBOR wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// As in JSON.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made of base64url characters only")
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// Not 8 characters of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key id is 8 characters of base64url")]
pub struct NotAKeyId;

impl FromStr for KeyId {
    type Err = NotAKeyId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_bytes(text.as_bytes()).ok_or(NotAKeyId)
    }
}

crate::text_form::json_as_text!(KeyId);

impl<C> Encode<C> for KeyId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for KeyId {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::from_bytes(d.bytes()?)
            .ok_or_else(|| minicbor::decode::Error::message("a key id is 8 base64url characters"))
    }
}
