//! The device authority: signs the nodes' client certificates and the enrolment listener's own.
//!
//! A request contributes its public key only; name, usage and validity are set here.

use std::fmt;

use chrono::{DateTime, Utc};
use eventify_protocol::hash::Hash32;
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData, SerialNumber,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivatePkcs8KeyDer};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

/// Longest common name (X.520 `ub-common-name`).
const MAX_COMMON_NAME_CHARS: usize = 64;

/// How far back a new certificate is valid, for clocks that are behind.
const BACKDATE: chrono::TimeDelta = chrono::TimeDelta::hours(1);

pub(crate) struct DeviceAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

/// Why the authority or a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error("not a certificate in PEM")]
    Certificate,
    #[error("not a private key in PEM (PKCS #8), or not one that can sign certificates")]
    Key,
    #[error("the private key is not that of the certificate")]
    OtherKey,
    #[error("the common name '{0}' is longer than {MAX_COMMON_NAME_CHARS} characters")]
    CommonName(String),
    #[error("signing failed: {0}")]
    Signing(#[from] rcgen::Error),
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a PKCS #10 request in PEM, signed by its own key (P-256, P-384 or Ed25519)")]
pub(crate) struct BadRequest;

/// The public key of a request, the only part of it that is used.
pub(crate) struct RequestedKey(rcgen::PublicKey);

/// A listener's certificate chain with its key.
pub(crate) struct ServerIdentity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivatePkcs8KeyDer<'static>,
}

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

impl DeviceAuthority {
    /// Takes certificate and key, which must belong together.
    pub(crate) fn from_pem(certificate: &str, key: &str) -> Result<Self, AuthorityError> {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|_| AuthorityError::Certificate)?;
        let key = KeyPair::from_pem(key).map_err(|_| AuthorityError::Key)?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&der).map_err(|_| AuthorityError::Certificate)?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(AuthorityError::OtherKey);
        }
        let issuer =
            Issuer::from_ca_cert_der(&der, key).map_err(|_| AuthorityError::Certificate)?;
        Ok(Self {
            issuer,
            certificate: der,
            pem: certificate.trim().to_owned() + "\n",
        })
    }

    /// SHA-256 over the authority's DER certificate. Enrolment codes carry it.
    pub(crate) fn fingerprint(&self) -> Hash32 {
        Hash32::of(&self.certificate)
    }

    /// A node's client certificate, PEM, with the authority's behind it.
    pub(crate) fn certify_node(
        &self,
        common_name: &str,
        key: &RequestedKey,
        serial: uuid::Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<String, AuthorityError> {
        let mut params = certificate(common_name, Vec::new(), serial, now, until)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let leaf = params.signed_by(&key.0, &self.issuer)?;
        Ok(leaf.pem() + &self.pem)
    }

    /// A certificate for the fleet listener under this host name or address, with a new key.
    pub(crate) fn certify_listener(
        &self,
        host: &str,
        serial: uuid::Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<ServerIdentity, AuthorityError> {
        let key = KeyPair::generate()?;
        let common_name: String = host.chars().take(MAX_COMMON_NAME_CHARS).collect();
        let mut params = certificate(&common_name, vec![host.to_owned()], serial, now, until)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&key, &self.issuer)?;
        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        Ok(ServerIdentity {
            chain,
            key: PrivatePkcs8KeyDer::from(key.serialize_der()),
        })
    }
}

fn certificate(
    common_name: &str,
    names: Vec<String>,
    serial: uuid::Uuid,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<CertificateParams, AuthorityError> {
    if common_name.chars().count() > MAX_COMMON_NAME_CHARS {
        return Err(AuthorityError::CommonName(common_name.to_owned()));
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
    set_validity(&mut params, now - BACKDATE, until);
    Ok(params)
}

/// X.509 counts whole seconds.
fn set_validity(params: &mut CertificateParams, from: DateTime<Utc>, until: DateTime<Utc>) {
    let seconds = |at: DateTime<Utc>| {
        std::time::Duration::from_secs(u64::try_from(at.timestamp()).unwrap_or_default())
    };
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + seconds(from);
    params.not_after = epoch + seconds(until);
}

impl fmt::Debug for DeviceAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceAuthority({})", self.fingerprint())
    }
}

/// The name by which the broker knows a node: RabbitMQ splits `vhost:user`, and takes a name
/// without a colon for a user of the default virtual host.
pub(crate) fn common_name(vhost: &str, user: &str) -> String {
    if vhost == "/" {
        user.to_owned()
    } else {
        format!("{vhost}:{user}")
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use rcgen::{BasicConstraints, CertifiedIssuer, IsCa};
    use x509_parser::prelude::X509Certificate;

    use super::*;

    fn authority() -> DeviceAuthority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let made = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        DeviceAuthority::from_pem(&made.pem(), &made.key().serialize_pem()).unwrap()
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
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let until = now + TimeDelta::days(90);
        let (key, pem) = request("somebody-else");
        let requested = RequestedKey::read(&pem).unwrap();
        let serial = uuid::Uuid::from_u128(7);
        let name = common_name("t1", "node");
        let chain = authority
            .certify_node(&name, &requested, serial, now, until)
            .unwrap();

        let ders: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .map(|der| der.unwrap())
            .collect();
        let (_, leaf) = X509Certificate::from_der(&ders[0]).unwrap();
        let (_, root) = X509Certificate::from_der(&ders[1]).unwrap();
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
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let name = "v".repeat(65);
        let long = authority().certify_node(&name, &requested, uuid::Uuid::nil(), now, now);
        assert!(matches!(long, Err(AuthorityError::CommonName(_))));
    }
}
