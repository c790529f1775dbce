//! The core's fleet listener: HTTPS with a certificate of an authority that nodes pin.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// A fleet listener that counts the bytes that it receives.
pub(crate) struct FleetListener {
    address: SocketAddr,
    received_bytes: Arc<AtomicUsize>,
}

impl FleetListener {
    /// Its certificate names `name` and comes from `authority`, whose own is `authority_pem`. It
    /// answers with what `answer` makes of path and body: status and body.
    pub(crate) async fn start(
        authority: &Issuer<'_, KeyPair>,
        authority_pem: &str,
        name: &str,
        answer: impl Fn(&str, Value) -> (u16, Value) + Send + 'static,
    ) -> Self {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, authority)
            .unwrap();
        let chain = vec![
            leaf.der().clone(),
            CertificateDer::from_pem_slice(authority_pem.as_bytes()).unwrap(),
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
                let Some((path, body)) = receive(&mut tls, &received).await else {
                    continue;
                };
                let (status, answer) = answer(&path, body);
                let answer = answer.to_string();
                let head = format!(
                    "HTTP/1.1 {status} Answer\r\ncontent-type: application/json\r\n\
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

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    pub(crate) fn received_bytes(&self) -> usize {
        self.received_bytes.load(Ordering::Relaxed)
    }
}

/// Path and body of the next request, if it arrives whole.
async fn receive(
    tls: &mut TlsStream<TcpStream>,
    received_bytes: &AtomicUsize,
) -> Option<(String, Value)> {
    let mut request = Vec::new();
    loop {
        let count = tls.read_buf(&mut request).await.ok()?;
        received_bytes.fetch_add(count, Ordering::Relaxed);
        let whole = complete_request(&request);
        if whole.is_some() || count == 0 {
            return whole;
        }
    }
}

/// A complete `POST`.
fn complete_request(request: &[u8]) -> Option<(String, Value)> {
    let text = std::str::from_utf8(request).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let path = head.strip_prefix("POST ")?.split(' ').next()?;
    Some((path.to_owned(), serde_json::from_str(body).ok()?))
}
