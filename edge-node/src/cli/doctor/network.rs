//! Certificate, broker and the LAN port.

use std::{sync::Arc, time::Duration};

use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use x509_parser::parse_x509_certificate;

use super::Finding;
use crate::{
    clock::Clock,
    config::Config,
    control::{self, Question},
    identity::Identity,
    link,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const DAY_SECONDS: i64 = 24 * 3_600;
/// Time enough to have it renewed.
const SOON_DAYS: i64 = 30;

pub(super) fn certificate(identity: &Identity) -> Finding {
    let what = "certificate";
    let Ok(leaf) = CertificateDer::from_pem_slice(identity.certificate_chain.as_bytes()) else {
        return Finding::fail(what, "unreadable: enrol anew");
    };
    let Ok((_, parsed)) = parse_x509_certificate(&leaf) else {
        return Finding::fail(what, "unreadable: enrol anew");
    };
    let now = match Clock::of_this_boot() {
        Ok(clock) => clock.wall().0 / 1_000_000,
        Err(error) => return Finding::fail(what, error),
    };
    let validity = parsed.validity();
    let days = (validity.not_after.timestamp() - now).div_euclid(DAY_SECONDS);
    if now < validity.not_before.timestamp() {
        Finding::fail(
            what,
            "not valid yet by this machine's wall clock: set the clock",
        )
    } else if days < 0 {
        Finding::fail(what, format!("expired {} days ago: enrol anew", -days))
    } else if days < SOON_DAYS {
        Finding::warn(what, format!("ends in {days} days: have it renewed"))
    } else {
        Finding::ok(what, format!("{days} days left"))
    }
}

/// A TLS handshake with the node's certificate; nothing is said after it, so that a running node is
/// not disturbed.
pub(super) async fn broker(identity: &Identity) -> Finding {
    let address = format!("{}:{}", identity.broker.host, identity.broker.port);
    match timeout(CONNECT_TIMEOUT, handshake(identity)).await {
        Ok(Ok(())) => Finding::ok(
            "broker",
            format!("{address} answers with the right certificate"),
        ),
        Ok(Err(error)) => Finding::fail(
            "broker",
            format!("{address}: {error}. Until it answers, the node decides alone or is locked"),
        ),
        Err(_) => Finding::fail(
            "broker",
            format!("{address} does not answer: check line and firewall"),
        ),
    }
}

async fn handshake(identity: &Identity) -> Result<(), String> {
    let config = link::client_config(identity)?;
    let name = ServerName::try_from(identity.broker.host.clone()).map_err(|e| e.to_string())?;
    let address = (identity.broker.host.as_str(), identity.broker.port);
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(Arc::new(config));
    connector
        .connect(name, stream)
        .await
        .map(|_| ())
        .map_err(|error| error.to_string())
}

pub(super) async fn port(config: &Config) -> Finding {
    let address = config.lan.listen;
    if control::ask(&config.data_dir, &Question::Status)
        .await
        .is_ok()
    {
        return Finding::ok("port", format!("the node runs and listens on {address}"));
    }
    if address.port() == 0 {
        let text = format!(
            "{address} takes another port at each start, which scanners can't know; set `lan.listen`"
        );
        return Finding::warn("port", text);
    }
    match TcpListener::bind(address).await {
        Ok(_) => Finding::ok("port", format!("{address} is free; the node doesn't run")),
        Err(error) => Finding::fail("port", format!("{address}: {error}; set `lan.listen`")),
    }
}
