//! Mutual TLS with the certificates of the enrolment: only the broker's authority is trusted.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::identity::Identity;

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

/// Whether the identity's certificates and key can be used for a connection.
pub(crate) fn check_identity(identity: &Identity) -> Result<(), String> {
    client_config(identity).map(|_| ())
}

fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{what}: {error}"))?;
    if certificates.is_empty() {
        Err(format!("{what}: it contains no certificate"))
    } else {
        Ok(certificates)
    }
}
