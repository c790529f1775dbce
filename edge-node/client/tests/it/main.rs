//! Connections to a server that has the pinned key, and to one that has another.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use eventify_lan_client::{ClientError, Method, NodeClient, Request, Timeouts};
use eventify_protocol::{hash::Hash32, lan::IDLE_CONNECTION};
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    request: Duration::from_secs(10),
    silence: Duration::from_secs(10),
};

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// A server that answers each request alike and keeps its connections, of which it returns the number. Its
/// certificate names another host.
async fn serve(answer: String) -> (String, Hash32, Arc<AtomicUsize>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["elsewhere.example".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            // A client may be gone; the next one is served all the same.
            tokio::spawn(async move { answer_each(acceptor.accept(stream).await?, &answer).await });
        }
    });
    (url, Hash32::of(&key.subject_public_key_info()), connections)
}

/// Each request comes in one piece. One that is answered by nothing ends the connection.
async fn answer_each(mut tls: TlsStream<TcpStream>, answer: &str) -> io::Result<()> {
    let mut request = [0; 4_096];
    while tls.read(&mut request).await? > 0 && !answer.is_empty() {
        tls.write_all(answer.as_bytes()).await?;
    }
    tls.shutdown().await
}

async fn nonce_from(answer: String) -> Result<String, ClientError> {
    let (url, key, _) = serve(answer).await;
    let node = NodeClient::new(&url, key, TIMEOUTS).unwrap();
    node.nonce().await.map(|given| given.nonce)
}

#[tokio::test]
async fn the_holder_of_the_pinned_key_is_trusted_whatever_its_certificate_says() {
    let nonce = answer("200 OK", r#"{"nonce":"abc","expiresIn":30}"#);
    assert_eq!(nonce_from(nonce).await.unwrap(), "abc");
}

/// A node closes a connection that is idle. A request that meets that moment has no answer.
#[tokio::test]
async fn no_request_is_sent_on_a_connection_that_the_node_is_about_to_close() {
    let nonce = answer("200 OK", r#"{"nonce":"abc","expiresIn":30}"#);
    let (url, key, connections) = serve(nonce).await;
    let node = NodeClient::new(&url, key, TIMEOUTS).unwrap();
    for (idle, expected) in [
        (Duration::ZERO, 1),
        (IDLE_CONNECTION / 3, 1),
        (IDLE_CONNECTION - Duration::from_secs(5), 2),
    ] {
        time::pause();
        time::advance(idle).await;
        time::resume();
        node.nonce().await.unwrap();
        assert_eq!(connections.load(Ordering::Relaxed), expected, "{idle:?}");
    }
}

#[tokio::test]
async fn another_key_is_refused_before_anything_is_sent() {
    let (url, _, _) = serve(answer("200 OK", "")).await;
    let node = NodeClient::new(&url, Hash32([1; 32]), TIMEOUTS).unwrap();
    let request = Request::unsigned(Method::GET, "/v1/nonce", Vec::new());
    let error = node.send(&request).await.unwrap_err();
    assert!(matches!(error, ClientError::WrongKey), "{error:?}");
}

#[tokio::test]
async fn no_answer_a_refusal_and_an_answer_of_something_else_are_told_apart() {
    let error = nonce_from(String::new()).await.unwrap_err();
    assert!(matches!(error, ClientError::NoAnswer(_)), "{error:?}");

    let busy = answer(
        "503 Service Unavailable\r\nretry-after: 1",
        r#"{"error":{"code":"busy","message":"","correlationId":"0192f0c0-0000-7000-8000-0000000000aa"}}"#,
    );
    let error = nonce_from(busy).await.unwrap_err();
    let refusal = error.refusal().unwrap();
    assert_eq!((refusal.status, refusal.error.code.as_str()), (503, "busy"));
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(1)));

    let error = nonce_from(answer("200 OK", "hello")).await.unwrap_err();
    assert!(
        matches!(error, ClientError::Malformed { status: 200, .. }),
        "{error:?}"
    );
}
