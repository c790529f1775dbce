//! Enrolment against a core that is the right one, and ones that are not.

use std::{path::Path, sync::Arc};

use eventify_edge::{enrol, identity::Identity};
use eventify_protocol::{
    enrolment::{EnrolmentCode, EnrolmentSecret},
    hash::Hash32,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, IsCa,
    KeyPair,
};
use serde_json::{Value, json};

use crate::world::{FleetListener, Venue, use_ring};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut parameters = CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// A core that enrols everybody. Its listener's certificate names `name`.
async fn core(authority: &Authority, name: &str, venue: Arc<Venue>) -> FleetListener {
    FleetListener::start(authority, &authority.pem(), name, move |path, request| {
        assert_eq!(path, "/fleet/enrolments");
        (201, answer(&venue, &request))
    })
    .await
}

fn code(core: &FleetListener, authority: &Authority) -> EnrolmentCode {
    EnrolmentCode {
        core: core.url(),
        authority: Hash32::of(authority.der()),
        secret: EnrolmentSecret([5; 20]),
    }
}

/// What a core answers: a certificate over the key that was sent.
fn answer(venue: &Venue, request: &Value) -> Value {
    let devices = authority();
    let csr = CertificateSigningRequestParams::from_pem(request["csr"].as_str().unwrap()).unwrap();
    let certificate = csr.signed_by(&devices).unwrap();
    let like = venue.identity(Venue::nowhere());
    json!({
        "nodeId": venue.node,
        "venueId": venue.id,
        "label": "Foyer",
        "certificateChain": format!("{}{}", certificate.pem(), devices.pem()),
        "broker": like.broker,
        "rootKey": like.root_key,
        "keySet": like.key_set,
    })
}

async fn refused(code: &EnrolmentCode, folder: &Path) -> String {
    let error = enrol::enrol(code, folder).await.unwrap_err();
    assert!(!Identity::exists(folder));
    error.to_string()
}

#[tokio::test]
async fn the_right_core_gives_an_identity_once() {
    use_ring();
    let (authority, venue) = (authority(), Arc::new(Venue::new()));
    let core = core(&authority, "localhost", Arc::clone(&venue)).await;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("node");
    let enrolled = enrol::enrol(&code(&core, &authority), &folder)
        .await
        .unwrap();
    let stored = Identity::load(&folder).unwrap();
    assert_eq!((stored.node_id, stored.venue_id), (venue.node, venue.id));
    assert_eq!(stored.lan_fingerprint(), enrolled.lan_fingerprint());
    let rights = |path: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(
        (rights(&folder), rights(&Identity::path(&folder))),
        (0o700, 0o600)
    );

    let received = core.received_bytes();
    let second = enrol::enrol(&code(&core, &authority), &folder)
        .await
        .unwrap_err();
    assert!(second.to_string().contains("enrolled already"), "{second}");
    assert_eq!(core.received_bytes(), received);
}

/// N1: a lost `identity.json` and a new code gave the new instance the old one's journal, which the
/// core never acknowledged.
#[tokio::test]
async fn a_new_instance_takes_no_journal_of_another() {
    use_ring();
    let (authority, venue) = (authority(), Arc::new(Venue::new()));
    let core = core(&authority, "localhost", venue).await;
    for file in [
        "journal.sqlite",
        "replica-1.sqlite",
        "scanners.json",
        "last-row.json",
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), b"of another instance").unwrap();
        let error = refused(&code(&core, &authority), folder.path()).await;
        assert!(
            error.contains(file) && error.contains("nothing was sent"),
            "{error}"
        );
        assert!(error.contains("export-journal"), "how to keep it: {error}");
    }
    assert_eq!(core.received_bytes(), 0);
}

#[tokio::test]
async fn a_wrong_authority_or_name_receives_nothing() {
    use_ring();
    let (right, wrong, venue) = (authority(), authority(), Arc::new(Venue::new()));
    let folder = tempfile::tempdir().unwrap();
    let impostor = core(&wrong, "localhost", Arc::clone(&venue)).await;
    let error = refused(&code(&impostor, &right), folder.path()).await;
    assert!(
        error.contains("nothing was sent") && error.contains("UnknownIssuer"),
        "{error}"
    );
    let misnamed = core(&right, "core.example.org", venue).await;
    let error = refused(&code(&misnamed, &right), folder.path()).await;
    assert!(error.contains("not valid for name"), "{error}");
    for server in [impostor, misnamed] {
        assert_eq!(server.received_bytes(), 0);
    }
}

#[tokio::test]
async fn a_core_that_is_not_there_leaves_the_node_as_it_was() {
    use_ring();
    let folder = tempfile::tempdir().unwrap();
    let code = EnrolmentCode {
        core: "https://127.0.0.1:9".to_owned(),
        authority: Hash32([1; 32]),
        secret: EnrolmentSecret([5; 20]),
    };
    let error = refused(&code, folder.path()).await;
    assert!(error.contains("nothing was sent"), "{error}");
    // The key that was made for it is used again when the core is there.
    let key = std::fs::read(folder.path().join("enrolment.key.pem")).unwrap();
    refused(&code, folder.path()).await;
    assert_eq!(
        std::fs::read(folder.path().join("enrolment.key.pem")).unwrap(),
        key
    );
}
