use super::certificates::{end_of, parse, read_certificates};
use super::*;
use chrono::TimeDelta;
use rcgen::{BasicConstraints, CertifiedIssuer, IsCa};

fn day(days: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::days(days)
}

/// An authority's certificate of this key that ends then, PEM.
fn issued(key: &KeyPair, ends_at: DateTime<Utc>) -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    set_validity(&mut params, day(-1_000), ends_at);
    CertifiedIssuer::self_signed(params, key).unwrap().pem()
}

fn authority() -> DeviceAuthority {
    let key = KeyPair::generate().unwrap();
    DeviceAuthority::from_pem(&issued(&key, day(1_000)), &key.serialize_pem()).unwrap()
}

fn requested() -> RequestedKey {
    RequestedKey::read(&request("node").1).unwrap()
}

fn end(der: &CertificateDer<'_>) -> DateTime<Utc> {
    end_of(&parse(der).unwrap()).unwrap()
}

fn request(names: &str) -> (KeyPair, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["core.example.org".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, names);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.serialize_request(&key).unwrap().pem().unwrap();
    (key, pem)
}

#[test]
fn only_the_key_of_a_request_reaches_the_certificate() {
    let authority = authority();
    let (now, until) = (day(0), day(90));
    let (key, pem) = request("somebody-else");
    let requested = RequestedKey::read(&pem).unwrap();
    let serial = uuid::Uuid::from_u128(7);
    let name = common_name("t1", "node");
    let chain = authority
        .certify_node(&name, &requested, serial, now, until)
        .unwrap();

    assert_eq!(chain.ends_at, until);
    let ders = read_certificates(&chain.chain).unwrap();
    let leaf = parse(&ders[0]).unwrap();
    let root = parse(&ders[1]).unwrap();
    assert_eq!(leaf.subject().to_string(), "CN=t1:node");
    assert_eq!(leaf.public_key().raw, key.subject_public_key_info());
    assert!(leaf.subject_alternative_name().unwrap().is_none());
    assert!(!leaf.is_ca());
    assert_eq!(leaf.validity().not_after.timestamp(), until.timestamp());
    leaf.verify_signature(Some(root.public_key())).unwrap();
    assert_eq!(authority.fingerprint(), Hash32::of(&ders[1]));
}

#[test]
fn damaged_requests_and_strangers_keys_are_refused() {
    let (_, pem) = request("node");
    let half = &pem[..pem.len() / 2];
    for bad in ["", "no pem", half] {
        assert!(RequestedKey::read(bad).is_err(), "{bad}");
    }
    let other = KeyPair::generate().unwrap().serialize_pem();
    let refused = DeviceAuthority::from_pem(&authority().pem, &other);
    assert!(matches!(refused, Err(AuthorityError::OtherKey)));
}

#[test]
fn the_default_vhost_needs_no_prefix_and_long_names_are_refused() {
    assert_eq!(common_name("/", "node"), "node");
    let (_, pem) = request("x");
    let requested = RequestedKey::read(&pem).unwrap();
    let now = day(0);
    let name = "v".repeat(65);
    let long = authority().certify_node(&name, &requested, uuid::Uuid::nil(), now, now);
    assert!(matches!(long, Err(AuthorityError::CommonName(_))));
}

/// Certificates were given out that were valid longer than the authority that had signed them: nobody
/// was warned of the day on which each of them was refused.
#[test]
fn no_certificate_outlives_the_authority_and_none_is_made_after_its_end() {
    let key = KeyPair::generate().unwrap();
    let pem = issued(&key, day(50));
    let authority = DeviceAuthority::from_pem(&pem, &key.serialize_pem()).unwrap();
    assert_eq!(authority.ends_at(), day(50));
    let (serial, until) = (uuid::Uuid::nil(), day(90));
    let node = authority.certify_node("node", &requested(), serial, day(0), until);
    let node = node.unwrap();
    let leaf = &read_certificates(&node.chain).unwrap()[0];
    assert_eq!((node.ends_at, end(leaf)), (day(50), day(50)));
    let listener = authority.certify_listener("localhost", serial, day(0), until);
    let listener = listener.unwrap();
    assert_eq!(
        (listener.ends_at, end(&listener.chain[0])),
        (day(50), day(50))
    );
    let late = authority.certify_node("node", &requested(), serial, day(50), until);
    assert!(matches!(late, Err(AuthorityError::Ended(_))));
    let late = authority.certify_listener("localhost", serial, day(50), until);
    assert!(matches!(late, Err(AuthorityError::Ended(_))));
}

/// Nodes have pinned the certificate of before, so the listener shows it too.
#[test]
fn a_new_certificate_of_the_same_key_signs_and_the_old_one_is_still_shown() {
    let key = KeyPair::generate().unwrap();
    let (old, new) = (issued(&key, day(-1)), issued(&key, day(1_000)));
    let both = format!("Subject: the new one\n{new}\n{old}");
    let authority = DeviceAuthority::from_pem(&both, &key.serialize_pem()).unwrap();
    assert_eq!(authority.ends_at(), day(1_000));
    let ders = read_certificates(&both).unwrap();
    assert_eq!(authority.fingerprint(), Hash32::of(&ders[0]));
    let serial = uuid::Uuid::nil();
    let listener = authority.certify_listener("localhost", serial, day(0), day(30));
    assert_eq!(listener.unwrap().chain[1..], ders);
    let node = authority.certify_node("node", &requested(), serial, day(0), day(90));
    let chain = read_certificates(&node.unwrap().chain).unwrap();
    assert_eq!(chain[1..], ders[..1], "a node pins the last one");
    let other = issued(&KeyPair::generate().unwrap(), day(1_000));
    let mixed = DeviceAuthority::from_pem(&(new + &other), &key.serialize_pem());
    assert!(matches!(mixed, Err(AuthorityError::OtherKey)));
}

#[test]
fn the_ends_of_the_brokers_authorities_are_those_of_its_certificates() {
    let key = KeyPair::generate().unwrap();
    let both = issued(&key, day(200)) + &issued(&key, day(100));
    let broker = BrokerAuthority::from_pem(both).unwrap();
    assert_eq!(broker.first_ends_at, day(100));
    assert_eq!(broker.last_ends_at, day(200));
    for wrong in ["", "no certificate"] {
        assert!(BrokerAuthority::from_pem(wrong.to_owned()).is_err());
    }
}
