//! The life of a ticket token, from the core's key to the gate's belief.

use ed25519_dalek::pkcs8::{
    EncodePrivateKey as _, KeypairBytes, PublicKeyBytes, spki::der::pem::LineEnding,
};
use eventify_protocol::{
    ids::{PerformanceId, TicketId},
    keys::{
        KeyEntry, KeyError, KeySet, KeyStatus, KeyUse, PrivateKey, RootKey, Signer, VerifyError,
        Window, verify_cose,
    },
    qr,
    token::{Claims, InvalidClaims, MAX_TOKEN_CHARS, Parsed, TicketSigner},
};
use uuid::Uuid;

const WINDOW: Window = Window {
    not_before: 1_700_000_000,
    not_after: 1_900_000_000,
};

/// `openssl genpkey -algorithm ed25519`
const OPENSSL_ED25519: &str = "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIKpn6cN0K2Tm1oLiukXyUBR07a8whCW8BgslmF6gdd0a
-----END PRIVATE KEY-----
";

/// `openssl genpkey -algorithm x25519`
const OPENSSL_X25519: &str = "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VuBCIEIBivgMkJ1LAUnhmySZKi+cQFuDS2JiSh0aqHmcQ1DyRj
-----END PRIVATE KEY-----
";

fn claims() -> Claims {
    Claims {
        ticket: TicketId(Uuid::from_u128(7)),
        performance: PerformanceId(Uuid::from_u128(9)),
        category: "STALLS".parse().unwrap(),
        not_before: 1_800_000_000,
        expiry: 1_800_020_000,
        revision: 1,
    }
}

fn signer() -> TicketSigner {
    TicketSigner::new(PrivateKey::from_seed(&[1; 32]), WINDOW)
}

fn set_of(entries: Vec<KeyEntry>) -> KeySet {
    KeySet::new(1, entries).unwrap()
}

#[test]
fn a_signed_ticket_is_believed() {
    let token = signer().sign(&claims()).unwrap();
    let parsed = Parsed::read(token.as_str()).unwrap();
    let verified = parsed.verify(&set_of(vec![signer().entry()])).unwrap();
    assert_eq!(*verified.claims(), claims());
    assert_eq!(verified.hash(), token.hash());
    assert_eq!(parsed.to_token(), token);
}

#[test]
fn the_largest_ticket_fits_the_code_that_gates_read() {
    let extreme = Claims {
        ticket: TicketId(Uuid::max()),
        performance: PerformanceId(Uuid::max()),
        category: "ABCDEFGHIJKLMNOP".parse().unwrap(),
        not_before: i64::from(u32::MAX) - 1,
        expiry: i64::from(u32::MAX),
        revision: u32::MAX,
    };
    let window = Window {
        not_before: 0,
        not_after: i64::MAX,
    };
    let token = TicketSigner::new(PrivateKey::from_seed(&[1; 32]), window)
        .sign(&extreme)
        .unwrap();
    assert!(
        token.as_str().len() <= MAX_TOKEN_CHARS,
        "{}",
        token.as_str().len()
    );
    assert!(qr::version(token.as_str()).unwrap() <= qr::MAX_VERSION);
    Parsed::read(token.as_str()).unwrap();
}

#[test]
fn each_reason_not_to_believe_has_its_own_name() {
    let (signer, other) = (
        signer(),
        TicketSigner::new(PrivateKey::from_seed(&[2; 32]), WINDOW),
    );
    let parsed = Parsed::read(signer.sign(&claims()).unwrap().as_str()).unwrap();
    let kid = signer.kid();
    let with = |change: fn(&mut KeyEntry)| {
        let mut entry = signer.entry();
        change(&mut entry);
        parsed.verify(&set_of(vec![entry, other.entry()]))
    };
    assert!(with(|_| {}).is_ok());
    assert!(with(|entry| entry.status = KeyStatus::Retired).is_ok());
    assert_eq!(
        with(|entry| entry.status = KeyStatus::Withdrawn),
        Err(VerifyError::Withdrawn(kid))
    );
    assert_eq!(
        with(|entry| entry.key_use = KeyUse::Sync),
        Err(VerifyError::WrongUse(kid))
    );
    assert_eq!(
        with(|entry| entry.window.not_after = claims().expiry - 1),
        Err(VerifyError::OutsideWindow(kid))
    );
    assert_eq!(
        parsed.verify(&set_of(vec![other.entry()])),
        Err(VerifyError::UnknownKey(kid))
    );
}

#[test]
fn no_ticket_is_issued_that_no_gate_would_accept() {
    for (change, refused) in [
        ((-1, 5), InvalidClaims::TimeOutOfRange),
        ((5, 1 << 32), InvalidClaims::TimeOutOfRange),
        ((5, 5), InvalidClaims::NeverValid),
        ((5, 6), InvalidClaims::OutsideKeyWindow),
    ] {
        let claims = Claims {
            not_before: change.0,
            expiry: change.1,
            ..claims()
        };
        assert_eq!(signer().sign(&claims), Err(refused));
    }
}

