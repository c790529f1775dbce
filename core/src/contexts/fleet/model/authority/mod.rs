//! The device authority: signs the nodes' client certificates and the enrolment listener's own. None of
//! them is valid longer than its own certificate.
//!
//! A request contributes its public key only; name, usage and validity are set here.
//!
//! Its file may have more than one certificate, all of the same key: the first one signs, the others are
//! those of before, which the listener shows because nodes have pinned them (ADMISSION 10).

mod certificates;
mod end;
mod request;

use std::fmt;

use chrono::{DateTime, Utc};
use eventify_protocol::hash::Hash32;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData, SerialNumber,
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

pub(crate) use certificates::BrokerAuthority;
pub(crate) use end::{Authority, EndStage};
pub(crate) use request::RequestedKey;

use certificates::{end_of, first_block, parse, read_certificates};

/// Longest common name (X.520 `ub-common-name`).
const MAX_COMMON_NAME_CHARS: usize = 64;

/// How far back a new certificate is valid, for clocks that are behind.
const BACKDATE: chrono::TimeDelta = chrono::TimeDelta::hours(1);

pub(crate) struct DeviceAuthority {
    issuer: Issuer<'static, KeyPair>,
    /// The one that signs, and those of before.
    certificates: Vec<CertificateDer<'static>>,
    /// The one that signs.
    pem: String,
    ends_at: DateTime<Utc>,
}

/// A node's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeCertificate {
    /// PEM, with the authority's behind it.
    pub(crate) chain: String,
    pub(crate) ends_at: DateTime<Utc>,
}

/// Why the authority or a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error("not a certificate in PEM")]
    Certificate,
    #[error("not a private key in PEM (PKCS #8), or not one that can sign certificates")]
    Key,
    #[error("the private key is not that of each certificate")]
    OtherKey,
    #[error(
        "the device authority's certificate has ended, on {0}; ADMISSION 10 says how to renew it"
    )]
    Ended(DateTime<Utc>),
    #[error("the common name '{0}' is longer than {MAX_COMMON_NAME_CHARS} characters")]
    CommonName(String),
    #[error("signing failed: {0}")]
    Signing(#[from] rcgen::Error),
}

/// A listener's certificate chain with its key.
pub(crate) struct ServerIdentity {
    pub(crate) ends_at: DateTime<Utc>,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivatePkcs8KeyDer<'static>,
}

impl DeviceAuthority {
    /// Takes certificates and key, which must belong together.
    pub(crate) fn from_pem(certificates: &str, key: &str) -> Result<Self, AuthorityError> {
        let ders = read_certificates(certificates)?;
        let key = KeyPair::from_pem(key).map_err(|_| AuthorityError::Key)?;
        let mut ends = Vec::new();
        for der in &ders {
            let parsed = parse(der)?;
            if parsed.public_key().raw != key.subject_public_key_info() {
                return Err(AuthorityError::OtherKey);
            }
            ends.push(end_of(&parsed)?);
        }
        let (Some(first), Some(ends_at)) = (ders.first(), ends.first().copied()) else {
            return Err(AuthorityError::Certificate);
        };
        let issuer =
            Issuer::from_ca_cert_der(first, key).map_err(|_| AuthorityError::Certificate)?;
        Ok(Self {
            issuer,
            pem: first_block(certificates)?.to_owned() + "\n",
            certificates: ders,
            ends_at,
        })
    }

    /// When its certificate ends.
    pub(crate) fn ends_at(&self) -> DateTime<Utc> {
        self.ends_at
    }

    /// The end of a certificate that should be valid until then.
    pub(crate) fn bound(&self, until: DateTime<Utc>) -> DateTime<Utc> {
        until.min(self.ends_at)
    }

    /// SHA-256 over the authority's DER certificate. Enrolment codes carry it.
    pub(crate) fn fingerprint(&self) -> Hash32 {
        Hash32::of(&self.certificates[0])
    }

    fn must_not_have_ended(&self, now: DateTime<Utc>) -> Result<(), AuthorityError> {
        if self.ends_at <= now {
            return Err(AuthorityError::Ended(self.ends_at));
        }
        Ok(())
    }

    /// A node's client certificate, which ends with the authority's at the latest.
    pub(crate) fn certify_node(
        &self,
        common_name: &str,
        key: &RequestedKey,
        serial: uuid::Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<NodeCertificate, AuthorityError> {
        self.must_not_have_ended(now)?;
        let ends_at = self.bound(until);
        let mut params = certificate(common_name, Vec::new(), serial, now, ends_at)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let leaf = params.signed_by(&key.0, &self.issuer)?;
        let chain = leaf.pem() + &self.pem;
        Ok(NodeCertificate { chain, ends_at })
    }

    /// A certificate for the fleet listener under this host name or address, with a new key. It ends
    /// with the authority's at the latest.
    pub(crate) fn certify_listener(
        &self,
        host: &str,
        serial: uuid::Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<ServerIdentity, AuthorityError> {
        self.must_not_have_ended(now)?;
        let ends_at = self.bound(until);
        let key = KeyPair::generate()?;
        let common_name: String = host.chars().take(MAX_COMMON_NAME_CHARS).collect();
        let mut params = certificate(&common_name, vec![host.to_owned()], serial, now, ends_at)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&key, &self.issuer)?;
        let mut chain = vec![leaf.der().clone()];
        chain.extend(self.certificates.iter().cloned());
        Ok(ServerIdentity {
            ends_at,
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
mod tests;
