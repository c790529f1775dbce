//! What must be accepted, and what it must look like.

use eventify_protocol::{
    ids::{PerformanceId, TicketId},
    qr,
    token::{Claims, Parsed, TicketSigner},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    forge, independent,
    world::{self, ACTIVE, IN_THE_SET, RETIRED, STRANGER, SYNC, TestKey, WIDE},
};

pub(crate) const SYNC_PAYLOAD: &[u8] = b"any payload";
pub(crate) const SYNC_AAD: &[u8] = b"any context";

/// `keys.json`
pub(crate) fn keys() -> Value {
    let root = world::root();
    let set = world::key_set();
    let mut keys: Vec<Value> = IN_THE_SET.into_iter().map(key_line).collect();
    keys.push(key_line(&STRANGER));
    json!({
        "warning": "TEST KEYS. Their seeds are public. Never trust them anywhere.",
        "root": {
            "name": "TEST-root",
            "seed": hex::encode(world::ROOT_SEED),
            "publicKey": root.public().to_string(),
            "kid": root.public().kid(),
            "fingerprint": root.public().fingerprint(),
        },
        "keys": keys,
        "keySet": {
            "version": set.version(),
            "signedCose": hex::encode(root.sign(&set).as_bytes()),
            "publishedCoseKeySet": hex::encode(set.to_cose_key_set()),
            "publishedJwks": set.to_jwks(),
        },
        "syncSignature": {
            "payload": hex::encode(SYNC_PAYLOAD),
            "externalAad": hex::encode(SYNC_AAD),
            "cose": hex::encode(world::sync_signer(&SYNC).sign_cose(SYNC_PAYLOAD, SYNC_AAD)),
        },
    })
}

fn key_line(key: &TestKey) -> Value {
    let public = key.private().public();
    json!({
        "name": key.name,
        "seed": hex::encode(key.seed),
        "pkcs8Pem": *key.private().to_pkcs8_pem(),
        "publicKey": public,
        "thumbprint": public.thumbprint(),
        "kid": public.kid(),
        "use": key.key_use,
        "window": key.window,
        "status": key.status,
    })
}

/// `tokens.json`
pub(crate) fn tokens() -> Value {
    let typical = Claims {
        ticket: TicketId(Uuid::from_u128(0x0193_5b0a_7c1e_7000_8000_0000_0000_0001)),
        performance: PerformanceId(Uuid::from_u128(0x0193_5b0a_0000_7000_8000_0000_0000_00aa)),
        category: "STALLS".parse().unwrap(),
        not_before: 1_800_000_000,
        expiry: 1_800_020_000,
        revision: 1,
    };
    let smallest = Claims {
        ticket: TicketId(Uuid::nil()),
        performance: PerformanceId(Uuid::nil()),
        category: "A".parse().unwrap(),
        not_before: 0,
        expiry: 1,
        revision: 0,
    };
    let largest = Claims {
        ticket: TicketId(Uuid::max()),
        performance: PerformanceId(Uuid::max()),
        category: "ABCDEFGHIJKLMNOP".parse().unwrap(),
        not_before: i64::from(u32::MAX) - 1,
        expiry: i64::from(u32::MAX),
        revision: u32::MAX,
    };
    let zone = Claims {
        category: "ZONE-B.2_X".parse().unwrap(),
        ..typical
    };
    json!([
        token("typical", &ACTIVE, &typical),
        token("zone code of all punctuation", &ACTIVE, &zone),
        token(
            "reissued: revision 2",
            &ACTIVE,
            &Claims {
                revision: 2,
                ..typical
            }
        ),
        token("signed by a key that has retired since", &RETIRED, &typical),
        token("smallest claims", &WIDE, &smallest),
        token("largest claims", &WIDE, &largest),
        token(
            "expires in the first second of its key",
            &ACTIVE,
            &Claims {
                not_before: 1,
                expiry: ACTIVE.window.not_before,
                ..typical
            }
        ),
        token(
            "expires in the last second of its key",
            &ACTIVE,
            &Claims {
                expiry: ACTIVE.window.not_after,
                ..typical
            }
        ),
    ])
}

fn token(name: &str, key: &TestKey, claims: &Claims) -> Value {
    let token = TicketSigner::new(key.private(), key.window)
        .sign(claims)
        .unwrap();
    let cose = independent::cose_of(token.as_str());
    let parts = independent::parts(&cose);
    assert!(Parsed::read(token.as_str()).is_ok(), "{name}");
    json!({
        "name": name,
        "key": key.name,
        "kid": key.private().kid(),
        "claims": claims,
        "claimsCbor": hex::encode(&parts.payload),
        "sigStructure": hex::encode(parts.sig_structure(b"")),
        "cose": hex::encode(&cose),
        "token": token,
        "tokenHash": token.hash(),
        "qrVersion": qr::version(token.as_str()).unwrap(),
    })
}

/// The typical claims' encoding, written by hand.
pub(crate) fn hand_written_claims(claims: &Claims) -> Vec<u8> {
    forge::map(&[
        (forge::int(4), forge::int(claims.expiry)),
        (forge::int(5), forge::int(claims.not_before)),
        (forge::int(7), forge::bytes(claims.ticket.0.as_bytes())),
        (
            forge::int(-65_537),
            forge::bytes(claims.performance.0.as_bytes()),
        ),
        (forge::int(-65_538), forge::text(claims.category.as_str())),
        (forge::int(-65_539), forge::int(claims.revision.into())),
    ])
}
