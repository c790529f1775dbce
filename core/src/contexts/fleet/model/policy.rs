//! How a venue wants its nodes to behave.

use eventify_protocol::sync::PolicyEntry;
use eventify_protocol::time::MAX_CACHE_AGE;
use serde::Deserialize;

/// As stored. A new venue has the default: nodes decide nothing alone, and everybody may scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Highest age at which a cache may decide; 0 switches degraded check-in off.
    pub(crate) max_cache_age_ms: i32,
    /// Whether somebody has to be signed in at a scanner before it scans.
    pub(crate) shift_needed: bool,
}

/// What the venue wants; what is left out stays.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PolicyEdit {
    pub(crate) max_cache_age_ms: u32,
    pub(crate) shift_needed: Option<bool>,
}

impl Policy {
    /// The policy after an edit; else which field is wrong, and what is allowed.
    pub(crate) fn edited(&self, edit: &PolicyEdit) -> Result<Self, (&'static str, String)> {
        let limit = u32::try_from(MAX_CACHE_AGE.as_millis()).unwrap_or(u32::MAX);
        if edit.max_cache_age_ms > limit {
            return Err(("maxCacheAgeMs", format!("at most {limit}")));
        }
        Ok(Self {
            max_cache_age_ms: i32::try_from(edit.max_cache_age_ms).unwrap_or(i32::MAX),
            shift_needed: edit.shift_needed.unwrap_or(self.shift_needed),
        })
    }

    /// Its value in the venue's feed. What is off is left out, as a release before wrote it.
    pub(crate) fn entry(&self) -> PolicyEntry {
        PolicyEntry {
            max_cache_age_ms: u32::try_from(self.max_cache_age_ms).unwrap_or_default(),
            shift_needed: self.shift_needed.then_some(true),
        }
    }
}
