//! The certificate of a listener that speaks TLS, made anew while it serves.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use super::ListenError;
use crate::contexts::fleet::App;
use crate::contexts::fleet::model::authority::ServerIdentity;

/// A certificate with the time to make the next.
pub(super) struct Certified {
    pub(super) identity: ServerIdentity,
    pub(super) renew_at: DateTime<Utc>,
}

type Certify = fn(&App) -> Result<Certified, ListenError>;

/// The listener's certificate, renewed while it serves.
pub(super) struct Identity {
    app: App,
    certify: Certify,
    acceptor: TlsAcceptor,
    renew_at: DateTime<Utc>,
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

    /// What to accept the next connection with.
    pub(super) fn acceptor(&mut self) -> TlsAcceptor {
        if self.app.clock.now() >= self.renew_at {
            let renewed = (self.certify)(&self.app)
                .and_then(|made| Ok((acceptor(made.identity)?, made.renew_at)));
            match renewed {
                Ok((acceptor, renew_at)) => (self.acceptor, self.renew_at) = (acceptor, renew_at),
                Err(error) => tracing::error!(%error, "the listener keeps its old certificate"),
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
