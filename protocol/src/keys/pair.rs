//! Ed25519 keys that can't be weak and don't print themselves.

use std::{fmt, str::FromStr};

use ed25519_dalek::{
    Signature, Signer as _, SigningKey, VerifyingKey,
    pkcs8::{
        DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes, spki::der::pem::LineEnding,
    },
};
use minicbor::{Decode, Decoder, Encode, Encoder};
use zeroize::{Zeroize as _, Zeroizing};

use super::kid::KeyId;
use crate::hash::Hash32;

/// Why a key was refused. Does not contain the key's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a PKCS#8 PEM document that holds one Ed25519 key.
    #[error("not an Ed25519 private key in PKCS#8 PEM")]
    NotPkcs8,
    /// Not 32 bytes, or not 64 hexadecimal digits.
    #[error("an Ed25519 public key has 32 bytes")]
    Length,
    /// Not the canonical encoding of a point of the curve (RFC 8032, 5.1.3).
    #[error("not a canonical point of the curve")]
    NotAPoint,
    /// A point of small or mixed order: signatures under it prove nothing, or not everywhere.
    #[error("the key is not in the group of prime order")]
    Weak,
}

impl KeyError {
    /// For logs, metrics and golden vectors; never changes.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotPkcs8 => "key_not_pkcs8",
            Self::Length => "key_length",
            Self::NotAPoint => "key_not_a_point",
            Self::Weak => "key_weak",
        }
    }
}

/// A private key; wiped from memory when dropped.
#[derive(Clone)]
pub struct PrivateKey {
    signing: SigningKey,
    public: PublicKey,
}

impl PrivateKey {
    /// The key of a 32-byte seed, which must come from a cryptographic random generator (RFC 8032,
    /// 5.1.5).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(seed);
        let public = PublicKey::named(signing.verifying_key());
        Self { signing, public }
    }

    /// Reads PKCS#8 PEM (RFC 5958, RFC 8410).
    ///
    /// # Errors
    /// [`KeyError::NotPkcs8`]; also when the document's public half belongs to another key.
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, KeyError> {
        let mut pair = KeypairBytes::from_pkcs8_pem(pem).map_err(|_| KeyError::NotPkcs8)?;
        let signing = SigningKey::try_from(&pair);
        pair.secret_key.zeroize();
        let signing = signing.map_err(|_| KeyError::NotPkcs8)?;
        let public = PublicKey::named(signing.verifying_key());
        Ok(Self { signing, public })
    }

    /// Writes PKCS#8 PEM, for a file that its owner alone can read. Without the public half, which
    /// OpenSSL 3.0 can't read.
    #[must_use]
    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        let mut pair = KeypairBytes::from(&self.signing);
        pair.public_key = None;
        pair.to_pkcs8_pem(LineEnding::LF)
            .expect("32 bytes always have a PKCS#8 form")
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The key's name.
    #[must_use]
    pub fn kid(&self) -> KeyId {
        self.public.kid
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; Signature::BYTE_SIZE] {
        self.signing.sign(message).to_bytes()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.kid())
    }
}

/// A public key: a canonical point of the group of prime order, with its name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey {
    verifying: VerifyingKey,
    kid: KeyId,
}

impl PublicKey {
    /// Reads the 32 bytes of RFC 8032.
    ///
    /// # Errors
    /// [`KeyError`] for anything but a canonical point of prime order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| KeyError::Length)?;
        let verifying = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        let point = verifying.to_edwards();
        if point.compress().as_bytes() != bytes {
            return Err(KeyError::NotAPoint);
        }
        if point.is_small_order() || !point.is_torsion_free() {
            return Err(KeyError::Weak);
        }
        Ok(Self::named(verifying))
    }

    fn named(verifying: VerifyingKey) -> Self {
        Self {
            verifying,
            kid: KeyId::of(&thumbprint(verifying.as_bytes())),
        }
    }

    /// The 32 bytes of RFC 8032.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.verifying.as_bytes()
    }

    /// The key's name.
    #[must_use]
    pub fn kid(&self) -> KeyId {
        self.kid
    }

    /// The whole COSE key thumbprint (RFC 9679, SHA-256) of which the name is the start.
    #[must_use]
    pub fn thumbprint(&self) -> Hash32 {
        thumbprint(self.as_bytes())
    }

    /// Strict verification: refuses what other implementations might accept or refuse as they like
    /// (non-canonical S, points of small order). Never in batches.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.verifying
            .verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    }
}

/// SHA-256 over the deterministic encoding of the key's required parameters (RFC 9679, section 4):
/// `{1: 1, -1: 6, -2: x}`.
fn thumbprint(x: &[u8; 32]) -> Hash32 {
    let mut cose_key = vec![0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20];
    cose_key.extend_from_slice(x);
    Hash32::of(&cose_key)
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.kid)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| KeyError::Length)?;
        Self::from_bytes(&bytes)
    }
}

crate::text_form::json_as_text!(PublicKey);

impl<C> Encode<C> for PublicKey {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(self.as_bytes())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for PublicKey {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::from_bytes(d.bytes()?)
            .map_err(|refused| minicbor::decode::Error::message(refused.to_string()))
    }
}
