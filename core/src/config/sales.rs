//! `[reservation]` and `[payment]`.

use std::fmt;

use serde::Deserialize;

use super::check::{begins_with, require};
use super::{Config, ConfigError};

/// `[reservation]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reservation {
    hold_seconds: u32,
    pay_seconds: u32,
    /// Carts that one customer may have open.
    pub max_open_per_customer: u32,
    /// Places of one performance that one customer may hold unpaid, all carts together.
    pub max_places_per_customer: u32,
}

impl Reservation {
    /// How long places stay in an open cart.
    #[must_use]
    pub fn hold(&self) -> chrono::Duration {
        chrono::Duration::seconds(i64::from(self.hold_seconds))
    }

    /// How long a confirmed one waits for its payment.
    #[must_use]
    pub fn pay_within(&self) -> chrono::Duration {
        chrono::Duration::seconds(i64::from(self.pay_seconds))
    }
}

/// `[payment]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    reconcile_after_ms: u32,
    /// The provider.
    pub stripe: Stripe,
}

impl Payment {
    /// Silence after which a payment is asked about.
    #[must_use]
    pub fn reconcile_after(&self) -> chrono::Duration {
        chrono::Duration::milliseconds(i64::from(self.reconcile_after_ms))
    }
}

/// `[payment.stripe]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stripe {
    /// Where its API is, without a slash at its end.
    pub api_url: String,
    /// The account's key.
    pub secret_key: String,
    /// With one of these a webhook is signed.
    pub webhook_secrets: Vec<String>,
    request_timeout_ms: u64,
}

impl Stripe {
    /// Longest time that one request may take.
    #[must_use]
    pub fn request_timeout(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.request_timeout_ms)
    }
}

/// Without the secrets.
impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe")
            .field("api_url", &self.api_url)
            .finish_non_exhaustive()
    }
}

pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let payment = &config.payment;
    begins_with(
        "payment.stripe.api_url",
        &payment.stripe.api_url,
        &["http://", "https://"],
    )?;
    let key = &payment.stripe.secret_key;
    let fits = key.starts_with("sk_") || key.starts_with("rk_");
    // The value is a secret.
    require(
        "payment.stripe.secret_key",
        "(not shown)",
        fits,
        "a key that begins with sk_ or rk_",
    )
}
