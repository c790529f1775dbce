//! The ticket keys as everybody may fetch them, in the two forms that COSE and JOSE libraries read.
//!
//! Published are the ticket keys that still verify. Withdrawn keys are left out, and so are sync
//! keys: a third party that tries every key it was given must not take a sync point for a ticket.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciborium::Value;
use coset::{
    CborSerializable as _, CoseKey, CoseKeyBuilder, CoseKeySet,
    iana::{Algorithm, EllipticCurve, EnumI64 as _, KeyOperation, KeyType, OkpKeyParameter},
};
use serde::Serialize;

use super::{
    pair::PublicKey,
    set::{KeySet, KeyStatus, KeyUse},
};

/// A JSON Web Key Set (RFC 7517) of OKP keys (RFC 8037).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// The keys, ordered by name.
    pub keys: Vec<Jwk>,
}

/// One Ed25519 key (RFC 8037, section 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jwk {
    kty: &'static str,
    crv: &'static str,
    /// The public key, base64url.
    pub x: String,
    /// The characters of the `kid` of a token's header.
    pub kid: String,
    alg: &'static str,
    #[serde(rename = "use")]
    key_use: &'static str,
}

impl KeySet {
    /// `COSE_KeySet` (RFC 9052, section 7), deterministically encoded; media type
    /// `application/cose-key-set`.
    #[must_use]
    pub fn to_cose_key_set(&self) -> Vec<u8> {
        CoseKeySet(self.published().map(cose_key).collect())
            .to_vec()
            .expect("keys of known parameters always have an encoding")
    }

    /// JWKS; media type `application/jwk-set+json`.
    #[must_use]
    pub fn to_jwks(&self) -> Jwks {
        Jwks {
            keys: self.published().map(jwk).collect(),
        }
    }

    fn published(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys()
            .iter()
            .filter(|entry| entry.key_use == KeyUse::Ticket && entry.status != KeyStatus::Withdrawn)
            .map(|entry| &entry.key)
    }
}

fn cose_key(key: &PublicKey) -> CoseKey {
    let mut cose_key = CoseKeyBuilder::new_okp_key()
        .key_id(key.kid().as_bytes().to_vec())
        .algorithm(Algorithm::EdDSA)
        .add_key_op(KeyOperation::Verify)
        .param(
            OkpKeyParameter::Crv.to_i64(),
            Value::from(EllipticCurve::Ed25519.to_i64()),
        )
        .param(
            OkpKeyParameter::X.to_i64(),
            Value::from(key.as_bytes().as_slice()),
        )
        .build();
    cose_key.kty = coset::KeyType::Assigned(KeyType::OKP);
    cose_key
}

fn jwk(key: &PublicKey) -> Jwk {
    Jwk {
        kty: "OKP",
        crv: "Ed25519",
        x: URL_SAFE_NO_PAD.encode(key.as_bytes()),
        kid: key.kid().to_string(),
        alg: "EdDSA",
        key_use: "sig",
    }
}
