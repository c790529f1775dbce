//! Mutual TLS from what enrolment brought: the broker's authority is the only one trusted.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::identity::Identity;

/// TLS settings of the line to the broker.
pub(crate) fn client_config(identity: &Identity) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&identity.broker.authority, "the broker's authority")? {
        roots
            .add(certificate)
            .map_err(|error| format!("the broker's authority: {error}"))?;
    }
    let chain = certificates(&identity.certificate_chain, "the node's certificate")?;
    let key = PrivateKeyDer::from_pem_slice(identity.private_key.as_bytes())
        .map_err(|error| format!("the node's key: {error}"))?;
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|error| format!("the node's certificate: {error}"))
}

/// Whether a connection could be made with this identity, as far as the files tell.
pub(crate) fn check_identity(identity: &Identity) -> Result<(), String> {
    client_config(identity).map(|_| ())
}

fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{what}: {error}"))?;
    if certificates.is_empty() {
        Err(format!("{what}: no certificate in it"))
    } else {
        Ok(certificates)
    }
}
