//! `[payment]`

use std::fmt;

use eventify_kernel::config::{self, ConfigError};
use serde::Deserialize;

/// `[payment]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    reconcile_after_ms: u32,
    /// The provider.
    pub stripe: StripeSettings,
}

impl Settings {
    /// Checks the texts that parse but can't work.
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
        // The value is a secret.
        settings.require(
            "payment.stripe.secret_key",
            "(not shown)",
            fits,
            "a key that begins with sk_ or rk_",
        )
    }

    /// Silence after which a payment is asked about.
    #[must_use]
    pub fn reconcile_after(&self) -> chrono::Duration {
        chrono::Duration::milliseconds(i64::from(self.reconcile_after_ms))
    }
}

/// `[payment.stripe]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StripeSettings {
    /// Where its API is, without a slash at its end.
    pub api_url: String,
    /// The account's key.
    pub secret_key: String,
    /// With one of these a webhook is signed.
    pub webhook_secrets: Vec<String>,
    request_timeout_ms: u64,
}

impl StripeSettings {
    /// Longest time that one request may take.
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
