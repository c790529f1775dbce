//! The certificate around the LAN key. Scanners pin the key: a new certificate is made at each start,
//! and its dates mean nothing, because the node's clock may be wrong.

use std::{net::IpAddr, sync::Arc};

use rcgen::{CertificateParams, DnType, SanType};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::identity::Identity;

/// TLS settings of the LAN listener.
pub(super) fn server_config(identity: &Identity, address: IpAddr) -> Result<ServerConfig, String> {
    let key = identity.lan_key_pair()?;
    let names = vec![
        "localhost".to_owned(),
        format!("{}.eventify.local", identity.node_id),
    ];
    let mut parameters = CertificateParams::new(names).map_err(|error| error.to_string())?;
    for address in [address, IpAddr::from([127, 0, 0, 1])] {
        if !address.is_unspecified() {
            parameters
                .subject_alt_names
                .push(SanType::IpAddress(address));
        }
    }
    parameters
        .distinguished_name
        .push(DnType::CommonName, identity.node_id.to_string());
    let certificate = parameters
        .self_signed(&key)
        .map_err(|error| error.to_string())?;
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
