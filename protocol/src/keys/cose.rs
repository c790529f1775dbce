//! The one shape of everything signed: `COSE_Sign1` (RFC 9052, section 4.2), read strictly.
//!
//! Always tagged 18, so that any COSE library knows what it has before it. The protected header is
//! exactly `{1 (alg): -8 (EdDSA), 4 (kid)}`, and 3 (content type) for everything but a ticket; the
//! unprotected header is empty. A reading that ends well is the only encoding of what was read.

use ciborium::Value;
use coset::{
    CoseSign1, CoseSign1Builder, Header, HeaderBuilder, TaggedCborSerializable as _,
    iana::{Algorithm, CborTag, EnumI64 as _, HeaderParameter},
};

use super::kid::KeyId;

/// The longest signed object that is looked at, in bytes. A key set of [`super::MAX_KEYS`] fits.
pub const MAX_SIGNED_BYTES: usize = 16 * 1024;

/// The rule of the envelope that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// Longer than [`MAX_SIGNED_BYTES`].
    #[error("longer than anything signed")]
    TooLong,
    /// Not well-formed CBOR, or cut short.
    #[error("not well-formed CBOR")]
    Cbor,
    /// Bytes after the CBOR item.
    #[error("bytes after the end")]
    TrailingBytes,
    /// Not tagged as `COSE_Sign1` (18).
    #[error("not tagged as COSE_Sign1")]
    Tag,
    /// Not an array of protected header, unprotected header, payload and signature.
    #[error("not the four parts of COSE_Sign1")]
    Shape,
    /// The protected header is not a byte string that holds one map.
    #[error("the protected header is not a map in a byte string")]
    ProtectedHeader,
    /// A label twice in the protected header.
    #[error("a header label twice")]
    DuplicateHeader,
    /// The protected header marks something as critical; there is nothing that it could mark.
    #[error("a critical header")]
    CriticalHeader,
    /// A label in the protected header that has no place there.
    #[error("an unknown header label")]
    UnknownHeader,
    /// The algorithm is missing or not `EdDSA`.
    #[error("the algorithm is not EdDSA")]
    Algorithm,
    /// The key id is missing or not a [`KeyId`].
    #[error("no key id of ours")]
    KeyId,
    /// The content type is missing or that of something else.
    #[error("another content type")]
    ContentType,
    /// The unprotected header is not empty.
    #[error("an unprotected header")]
    UnprotectedHeader,
    /// The payload is not a byte string (a detached one is null).
    #[error("no payload")]
    Payload,
    /// The signature is not a string of 64 bytes.
    #[error("a signature has 64 bytes")]
    SignatureLength,
    /// Readable, but not in the deterministic encoding (RFC 8949, 4.2.1).
    #[error("not in the deterministic encoding")]
    NotCanonical,
}

impl Malformed {
    /// For logs, metrics and golden vectors; never changes.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "cose_too_long",
            Self::Cbor => "cose_cbor",
            Self::TrailingBytes => "cose_trailing_bytes",
            Self::Tag => "cose_tag",
            Self::Shape => "cose_shape",
            Self::ProtectedHeader => "cose_protected_header",
            Self::DuplicateHeader => "cose_duplicate_header",
            Self::CriticalHeader => "cose_critical_header",
            Self::UnknownHeader => "cose_unknown_header",
            Self::Algorithm => "cose_algorithm",
            Self::KeyId => "cose_key_id",
            Self::ContentType => "cose_content_type",
            Self::UnprotectedHeader => "cose_unprotected_header",
            Self::Payload => "cose_payload",
            Self::SignatureLength => "cose_signature_length",
            Self::NotCanonical => "cose_not_canonical",
        }
    }
}

/// A signed object, decoded. Its signature is not verified yet.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) kid: KeyId,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: [u8; 64],
}

