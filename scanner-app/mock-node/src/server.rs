//! TLS and connections, which can be cut.

use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::{Shared, api};

pub(crate) fn acceptor(key: &KeyPair) -> Result<TlsAcceptor> {
    let names = vec!["localhost".to_owned()];
    let certificate = CertificateParams::new(names)?.self_signed(key)?;
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

pub(crate) async fn serve(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let router = api::router(Arc::clone(&shared));
    while let Ok((stream, _)) = listener.accept().await {
        let line = {
            let state = shared.lock();
            // Dropped: whoever connects sees the connection end.
            if state.cut {
                continue;
            }
            state.line.clone()
        };
        let connection = serve_one(stream, acceptor.clone(), router.clone());
        tokio::spawn(line.run_until_cancelled_owned(connection));
    }
}

async fn serve_one(stream: TcpStream, acceptor: TlsAcceptor, router: Router) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Ok(tls) = acceptor.accept(stream).await else {
        return;
    };
    let builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    let service = TowerToHyperService::new(router);
    // A connection that breaks is the scanner's affair.
    drop(builder.serve_connection(TokioIo::new(tls), service).await);
}
