//! Keeps the node's certificate in force (`ADMISSION` section 10): it is renewed by its key when two
//! thirds of its life are over, and whenever the broker calls it expired.
//!
//! An expired one is renewed only after somebody at the core has allowed it. Until then the node asks
//! again and again, so that nobody has to do anything at the node.

use std::{path::PathBuf, sync::Arc, time::Duration};

use eventify_protocol::{
    enrolment::{RenewalAnswer, RenewalRequest},
    hash::Hash32,
};
use rcgen::KeyPair;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use x509_parser::parse_x509_certificate;

use super::{CoreError, EnrolError, core::Core, signing_request};
use crate::{
    clock::{self, Clock},
    identity::{Identity, IdentityError},
    link::Access,
};

/// How long after its end a certificate can be renewed with the core's permission.
pub(crate) const RENEWABLE_FOR_DAYS: i64 = 180;
/// How often the wall clock is compared with the certificate.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// Somebody may be waiting in front of the gate.
const MAX_RETRY: Duration = Duration::from_secs(300);

/// When a certificate is in force, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// Why the certificate was not renewed.
#[derive(Debug, thiserror::Error)]
enum RenewalError {
    #[error(transparent)]
    Core(#[from] CoreError),
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("the identity can't be used: {0}")]
    Unusable(String),
}

/// The task that renews the certificate, and what it changes.
pub(crate) struct Renewal {
    pub(crate) data_dir: PathBuf,
    pub(crate) clock: Clock,
    /// Another address of the broker than the core's (`link.broker`).
    pub(crate) broker: Option<(String, u16)>,
    /// Used for the next connection.
    pub(crate) access: watch::Sender<Arc<Access>>,
    /// The broker has called the certificate expired.
    pub(crate) expired: Arc<Notify>,
}

impl Validity {
    /// Of the first certificate of a chain in PEM.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn of(chain: &str) -> Result<Self, String> {
        let leaf = CertificateDer::from_pem_slice(chain.as_bytes()).map_err(|e| e.to_string())?;
        let (_, certificate) = parse_x509_certificate(&leaf).map_err(|e| e.to_string())?;
        let validity = certificate.validity();
        Ok(Self {
            from: validity.not_before.timestamp(),
            until: validity.not_after.timestamp(),
        })
    }

    /// Two thirds of its life.
    pub(crate) fn renew_at(self) -> i64 {
        self.until - (self.until - self.from) / 3
    }
}

impl Renewal {
    /// Runs as long as the node.
    pub(crate) async fn run(self) {
        let mut retry = FIRST_RETRY;
        let mut wanted = false;
        loop {
            if !wanted && !self.is_due() {
                tokio::select! {
                    () = sleep(LOOK_EVERY) => {}
                    () = self.expired.notified() => wanted = true,
                }
                continue;
            }
            match self.renew().await {
                Ok(true) => {
                    tracing::info!(
                        code = "certificate.renewed",
                        "the node's certificate is renewed"
                    );
                    (retry, wanted) = (FIRST_RETRY, false);
                    continue;
                }
                Ok(false) => tracing::debug!("the core keeps the node's certificate in force"),
                Err(error) => tracing::warn!(
                    code = "certificate.not_renewed",
                    %error,
                    retry_in = ?retry,
                    "the node's certificate could not be renewed"
                ),
            }
            sleep(clock::jittered(retry)).await;
            retry = (retry * 2).min(MAX_RETRY);
            wanted = false;
        }
    }

    /// By the wall clock. If that is wrong, the broker says so.
    fn is_due(&self) -> bool {
        let validity = Identity::load(&self.data_dir)
            .ok()
            .and_then(|identity| Validity::of(&identity.certificate_chain).ok());
        validity.is_some_and(|validity| self.clock.wall().0 / 1_000_000 >= validity.renew_at())
    }

    /// Whether there is a new certificate now.
    async fn renew(&self) -> Result<bool, RenewalError> {
        let identity = Identity::load(&self.data_dir)?;
        let key = KeyPair::from_pem(&identity.private_key)
            .map_err(|error| RenewalError::Unusable(error.to_string()))?;
        let request = RenewalRequest {
            node_id: identity.node_id,
            csr: signing_request(&key)?,
        };
        let core = Core {
            url: &identity.core,
            authority: authority(&identity.certificate_chain).map_err(RenewalError::Unusable)?,
        };
        let answer: RenewalAnswer = core.post("/fleet/renewals", &request).await?;
        let is_same = answer.certificate_chain == identity.certificate_chain
            && answer.broker == identity.broker;
        if is_same {
            return Ok(false);
        }
        let renewed = Identity {
            certificate_chain: answer.certificate_chain,
            broker: answer.broker,
            ..identity
        };
        let used = renewed.clone().behind(self.broker.as_ref());
        let access = Access::of(&used).map_err(CoreError::Answer)?;
        renewed.save(&self.data_dir)?;
        self.access.send_replace(Arc::new(access));
        Ok(true)
    }
}

/// The fingerprint of the authority, which comes last in the chain.
fn authority(chain: &str) -> Result<Hash32, String> {
    CertificateDer::pem_slice_iter(chain.as_bytes())
        .last()
        .ok_or("the chain contains no certificate")?
        .map(|certificate| Hash32::of(&certificate))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_life() {
        let validity = Validity {
            from: 1_000,
            until: 1_000 + 90,
        };
        assert_eq!(validity.renew_at(), 1_060);
    }
}
