//! The certificate of the TLS listener, renewed while it serves.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use super::ListenError;
use crate::contexts::fleet::App;
use crate::contexts::fleet::model::authority::ServerIdentity;

/// A certificate with the time of its renewal, if there can be a later one.
pub(super) struct Certified {
    pub(super) identity: ServerIdentity,
    pub(super) renew_at: Option<DateTime<Utc>>,
}

type Certify = fn(&App) -> Result<Certified, ListenError>;

pub(super) struct Identity {
    app: App,
    certify: Certify,
    acceptor: TlsAcceptor,
    renew_at: Option<DateTime<Utc>>,
}

impl Identity {
    pub(super) fn new(app: App, certify: Certify) -> Result<Self, ListenError> {
        let Certified { identity, renew_at } = certify(&app)?;
        Ok(Self {
            acceptor: acceptor(identity)?,
            renew_at,
            app,
            certify,
        })
    }

    /// For the next connection.
    pub(super) fn acceptor(&mut self) -> TlsAcceptor {
        if self.renew_at.is_some_and(|at| self.app.clock.now() >= at) {
            let renewed = (self.certify)(&self.app)
                .and_then(|made| Ok((acceptor(made.identity)?, made.renew_at)));
            match renewed {
                Ok((acceptor, renew_at)) => (self.acceptor, self.renew_at) = (acceptor, renew_at),
                Err(error) => tracing::error!(
                    code = "fleet.certificate_not_renewed",
                    %error,
                    "the enrolment listener's certificate could not be renewed"
                ),
            }
        }
        self.acceptor.clone()
    }
}

fn acceptor(identity: ServerIdentity) -> Result<TlsAcceptor, ListenError> {
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key.into())
        .map_err(|error| ListenError::Certificate(error.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
