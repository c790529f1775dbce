//! `[ticketing]`: when tickets admit, and when the venues' feeds are compared with them.

use chrono::TimeDelta;
use serde::Deserialize;

use super::check::require;
use super::{Config, ConfigError};

/// Longest margin that makes sense, in minutes: a day.
pub(super) const MAX_MARGIN_MINUTES: u32 = 24 * 60;

/// Longest time between two comparisons of a feed, in hours: a day (ADMISSION 5.2).
pub(super) const MAX_COMPARE_HOURS: u32 = 24;

/// `[ticketing]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticketing {
    pub(super) before_doors_minutes: u32,
    pub(super) after_start_minutes: u32,
    pub(super) compare_every_hours: u32,
    pub(super) compare_before_doors_minutes: u32,
}

impl Ticketing {
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

pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let ticketing = &config.ticketing;
    for (key, minutes) in [
        (
            "ticketing.before_doors_minutes",
            ticketing.before_doors_minutes,
        ),
        (
            "ticketing.after_start_minutes",
            ticketing.after_start_minutes,
        ),
        (
            "ticketing.compare_before_doors_minutes",
            ticketing.compare_before_doors_minutes,
        ),
    ] {
        let fits = minutes <= MAX_MARGIN_MINUTES;
        require(key, minutes, fits, &format!("0 to {MAX_MARGIN_MINUTES}"))?;
    }
    let hours = ticketing.compare_every_hours;
    require(
        "ticketing.compare_every_hours",
        hours,
        (1..=MAX_COMPARE_HOURS).contains(&hours),
        &format!("1 to {MAX_COMPARE_HOURS}"),
    )
}
