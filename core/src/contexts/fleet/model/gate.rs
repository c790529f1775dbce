//! A gate: a door with a name, and who may pass it.

use eventify_protocol::ids::{GateId, PerformanceId, VenueId};
use eventify_protocol::sync::GateEntry;
use eventify_protocol::token::CategoryCode;
use serde::Serialize;

/// Most performances or categories that one gate lists.
pub(crate) const MAX_ADMITTED: usize = 200;

/// As the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gate {
    pub(crate) gate_id: GateId,
    pub(crate) venue_id: VenueId,
    pub(crate) name: String,
    /// Empty: all of the venue.
    pub(crate) performances: Vec<PerformanceId>,
    /// Empty: all.
    pub(crate) categories: Vec<CategoryCode>,
    pub(crate) version: i32,
}

impl Gate {
    /// Its value in the venue's feed.
    pub(crate) fn entry(&self) -> GateEntry {
        GateEntry {
            name: self.name.clone(),
            performances: self.performances.clone(),
            categories: self.categories.clone(),
        }
    }

    /// The gate after an edit.
    pub(crate) fn edited(
        self,
        name: String,
        performances: Vec<PerformanceId>,
        categories: Vec<CategoryCode>,
    ) -> Self {
        Self {
            name,
            performances,
            categories,
            version: self.version + 1,
            ..self
        }
    }
}
