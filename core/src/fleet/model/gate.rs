//! A gate: a door with a name, and who may pass it.

use eventify_protocol::ids::{GateId, PerformanceId, VenueId};
use eventify_protocol::sync::GateEntry;
use eventify_protocol::token::CategoryCode;

/// Most performances or categories that one gate lists.
pub(in crate::fleet) const MAX_ADMITTED: usize = 200;

/// A gate as the venue has set it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fleet) struct Gate {
    pub(in crate::fleet) gate_id: GateId,
    pub(in crate::fleet) venue_id: VenueId,
    pub(in crate::fleet) name: String,
    /// Empty: all of the venue.
    pub(in crate::fleet) performances: Vec<PerformanceId>,
    /// Empty: all.
    pub(in crate::fleet) categories: Vec<CategoryCode>,
    pub(in crate::fleet) version: i32,
}

impl Gate {
    /// As the venue's feed lists it.
    pub(in crate::fleet) fn entry(&self) -> GateEntry {
        GateEntry {
            name: self.name.clone(),
            performances: self.performances.clone(),
            categories: self.categories.clone(),
        }
    }

    /// The gate after an edit.
    pub(in crate::fleet) fn edited(
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
