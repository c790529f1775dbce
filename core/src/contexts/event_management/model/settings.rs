//! `[event_management]`: when the tickets of a performance admit.

use chrono::TimeDelta;
use serde::Deserialize;

use super::times::Margins;

/// `[event_management]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    admit_before_doors_minutes: u32,
    admit_after_start_minutes: u32,
}

impl Settings {
    pub(crate) fn margins(&self) -> Margins {
        Margins {
            before_doors: TimeDelta::minutes(self.admit_before_doors_minutes.into()),
            after_start: TimeDelta::minutes(self.admit_after_start_minutes.into()),
        }
    }
}
