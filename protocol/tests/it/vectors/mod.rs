//! The golden vectors of tokens and keys: what other implementations are checked against, and what
//! holds this one still.
//!
//! The files in `tests/vectors/` are made by the code beside this one. To make them again after a
//! deliberate change of the format:
//! `EVENTIFY_WRITE_VECTORS=1 cargo test --workspace --test pure vectors`.
//! That run writes, fails and says so; the difference is to be read before it is committed.

mod bad;
mod bad_claims;
mod bad_envelope;
mod bad_headers;
mod bad_keys;
mod bad_signature;
mod bad_text;
mod bad_values;
mod forge;
mod good;
mod independent;
mod scalar;
mod world;

use std::{collections::BTreeSet, fs, path::PathBuf};

use eventify_protocol::{
    keys::{KeyUse, PrivateKey, PublicKey, RootPublicKey, SignedKeySet, verify_cose},
    token::{Claims, Parsed, TicketSigner},
};
use serde_json::Value;

fn path(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "vectors", file]
        .iter()
        .collect()
}

fn stored(file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(path(file)).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

#[test]
fn the_stored_vectors_are_what_this_code_makes() {
    let writing = std::env::var_os("EVENTIFY_WRITE_VECTORS").is_some_and(|value| value == "1");
    for (file, made) in [
        ("keys.json", good::keys()),
        ("tokens.json", good::tokens()),
        ("refused.json", bad::refused()),
    ] {
        if writing {
            let text = serde_json::to_string_pretty(&made).unwrap() + "\n";
            fs::write(path(file), text).unwrap();
        } else {
            assert_eq!(stored(file), made, "{file} differs");
        }
    }
    assert!(
        !writing,
        "vectors written: read the difference, then run without the variable"
    );
}

#[test]
fn every_stored_token_is_read_believed_and_written_the_same_again() {
    let keys = stored("keys.json");
    let root: RootPublicKey = keys["root"]["publicKey"].as_str().unwrap().parse().unwrap();
    let signed = SignedKeySet::from_bytes(bytes(&keys["keySet"]["signedCose"]));
    let set = signed.verify(&root).unwrap();
    for vector in stored("tokens.json").as_array().unwrap() {
        let name = &vector["name"];
        let claims: Claims = serde_json::from_value(vector["claims"].clone()).unwrap();
        let text = vector["token"].as_str().unwrap();
        let parsed = Parsed::read(text).unwrap();
        let verified = parsed.verify(&set).unwrap();
        assert_eq!(*verified.claims(), claims, "{name}");
        assert_eq!(parsed.to_token().as_str(), text, "{name}");
        assert_eq!(verified.hash().to_string(), vector["tokenHash"], "{name}");
        let key = keys["keys"]
            .as_array()
            .unwrap()
            .iter()
            .find(|key| key["name"] == vector["key"]);
        let private = PrivateKey::from_pkcs8_pem(key.unwrap()["pkcs8Pem"].as_str().unwrap());
        let window = set.find(parsed.kid()).unwrap().window;
        let again = TicketSigner::new(private.unwrap(), window)
            .sign(&claims)
            .unwrap();
        assert_eq!(again.as_str(), text, "{name}");
    }
}

#[test]
fn every_stored_token_verifies_without_our_code() {
    let published = stored("keys.json")["keySet"].clone();
    for vector in stored("tokens.json").as_array().unwrap() {
        let cose = independent::cose_of(vector["token"].as_str().unwrap());
        assert_eq!(cose, bytes(&vector["cose"]));
        let parts = independent::parts(&cose);
        assert_eq!(parts.sig_structure(b""), bytes(&vector["sigStructure"]));
        let claims = serde_json::from_value(vector["claims"].clone()).unwrap();
        assert_eq!(parts.payload, good::hand_written_claims(&claims));
        let key_set = bytes(&published["publishedCoseKeySet"]);
        let from_cose = independent::key_in_cose_key_set(&key_set, &parts.kid()).unwrap();
        let from_jwks = independent::key_in_jwks(&published["publishedJwks"], &parts.kid());
        assert_eq!(from_cose, from_jwks.unwrap());
        assert!(parts.verifies(&from_cose, b""), "{}", vector["name"]);
        assert!(
            !parts.verifies(&from_cose, b"context"),
            "{}",
            vector["name"]
        );
    }
}

#[test]
fn neither_withdrawn_nor_sync_keys_are_published() {
    let keys = stored("keys.json");
    let cose = bytes(&keys["keySet"]["publishedCoseKeySet"]);
    for key in keys["keys"].as_array().unwrap() {
        let expected = key["use"] == "ticket"
            && key["status"] != "withdrawn"
            && key["name"] != world::STRANGER.name;
        let kid = key["kid"].as_str().unwrap().as_bytes();
        let published = independent::key_in_cose_key_set(&cose, kid);
        assert_eq!(published.is_some(), expected, "{}", key["name"]);
        let jwk = independent::key_in_jwks(&keys["keySet"]["publishedJwks"], kid);
        assert_eq!(published, jwk, "{}", key["name"]);
    }
}

#[test]
fn the_forge_makes_good_tokens_if_it_is_left_alone() {
    let parsed = Parsed::read(&bad::good().text()).unwrap();
    parsed.verify(&world::key_set()).unwrap();
}

#[test]
fn a_lenient_verifier_takes_what_a_strict_one_must_refuse() {
    let active = world::ACTIVE.private().public();
    let vectors = stored("refused.json");
    let small = "R of small order, S made to fit";
    let vector = vectors
        .as_array()
        .unwrap()
        .iter()
        .find(|v| v["name"] == small)
        .unwrap();
    let cose = independent::cose_of(vector["input"].as_str().unwrap());
    assert!(independent::parts(&cose).verifies(active.as_bytes(), b""));
}

#[test]
fn everything_bad_is_refused_by_the_rule_that_it_breaks() {
    let keys = stored("keys.json");
    let root: RootPublicKey = keys["root"]["publicKey"].as_str().unwrap().parse().unwrap();
    let signed = SignedKeySet::from_bytes(bytes(&keys["keySet"]["signedCose"]));
    let set = signed.verify(&root).unwrap();
    let aad = bytes(&keys["syncSignature"]["externalAad"]);
    let sync = bytes(&keys["syncSignature"]["cose"]);
    assert!(verify_cose(&sync, &set, KeyUse::Sync, &aad).is_ok());
    let mut names = BTreeSet::new();
    for vector in stored("refused.json").as_array().unwrap() {
        let input = vector["input"].as_str().unwrap();
        let stage = vector["stage"].as_str().unwrap();
        let code = match stage {
            "token-read" => Parsed::read(input).unwrap_err().code(),
            "token-verify" => Parsed::read(input)
                .unwrap()
                .verify(&set)
                .unwrap_err()
                .code(),
            "public-key" => PublicKey::from_bytes(&bytes(&vector["input"]))
                .unwrap_err()
                .code(),
            "key-set" => {
                let signed = SignedKeySet::from_bytes(bytes(&vector["input"]));
                signed.verify(&root).unwrap_err().code()
            }
            "sync-signature" => {
                let cose = bytes(&vector["input"]);
                verify_cose(&cose, &set, KeyUse::Sync, &aad)
                    .unwrap_err()
                    .code()
            }
            other => panic!("unknown stage {other}"),
        };
        assert_eq!(vector["breaks"], code, "{stage}: {}", vector["name"]);
        assert!(
            names.insert((stage.to_owned(), vector["name"].to_string())),
            "named twice"
        );
    }
    assert!(names.len() >= 40);
}
