//! `[ticketing]`: when tickets admit, and when the venues' feeds are compared with them.

use chrono::TimeDelta;
use serde::Deserialize;

use super::issuing::Margins;

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
    pub(crate) fn margins(&self) -> Margins {
        Margins {
            before_doors: TimeDelta::minutes(self.before_doors_minutes.into()),
            after_start: TimeDelta::minutes(self.after_start_minutes.into()),
        }
    }

    /// How often a venue's feed is compared with its tickets.
    pub(crate) fn compare_every(&self) -> TimeDelta {
        TimeDelta::hours(self.compare_every_hours.into())
    }

    /// How long before the doors it is compared once more.
    pub(crate) fn compare_before_doors(&self) -> TimeDelta {
        TimeDelta::minutes(self.compare_before_doors_minutes.into())
    }
}
