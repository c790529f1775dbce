//! `[reservation]`

use serde::Deserialize;

/// `[reservation]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    hold_seconds: u32,
    pay_seconds: u32,
    /// Open carts that one customer can have.
    pub max_open_per_customer: u32,
    /// Unpaid places of one performance that one customer can hold, in all carts together.
    pub max_places_per_customer: u32,
}

impl Settings {
    /// How long an open cart holds its places.
    #[must_use]
    pub fn hold(&self) -> chrono::Duration {
        chrono::Duration::seconds(i64::from(self.hold_seconds))
    }

    /// How long a confirmed reservation waits for its payment.
    #[must_use]
    pub fn pay_within(&self) -> chrono::Duration {
        chrono::Duration::seconds(i64::from(self.pay_seconds))
    }
}
