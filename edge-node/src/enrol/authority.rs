//! TLS to a server of which only the authority's fingerprint is known.
//!
//! The server has to present its whole chain, the root included. The certificate with the pinned
//! fingerprint becomes the only root; chain, dates and name are then verified as usual.

use std::sync::Arc;

use eventify_protocol::hash::Hash32;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

/// TLS settings that trust only the authority with this fingerprint.
pub(super) fn client_config(authority: Hash32) -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let verifier = PinnedAuthority {
        fingerprint: authority,
        provider: Arc::clone(&provider),
    };
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth()
}

#[derive(Debug)]
struct PinnedAuthority {
    fingerprint: Hash32,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authority = intermediates
            .iter()
            .find(|certificate| Hash32::of(certificate) == self.fingerprint)
            .ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{
        BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair,
        date_time_ymd,
    };

    use super::*;

    fn authority(key: &KeyPair, last_year: i32) -> (CertificateParams, Certificate) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "Device authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.not_before = date_time_ymd(2010, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        let certificate = params.self_signed(key).unwrap();
        (params, certificate)
    }

    /// The core's authority had ended; it has a new certificate of the same key, and shows both.
    #[test]
    fn a_node_that_has_pinned_the_certificate_of_before_still_reaches_the_core() {
        let key = KeyPair::generate().unwrap();
        let (_, old) = authority(&key, 2020);
        let (params, new) = authority(&key, 2040);
        let issuer = Issuer::from_params(&params, &key);
        let own = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::new(["core".to_owned()]).unwrap();
        leaf.not_before = date_time_ymd(2025, 1, 1);
        leaf.not_after = date_time_ymd(2026, 1, 1);
        let leaf = leaf.signed_by(&own, &issuer).unwrap();
        let shown = [new.der().clone(), old.der().clone()];
        // Some day in 2025.
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_750_000_000));
        let name = ServerName::try_from("core").unwrap();
        let reaches = |pinned: &CertificateDer<'_>, shown: &[CertificateDer<'_>]| {
            let pinned = PinnedAuthority {
                fingerprint: Hash32::of(pinned),
                provider: Arc::new(ring::default_provider()),
            };
            pinned
                .verify_server_cert(leaf.der(), shown, &name, &[], now)
                .is_ok()
        };
        assert!(reaches(old.der(), &shown));
        assert!(reaches(new.der(), &shown));
        assert!(!reaches(old.der(), &shown[..1]), "it is not shown");
        let (_, other) = authority(&KeyPair::generate().unwrap(), 2040);
        let theirs = [other.der().clone()];
        assert!(!reaches(other.der(), &theirs), "of another key");
    }
}
