//! `[reservation]`

use serde::Deserialize;

/// `[reservation]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    hold_seconds: u32,
    pay_seconds: u32,
    /// Carts that one customer may have open.
    pub max_open_per_customer: u32,
    /// Places of one performance that one customer may hold unpaid, all carts together.
    pub max_places_per_customer: u32,
}

impl Settings {
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