#[test]
fn a_sync_point_is_no_ticket_and_a_ticket_no_sync_point() {
    let sync = Signer::for_sync(PrivateKey::from_seed(&[3; 32]));
    let entry = KeyEntry {
        key: sync.public(),
        key_use: KeyUse::Sync,
        window: WINDOW,
        status: KeyStatus::Active,
    };
    let keys = set_of(vec![signer().entry(), entry]);
    let point = sync.sign_cose(b"point", b"venue");
    assert_eq!(
        verify_cose(&point, &keys, KeyUse::Sync, b"venue").unwrap(),
        b"point"
    );
    assert_eq!(
        verify_cose(&point, &keys, KeyUse::Sync, b"other"),
        Err(VerifyError::BadSignature(sync.kid()))
    );
    assert!(verify_cose(&point, &keys, KeyUse::Ticket, b"venue").is_err());
    let retired = set_of(vec![KeyEntry {
        status: KeyStatus::Retired,
        ..entry
    }]);
    assert_eq!(
        verify_cose(&point, &retired, KeyUse::Sync, b"venue"),
        Err(VerifyError::Retired(sync.kid()))
    );
}

#[test]
fn a_node_takes_key_sets_from_its_root_only() {
    let root = RootKey::new(PrivateKey::from_seed(&[4; 32]));
    let set = set_of(vec![signer().entry()]);
    let signed = root.sign(&set);
    assert_eq!(signed.verify(&root.public()).unwrap(), set);
    assert!(
        signed
            .verify(&RootKey::new(PrivateKey::from_seed(&[5; 32])).public())
            .is_err()
    );
}

#[test]
fn private_keys_survive_pem_and_never_print() {
    let key = PrivateKey::from_seed(&[6; 32]);
    let pem = key.to_pkcs8_pem();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert_eq!(
        PrivateKey::from_pkcs8_pem(&pem).unwrap().public(),
        key.public()
    );
    let signer = TicketSigner::new(key.clone(), WINDOW);
    let printed = format!("{key:?} {signer:?} {:?}", RootKey::new(key.clone()));
    assert!(printed.contains(key.kid().as_str()));
    assert!(
        !printed.contains("0606") && !printed.contains("6, 6"),
        "{printed}"
    );
}

#[test]
fn keys_made_by_openssl_are_read() {
    let key = PrivateKey::from_pkcs8_pem(OPENSSL_ED25519).unwrap();
    assert_eq!(key.to_pkcs8_pem().as_str(), OPENSSL_ED25519);
}

#[test]
fn a_key_file_whose_halves_do_not_fit_is_refused() {
    let pair = |public: [u8; 32]| KeypairBytes {
        secret_key: [6; 32],
        public_key: Some(PublicKeyBytes(public)),
    };
    let own = *PrivateKey::from_seed(&[6; 32]).public().as_bytes();
    let other = *PrivateKey::from_seed(&[7; 32]).public().as_bytes();
    let pem = |public| pair(public).to_pkcs8_pem(LineEnding::LF).unwrap();
    assert_eq!(
        PrivateKey::from_pkcs8_pem(&pem(own))
            .unwrap()
            .public()
            .as_bytes(),
        &own
    );
    assert_eq!(
        PrivateKey::from_pkcs8_pem(&pem(other)).unwrap_err(),
        KeyError::NotPkcs8
    );
}

#[test]
fn keys_of_other_kinds_are_refused() {
    let cut = &OPENSSL_ED25519[..60];
    let public = OPENSSL_ED25519.replace("PRIVATE", "PUBLIC");
    for pem in ["", "no key", OPENSSL_X25519, cut, &public] {
        let refused = PrivateKey::from_pkcs8_pem(pem).unwrap_err();
        assert_eq!(refused.code(), "key_not_pkcs8", "{pem}");
    }
}

#[test]
fn a_token_prints_its_hash_only() {
    let token = signer().sign(&claims()).unwrap();
    let parsed = Parsed::read(token.as_str()).unwrap();
    for printed in [format!("{token:?}"), format!("{parsed:?}")] {
        assert!(
            printed.contains(&token.hash().to_string()[..12]),
            "{printed}"
        );
        assert!(
            !printed.contains("EV1:") && !printed.contains("STALLS"),
            "{printed}"
        );
    }
    assert_eq!(serde_json::to_value(&token).unwrap(), token.as_str());
}

#[test]
fn only_a_higher_version_takes_the_place_of_a_key_set() {
    let version = |version| KeySet::new(version, vec![signer().entry()]).unwrap();
    assert!(version(1).supersedes(None));
    assert!(version(2).supersedes(Some(&version(1))));
    assert!(!version(2).supersedes(Some(&version(2))));
    assert!(!version(1).supersedes(Some(&version(2))));
}
