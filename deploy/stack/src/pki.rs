//! The run's two certificate authorities.
//!
//! The *broker CA* signs RabbitMQ's own certificate; edge nodes trust it. The *device CA* signs client
//! certificates; RabbitMQ trusts only it. RabbitMQ has one `cacertfile`, so a run has one device CA,
//! with which all its cores sign; the virtual host in the common name separates them.

use std::fs;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use serde::{Deserialize, Serialize};

use crate::error::{During, Result};
use crate::scratch::Scratch;

/// The files of the run's device authority, for a core's settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeviceCa {
    /// PEM; RabbitMQ trusts it too.
    pub certificate: PathBuf,
    /// PEM, PKCS#8, ECDSA P-256.
    pub key: PathBuf,
}

/// A client certificate with its key, both PEM (the key in PKCS#8).
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    pub certificate: String,
    pub key: String,
}

impl DeviceCa {
    /// Signs a client certificate for tests without a core. `common_name` is the broker's user name:
    /// `vhost:node`, at most 64 characters (X.520).
    pub fn issue(&self, common_name: &str) -> Result<ClientIdentity> {
        client_certificate(common_name, &self.issuer()?, None)
    }

    /// Signs a client certificate that expired at the end of 2020.
    pub fn issue_expired(&self, common_name: &str) -> Result<ClientIdentity> {
        client_certificate(common_name, &self.issuer()?, Some(2020))
    }

    /// Signs what tests want to be signed.
    pub fn issuer(&self) -> Result<Issuer<'static, KeyPair>> {
        let read = |path: &PathBuf| {
            fs::read_to_string(path).during(|| format!("reading {}", path.display()))
        };
        let key = KeyPair::from_pem(&read(&self.key)?)?;
        Ok(Issuer::from_ca_cert_pem(&read(&self.certificate)?, key)?)
    }
}

/// A client certificate from an authority that nobody trusts.
pub fn untrusted_client(common_name: &str) -> Result<ClientIdentity> {
    client_certificate(common_name, &*authority("Untrusted CA")?, None)
}

/// The files that RabbitMQ and the edges need.
pub(crate) struct BrokerFiles {
    pub(crate) device_ca: DeviceCa,
    pub(crate) broker_ca: PathBuf,
    pub(crate) server_certificate: PathBuf,
    pub(crate) server_key: PathBuf,
}

pub(crate) fn make(scratch: &Scratch) -> Result<BrokerFiles> {
    let broker_ca = authority("Eventify development broker CA")?;
    let device_ca = authority("Eventify development device CA")?;
    let server_key = KeyPair::generate()?;
    let mut server = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    server
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server_certificate = server.signed_by(&server_key, &broker_ca)?;
    Ok(BrokerFiles {
        device_ca: DeviceCa {
            certificate: scratch.private_file("device-ca.pem", &device_ca.pem())?,
            key: scratch.private_file("device-ca.key", &device_ca.key().serialize_pem())?,
        },
        broker_ca: scratch.private_file("broker-ca.pem", &broker_ca.pem())?,
        server_certificate: scratch.private_file("broker.pem", &server_certificate.pem())?,
        server_key: scratch.private_file("broker.key", &server_key.serialize_pem())?,
    })
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn client_certificate(
    name: &str,
    issuer: &Issuer<'_, KeyPair>,
    last_year: Option<i32>,
) -> Result<ClientIdentity> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    if let Some(year) = last_year {
        params.not_before = date_time_ymd(year, 1, 1);
        params.not_after = date_time_ymd(year, 12, 31);
    }
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, issuer)?;
    Ok(ClientIdentity {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}
