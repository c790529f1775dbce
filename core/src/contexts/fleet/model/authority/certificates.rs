//! Files of certificates, and when these end.

use chrono::{DateTime, Utc};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::X509Certificate;

use super::AuthorityError;

/// The authorities of the MQTT listener's certificate, as nodes are given them.
#[derive(Clone, Debug)]
pub(crate) struct BrokerAuthority {
    /// One certificate or more.
    pub(crate) pem: String,
    /// When the first of them ends.
    pub(crate) first_ends_at: DateTime<Utc>,
    /// When the last of them has ended.
    pub(crate) last_ends_at: DateTime<Utc>,
}

impl BrokerAuthority {
    /// Takes the certificates of a file.
    pub(crate) fn from_pem(pem: String) -> Result<Self, AuthorityError> {
        let mut ends = Vec::new();
        for der in &read_certificates(&pem)? {
            ends.push(end_of(&parse(der)?)?);
        }
        let first_ends_at = ends.iter().min().copied();
        let last_ends_at = ends.iter().max().copied();
        let both = first_ends_at.zip(last_ends_at);
        let (first_ends_at, last_ends_at) = both.ok_or(AuthorityError::Certificate)?;
        Ok(Self {
            pem,
            first_ends_at,
            last_ends_at,
        })
    }
}

pub(super) fn read_certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    read.map_err(|_| AuthorityError::Certificate)
}

/// The text of the first certificate.
pub(super) fn first_block(pem: &str) -> Result<&str, AuthorityError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let block = pem.find(BEGIN).and_then(|from| {
        let length = pem[from..].find(END)? + END.len();
        Some(&pem[from..from + length])
    });
    block.ok_or(AuthorityError::Certificate)
}

pub(super) fn parse<'a>(
    der: &'a CertificateDer<'_>,
) -> Result<X509Certificate<'a>, AuthorityError> {
    let parsed = x509_parser::parse_x509_certificate(der);
    let (_, certificate) = parsed.map_err(|_| AuthorityError::Certificate)?;
    Ok(certificate)
}

pub(super) fn end_of(certificate: &X509Certificate<'_>) -> Result<DateTime<Utc>, AuthorityError> {
    let seconds = certificate.validity().not_after.timestamp();
    DateTime::from_timestamp(seconds, 0).ok_or(AuthorityError::Certificate)
}
