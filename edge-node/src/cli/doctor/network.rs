//! Certificate, broker and the LAN port.

use std::{sync::Arc, time::Duration};

use super::Finding;
use crate::{
    clock::Clock,
    config::Config,
    control::{self, Request},
    enrol::{RENEWABLE_FOR_DAYS, Validity},
    identity::Identity,
    link,
};
use rustls_pki_types::ServerName;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsConnector;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const DAY_SECONDS: i64 = 24 * 3_600;
/// A node that was off a moment ago has had no time to renew its certificate.
const RENEWAL_GRACE_SECONDS: i64 = 3_600;

pub(super) fn certificate(identity: &Identity) -> Finding {
    let subject = "certificate";
    let Ok(validity) = Validity::of(&identity.certificate_chain) else {
        return Finding::fail(subject, "not readable; enrol the node again");
    };
    let now = match Clock::of_this_boot() {
        Ok(clock) => clock.wall().0 / 1_000_000,
        Err(error) => return Finding::fail(subject, error),
    };
    let days = (validity.until - now) / DAY_SECONDS;
    let expired = match -days {
        0 => "expired today".to_owned(),
        1 => "expired yesterday".to_owned(),
        days => format!("expired {days} days ago"),
    };
    if now < validity.from {
        Finding::fail(
            subject,
            "not valid yet by the wall clock of this machine; set the clock",
        )
    } else if days <= -RENEWABLE_FOR_DAYS {
        Finding::fail(
            subject,
            format!(
                "expired {} days ago; enrol a new node with a new code",
                -days
            ),
        )
    } else if validity.until <= now {
        Finding::fail(
            subject,
            format!(
                "{expired}; the node renews it at {} once somebody who runs the venue allows \
                 it there: POST /fleet/nodes/{}/renewal",
                identity.core, identity.node_id
            ),
        )
    } else if now >= validity.renew_at() + RENEWAL_GRACE_SECONDS {
        Finding::warn(
            subject,
            format!(
                "expires in {days} days and should be renewed already; let the node reach {}",
                identity.core
            ),
        )
    } else {
        Finding::ok(subject, format!("valid for {days} days"))
    }
}

/// A TLS handshake with the node's certificate. Nothing is sent after it: a second MQTT session would
/// disconnect the running node.
pub(super) async fn broker(identity: &Identity) -> Finding {
    let address = format!("{}:{}", identity.broker.host, identity.broker.port);
    match timeout(CONNECT_TIMEOUT, handshake(identity)).await {
        Ok(Ok(())) => Finding::ok(
            "broker",
            format!("{address} answers with the right certificate"),
        ),
        Ok(Err(error)) => Finding::fail(
            "broker",
            format!("{address}: {error}; until it answers, the node decides alone or is locked"),
        ),
        Err(_) => Finding::fail(
            "broker",
            format!("{address} does not answer; check network and firewall"),
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
    if control::send(&config.data_dir, &Request::Status)
        .await
        .is_ok()
    {
        return Finding::ok(
            "port",
            format!("the node is running and listens on {address}"),
        );
    }
    if address.port() == 0 {
        let text = format!(
            "{address} takes another port at each start, which scanners do not know; set `lan.listen`"
        );
        return Finding::warn("port", text);
    }
    match TcpListener::bind(address).await {
        Ok(_) => Finding::ok(
            "port",
            format!("{address} is free; the node is not running"),
        ),
        Err(error) => Finding::fail(
            "port",
            format!("{address}: {error}; set another one with `lan.listen`"),
        ),
    }
}
