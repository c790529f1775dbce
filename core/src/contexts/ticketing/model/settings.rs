//! `[ticketing]`: how long tokens are good, and when the venues' feeds are compared with them.

use chrono::TimeDelta;
use serde::Deserialize;

/// `[ticketing]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    token_weeks: u32,
    compare_every_hours: u32,
    compare_before_doors_minutes: u32,
    keep_scans_days: u32,
}

impl Settings {
    /// How long a token outlives its show, as it is planned when the token is signed.
    pub(crate) fn token_outlives_show(&self) -> TimeDelta {
        TimeDelta::weeks(self.token_weeks.into())
    }

    /// How often a venue's feed is compared with its tickets.
    pub(crate) fn compare_every(&self) -> TimeDelta {
        TimeDelta::hours(self.compare_every_hours.into())
    }

    /// How long a scan is kept that let nobody in.
    pub(crate) fn keep_scans(&self) -> TimeDelta {
        TimeDelta::days(self.keep_scans_days.into())
    }

    /// How long before the doors it is compared once more.
    pub(crate) fn compare_before_doors(&self) -> TimeDelta {
        TimeDelta::minutes(self.compare_before_doors_minutes.into())
    }
}
