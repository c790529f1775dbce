//! `[payment]`

use std::fmt;

use eventify_kernel::config::{self, ConfigError};
use serde::Deserialize;

use super::LeastAmounts;

/// Characters. With an empty secret, or one that can be guessed, anybody could sign a webhook.
const WEBHOOK_SECRET_AT_LEAST: usize = 24;

/// `[payment]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    reconcile_after_ms: u32,
    compare_every_hours: u32,
    keep_webhooks_days: u32,
    /// What the provider takes at least.
    pub least_amounts: LeastAmounts,
    /// The provider.
    pub stripe: StripeSettings,
}

impl Settings {
    /// Rejects values that parse but can't work.
    ///
    /// # Errors
    /// [`ConfigError::NotAllowed`].
    pub fn check(&self, settings: &config::Settings) -> Result<(), ConfigError> {
        settings.require_url(
            "payment.stripe.api_url",
            &self.stripe.api_url,
            &["http://", "https://"],
        )?;
        let key = &self.stripe.secret_key;
        let fits = key.starts_with("sk_") || key.starts_with("rk_");
        // The values are secrets.
        settings.require(
            "payment.stripe.secret_key",
            "(not shown)",
            fits,
            "a key that begins with sk_ or rk_",
        )?;
        for secret in &self.stripe.webhook_secrets {
            let fits = secret.starts_with("whsec_") && secret.len() >= WEBHOOK_SECRET_AT_LEAST;
            settings.require(
                "payment.stripe.webhook_secrets",
                "(not shown)",
                fits,
                "secrets that begin with whsec_ and have 24 characters or more; or [], and no webhook \
                 is believed",
            )?;
        }
        Ok(())
    }

    /// Time without news after which a payment is looked up at the provider.
    #[must_use]
    pub fn reconcile_after(&self) -> chrono::Duration {
        chrono::Duration::milliseconds(i64::from(self.reconcile_after_ms))
    }

    /// How long a webhook is known that comes again.
    #[must_use]
    pub fn keep_webhooks(&self) -> chrono::Duration {
        chrono::Duration::days(i64::from(self.keep_webhooks_days))
    }

    /// How often all that the provider has made is compared with what is known here.
    #[must_use]
    pub fn compare_every(&self) -> chrono::Duration {
        chrono::Duration::hours(i64::from(self.compare_every_hours))
    }
}

/// `[payment.stripe]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StripeSettings {
    /// Base URL of the API, without a slash at the end.
    pub api_url: String,
    pub secret_key: String,
    /// A webhook is signed with one of these.
    pub webhook_secrets: Vec<String>,
    request_timeout_ms: u64,
}

impl StripeSettings {
    /// Longest duration of one request.
    #[must_use]
    pub fn request_timeout(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.request_timeout_ms)
    }
}

/// Without the secrets.
impl fmt::Debug for StripeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe")
            .field("api_url", &self.api_url)
            .finish_non_exhaustive()
    }
}
