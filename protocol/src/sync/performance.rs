//! A performance, as gates and screens know it.

use minicbor::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{time::CoreTime, token::CategoryCode};

/// A performance that the venue admits to, as far as gates and screens need it. Only performances of
/// the venue's own organisation, and those that it has confirmed, have an entry (`ADMISSION` 3.11).
///
/// Its times are facts that move: every ticket refers to them, and none has its own.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PerformanceEntry {
    /// The event's title, at most [`super::MAX_TITLE_CHARS`].
    #[n(0)]
    pub title: String,
    /// Unix seconds.
    #[n(1)]
    pub doors_at: i64,
    /// Unix seconds.
    #[n(2)]
    pub starts_at: i64,
    /// Unix seconds, if an end is planned.
    #[n(3)]
    pub ends_at: Option<i64>,
    /// When its tickets admit.
    #[n(4)]
    pub admits: AdmissionWindow,
    /// Whether it takes place.
    #[n(5)]
    pub state: PerformanceState,
    /// What people call its categories; none in a row of the second form.
    #[n(6)]
    pub categories: Option<Vec<CategoryName>>,
    /// Whether guests may leave and come back; absent: they may not.
    #[n(7)]
    pub reentry: Option<Reentry>,
    /// It broke off and was moved: whoever was let in before this time (Unix seconds) is let in again by the
    /// present window (`ADMISSION` 3.15).
    #[n(8)]
    pub restarts_at: Option<i64>,
}

/// Whether guests may leave and come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[cbor(index_only)]
pub enum Reentry {
    /// Out is out, which is the default.
    #[n(0)]
    None,
    /// A guest who was scanned on the way out is let in again.
    #[n(1)]
    Allowed,
}

/// What people call a category.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct CategoryName {
    /// What tickets carry.
    #[n(0)]
    pub code: CategoryCode,
    /// `Stalls, reduced`; at most [`super::MAX_CATEGORY_NAME_CHARS`].
    #[n(1)]
    pub name: String,
}

/// When the tickets of a performance admit. The core computes it, in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AdmissionWindow {
    /// Unix seconds, included.
    #[n(0)]
    pub from: i64,
    /// Unix seconds, not included.
    #[n(1)]
    pub until: i64,
}

/// Whether a performance takes place. That it runs or is over is no state but the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cbor(index_only)]
pub enum PerformanceState {
    /// As planned, or as moved.
    #[n(0)]
    Scheduled,
    /// Its tickets admit nobody, whatever became of their refunds so far.
    #[n(1)]
    Cancelled,
}

impl PerformanceEntry {
    /// What people call a category of it.
    #[must_use]
    pub fn category_name(&self, code: CategoryCode) -> Option<&str> {
        let mut names = self.categories.iter().flatten();
        let found = names.find(|it| it.code == code);
        found.map(|it| it.name.as_str())
    }

    /// Whether guests may leave and come back.
    #[must_use]
    pub fn allows_reentry(&self) -> bool {
        self.reentry == Some(Reentry::Allowed)
    }

    /// Since when entries count, if it was moved after it had begun to admit.
    #[must_use]
    pub fn restart(&self) -> Option<CoreTime> {
        let at = self.restarts_at?;
        Some(CoreTime(at.saturating_mul(1_000_000)))
    }
}
