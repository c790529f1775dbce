//! `[ticketing]`: when tickets admit.

use chrono::TimeDelta;
use serde::Deserialize;

/// Longest margin that makes sense, in minutes: a day.
pub(super) const MAX_MARGIN_MINUTES: u32 = 24 * 60;

/// `[ticketing]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticketing {
    pub(super) before_doors_minutes: u32,
    pub(super) after_start_minutes: u32,
}

impl Ticketing {
    /// How much earlier than the doors a ticket admits.
    #[must_use]
    pub fn before_doors(&self) -> TimeDelta {
        TimeDelta::minutes(self.before_doors_minutes.into())
    }

    /// How long after the start of a performance without a planned end.
    #[must_use]
    pub fn after_start(&self) -> TimeDelta {
        TimeDelta::minutes(self.after_start_minutes.into())
    }
}
