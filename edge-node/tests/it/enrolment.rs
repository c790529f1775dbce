//! Enrolment against a core that is the right one, and ones that are not.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use eventify_edge::{enrol, identity::Identity};
use eventify_protocol::{
    enrolment::{EnrolmentCode, EnrolmentSecret},
    hash::Hash32,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, IsCa,
    KeyPair,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::world::{Venue, use_ring};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut parameters = CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// A fleet listener that answers every enrolment and counts the bytes that it receives.
struct FleetListener {
    address: SocketAddr,
    received_bytes: Arc<AtomicUsize>,
}

impl FleetListener {
    /// Its certificate names `name` and comes from `authority`.
    async fn start(authority: &Authority, name: &str, venue: Arc<Venue>) -> Self {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, authority)
            .unwrap();
        let chain: Vec<CertificateDer<'static>> = vec![
            leaf.der().clone(),
            CertificateDer::from(authority.der().to_vec()),
        ];
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received_bytes = Arc::new(AtomicUsize::new(0));
        let received = Arc::clone(&received_bytes);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut tls) = acceptor.accept(stream).await else {
                    continue;
                };
                let Some(body) = receive(&mut tls, &received).await else {
                    continue;
                };
                let answer = answer(&venue, &body);
                let head = format!(
                    "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\nconnection: close\r\n\r\n",
                    answer.len()
                );
                tls.write_all(head.as_bytes()).await.unwrap();
                tls.write_all(answer.as_bytes()).await.unwrap();
                tls.shutdown().await.unwrap();
            }
        });
        Self {
            address,
            received_bytes,
        }
    }

    fn code(&self, authority: &Authority) -> EnrolmentCode {
        EnrolmentCode {
            core: format!("https://localhost:{}", self.address.port()),
            authority: Hash32::of(authority.der()),
            secret: EnrolmentSecret([5; 20]),
        }
    }
}

/// The body of the next request, if it arrives whole.
async fn receive(
    tls: &mut TlsStream<TcpStream>,
    received_bytes: &AtomicUsize,
) -> Option<serde_json::Value> {
    let mut request = Vec::new();
    loop {
        let count = tls.read_buf(&mut request).await.ok()?;
        received_bytes.fetch_add(count, Ordering::Relaxed);
        let body = complete_body(&request);
        if body.is_some() || count == 0 {
            return body;
        }
    }
}

/// The body of a complete request.
fn complete_body(request: &[u8]) -> Option<serde_json::Value> {
    let text = std::str::from_utf8(request).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    assert!(
        head.starts_with("POST /fleet/enrolments HTTP/1.1"),
        "{head}"
    );
    serde_json::from_str(body).ok()
}

/// What a core answers: a certificate over the key that was sent.
fn answer(venue: &Venue, request: &serde_json::Value) -> String {
    let devices = authority();
    let csr = CertificateSigningRequestParams::from_pem(request["csr"].as_str().unwrap()).unwrap();
    let certificate = csr.signed_by(&devices).unwrap();
    let like = venue.identity(Venue::nowhere());
    serde_json::json!({
        "nodeId": venue.node,
        "venueId": venue.id,
        "label": "Foyer",
        "certificateChain": format!("{}{}", certificate.pem(), devices.pem()),
        "broker": like.broker,
        "rootKey": like.root_key,
        "keySet": like.key_set,
    })
    .to_string()
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
    let core = FleetListener::start(&authority, "localhost", Arc::clone(&venue)).await;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("node");
    let enrolled = enrol::enrol(&core.code(&authority), &folder).await.unwrap();
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

    let received = core.received_bytes.load(Ordering::Relaxed);
    let second = enrol::enrol(&core.code(&authority), &folder)
        .await
        .unwrap_err();
    assert!(second.to_string().contains("enrolled already"), "{second}");
    assert_eq!(core.received_bytes.load(Ordering::Relaxed), received);
}

/// N1: a lost `identity.json` and a new code gave the new instance the old one's journal, which the
/// core never acknowledged.
#[tokio::test]
async fn a_new_instance_takes_no_journal_of_another() {
    use_ring();
    let (authority, venue) = (authority(), Arc::new(Venue::new()));
    let core = FleetListener::start(&authority, "localhost", venue).await;
    for file in [
        "journal.sqlite",
        "replica-1.sqlite",
        "scanners.json",
        "last-row.json",
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), b"of another instance").unwrap();
        let error = refused(&core.code(&authority), folder.path()).await;
        assert!(
            error.contains(file) && error.contains("nothing was sent"),
            "{error}"
        );
        assert!(error.contains("export-journal"), "how to keep it: {error}");
    }
    assert_eq!(core.received_bytes.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_wrong_authority_or_name_receives_nothing() {
    use_ring();
    let (right, wrong, venue) = (authority(), authority(), Arc::new(Venue::new()));
    let folder = tempfile::tempdir().unwrap();
    let impostor = FleetListener::start(&wrong, "localhost", Arc::clone(&venue)).await;
    let error = refused(&impostor.code(&right), folder.path()).await;
    assert!(
        error.contains("nothing was sent") && error.contains("UnknownIssuer"),
        "{error}"
    );
    let misnamed = FleetListener::start(&right, "core.example.org", venue).await;
    let error = refused(&misnamed.code(&right), folder.path()).await;
    assert!(error.contains("not valid for name"), "{error}");
    for server in [impostor, misnamed] {
        assert_eq!(server.received_bytes.load(Ordering::Relaxed), 0);
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
