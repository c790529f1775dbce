//! `[ticketing]`: when tickets admit, and when the venues' feeds are compared with them.

use chrono::TimeDelta;
use serde::Deserialize;

/// `[ticketing]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    before_doors_minutes: u32,
    after_start_minutes: u32,
    compare_every_hours: u32,
    compare_before_doors_minutes: u32,
}

impl Settings {
    /// How much earlier than the doors a ticket admits.
    #[must_use]
    pub fn before_doors(&self) -> TimeDelta {
        TimeDelta::minutes(self.before_doors_minutes.into())
    }

    /// How often a venue's feed is compared with its tickets.
    #[must_use]
    pub fn compare_every(&self) -> TimeDelta {
        TimeDelta::hours(self.compare_every_hours.into())
    }

    /// How long before the doors it is compared once more.
    #[must_use]
    pub fn compare_before_doors(&self) -> TimeDelta {
        TimeDelta::minutes(self.compare_before_doors_minutes.into())
    }

    /// How long after the start of a performance without a planned end.
    #[must_use]
    pub fn after_start(&self) -> TimeDelta {
        TimeDelta::minutes(self.after_start_minutes.into())
    }
}
