//! What a node asks for: a certificate for its key.

use eventify_protocol::hash::Hash32;
use rcgen::{CertificateSigningRequestParams, PublicKeyData};
use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a PKCS #10 request in PEM, signed by its own key (P-256, P-384 or Ed25519)")]
pub(crate) struct BadRequest;

/// The public key of a request, the only part of it that is used.
pub(crate) struct RequestedKey(pub(super) rcgen::PublicKey);

impl RequestedKey {
    /// Reads a request and checks that its sender has the private key.
    pub(crate) fn read(pem: &str) -> Result<Self, BadRequest> {
        let der =
            CertificateSigningRequestDer::from_pem_slice(pem.as_bytes()).map_err(|_| BadRequest)?;
        let (_, request) = X509CertificationRequest::from_der(&der).map_err(|_| BadRequest)?;
        let key = CertificateSigningRequestParams::from_der(&der)
            .map_err(|_| BadRequest)?
            .public_key;
        // The library derives the key's algorithm from the signature's: they have to agree.
        let info = &request.certification_request_info;
        let same = info.subject_pki.raw == key.subject_public_key_info();
        let modern = [
            &rcgen::PKCS_ECDSA_P256_SHA256,
            &rcgen::PKCS_ECDSA_P384_SHA384,
            &rcgen::PKCS_ED25519,
        ]
        .contains(&key.algorithm());
        if same && modern {
            Ok(Self(key))
        } else {
            Err(BadRequest)
        }
    }

    /// SHA-256 over its SubjectPublicKeyInfo.
    pub(crate) fn hash(&self) -> Hash32 {
        Hash32::of(&self.0.subject_public_key_info())
    }
}
