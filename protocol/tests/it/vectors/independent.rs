//! Verifies as a third party would that has the RFCs, a CBOR reader, an Ed25519 and what the core
//! publishes, but none of this crate's code.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciborium::{Value, cbor};
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};

/// The parts of a `COSE_Sign1`.
pub(crate) struct Parts {
    pub(crate) protected: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Parts {
    pub(crate) fn sig_structure(&self, external_aad: &[u8]) -> Vec<u8> {
        let structure = Value::Array(vec![
            "Signature1".into(),
            Value::Bytes(self.protected.clone()),
            Value::Bytes(external_aad.to_vec()),
            Value::Bytes(self.payload.clone()),
        ]);
        let mut bytes = Vec::new();
        ciborium::into_writer(&structure, &mut bytes).unwrap();
        bytes
    }

    pub(crate) fn kid(&self) -> Vec<u8> {
        let header: Value = ciborium::from_reader(self.protected.as_slice()).unwrap();
        get(&header, 4).into_bytes().unwrap()
    }

    pub(crate) fn verifies(&self, public: &[u8], external_aad: &[u8]) -> bool {
        let key = VerifyingKey::from_bytes(public.try_into().unwrap()).unwrap();
        let signature = Signature::from_slice(&self.signature).unwrap();
        key.verify(&self.sig_structure(external_aad), &signature)
            .is_ok()
    }
}

pub(crate) fn cose_of(token: &str) -> Vec<u8> {
    base45::decode(token.strip_prefix("EV1:").unwrap()).unwrap()
}

pub(crate) fn parts(cose: &[u8]) -> Parts {
    let value: Value = ciborium::from_reader(cose).unwrap();
    let Value::Tag(18, array) = value else {
        panic!("not tagged 18")
    };
    let [protected, _, payload, signature] = array.into_array().unwrap().try_into().unwrap();
    Parts {
        protected: protected.into_bytes().unwrap(),
        payload: payload.into_bytes().unwrap(),
        signature: signature.into_bytes().unwrap(),
    }
}

/// The public key of this `kid` in a `COSE_KeySet`.
pub(crate) fn key_in_cose_key_set(key_set: &[u8], kid: &[u8]) -> Option<Vec<u8>> {
    let keys: Value = ciborium::from_reader(key_set).unwrap();
    let key = keys
        .into_array()
        .unwrap()
        .into_iter()
        .find(|key| get(key, 2).as_bytes().unwrap() == kid)?;
    assert_eq!(get(&key, 1), cbor!(1).unwrap(), "kty: OKP");
    assert_eq!(get(&key, 3), cbor!(-8).unwrap(), "alg: EdDSA");
    assert_eq!(get(&key, 4), cbor!([2]).unwrap(), "key_ops: verify");
    assert_eq!(get(&key, -1), cbor!(6).unwrap(), "crv: Ed25519");
    Some(get(&key, -2).into_bytes().unwrap())
}

/// The public key of this `kid` in a JWKS.
pub(crate) fn key_in_jwks(jwks: &serde_json::Value, kid: &[u8]) -> Option<Vec<u8>> {
    let kid = std::str::from_utf8(kid).unwrap();
    let key = jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == kid)?;
    assert_eq!(
        (&key["kty"], &key["crv"]),
        (&"OKP".into(), &"Ed25519".into())
    );
    assert_eq!((&key["alg"], &key["use"]), (&"EdDSA".into(), &"sig".into()));
    Some(URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap())
}

fn get(map: &Value, label: i64) -> Value {
    let entries = map.as_map().unwrap();
    let (_, value) = entries
        .iter()
        .find(|(found, _)| *found == Value::from(label))
        .unwrap();
    value.clone()
}