impl Envelope {
    /// Signs: `sign` gets the bytes of the `Sig_structure`.
    pub(crate) fn seal(
        kid: KeyId,
        content_type: Option<&'static str>,
        payload: Vec<u8>,
        external_aad: &[u8],
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Self {
        let mut envelope = Self {
            kid,
            content_type,
            payload,
            signature: [0; 64],
        };
        envelope.signature = sign(&envelope.to_be_signed(external_aad));
        envelope
    }

    /// Reads strictly: `content_type` is what the header must name, `None` for a ticket, which
    /// names none.
    pub(crate) fn read(
        bytes: &[u8],
        content_type: Option<&'static str>,
    ) -> Result<Self, Malformed> {
        if bytes.len() > MAX_SIGNED_BYTES {
            return Err(Malformed::TooLong);
        }
        let [protected, unprotected, payload, signature] = four_parts(bytes)?;
        let kid = read_protected(&protected, content_type)?;
        if !unprotected
            .into_map()
            .map_err(|_| Malformed::Shape)?
            .is_empty()
        {
            return Err(Malformed::UnprotectedHeader);
        }
        let payload = payload.into_bytes().map_err(|_| Malformed::Payload)?;
        let signature = signature
            .into_bytes()
            .map_err(|_| Malformed::SignatureLength)?;
        let signature = signature
            .try_into()
            .map_err(|_| Malformed::SignatureLength)?;
        let envelope = Self {
            kid,
            content_type,
            payload,
            signature,
        };
        if envelope.to_bytes() == bytes {
            Ok(envelope)
        } else {
            Err(Malformed::NotCanonical)
        }
    }

    /// The only encoding.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut sign1 = self.unsigned();
        sign1.signature = self.signature.to_vec();
        sign1
            .to_tagged_vec()
            .expect("a header of known labels always has an encoding")
    }

    /// What the signature covers: the `Sig_structure` (RFC 9052, section 4.4).
    pub(crate) fn to_be_signed(&self, external_aad: &[u8]) -> Vec<u8> {
        self.unsigned().tbs_data(external_aad)
    }

    fn unsigned(&self) -> CoseSign1 {
        CoseSign1Builder::new()
            .protected(self.protected_header())
            .payload(self.payload.clone())
            .build()
    }

    fn protected_header(&self) -> Header {
        let header = HeaderBuilder::new()
            .algorithm(Algorithm::EdDSA)
            .key_id(self.kid.as_bytes().to_vec());
        match self.content_type {
            Some(name) => header.content_type(name.to_owned()).build(),
            None => header.build(),
        }
    }
}

/// Reads exactly one CBOR item; `Ok(None)` when bytes follow it.
pub(crate) fn read_one(bytes: &[u8]) -> Result<Option<Value>, Malformed> {
    let mut rest = bytes;
    let value = ciborium::from_reader::<Value, _>(&mut rest).map_err(|_| Malformed::Cbor)?;
    Ok(rest.is_empty().then_some(value))
}

fn four_parts(bytes: &[u8]) -> Result<[Value; 4], Malformed> {
    const SIGN1: u64 = CborTag::CoseSign1 as u64;
    let Value::Tag(SIGN1, tagged) = read_one(bytes)?.ok_or(Malformed::TrailingBytes)? else {
        return Err(Malformed::Tag);
    };
    let parts = tagged.into_array().map_err(|_| Malformed::Shape)?;
    parts.try_into().map_err(|_| Malformed::Shape)
}

fn read_protected(
    protected: &Value,
    content_type: Option<&'static str>,
) -> Result<KeyId, Malformed> {
    let bytes = protected.as_bytes().ok_or(Malformed::ProtectedHeader)?;
    let map = read_one(bytes)
        .ok()
        .flatten()
        .ok_or(Malformed::ProtectedHeader)?;
    let entries = map.into_map().map_err(|_| Malformed::ProtectedHeader)?;
    for (index, (label, _)) in entries.iter().enumerate() {
        if entries[..index].iter().any(|(earlier, _)| earlier == label) {
            return Err(Malformed::DuplicateHeader);
        }
    }
    let find = |parameter: HeaderParameter| {
        let label = Value::from(parameter.to_i64());
        entries
            .iter()
            .find(|(found, _)| *found == label)
            .map(|(_, value)| value)
    };
    if find(HeaderParameter::Crit).is_some() {
        return Err(Malformed::CriticalHeader);
    }
    if find(HeaderParameter::Alg) != Some(&Value::from(Algorithm::EdDSA.to_i64())) {
        return Err(Malformed::Algorithm);
    }
    let kid = find(HeaderParameter::Kid)
        .and_then(Value::as_bytes)
        .and_then(|bytes| KeyId::from_bytes(bytes))
        .ok_or(Malformed::KeyId)?;
    let expected = match content_type {
        Some(name) if find(HeaderParameter::ContentType) == Some(&Value::from(name)) => 3,
        Some(_) => return Err(Malformed::ContentType),
        None => 2,
    };
    if entries.len() == expected {
        Ok(kid)
    } else {
        Err(Malformed::UnknownHeader)
    }
}
