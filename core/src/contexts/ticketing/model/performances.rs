//! A performance: where and when its tickets admit.

use chrono::{DateTime, Utc};
use eventify_contracts::event_management::PerformanceTimes;
use eventify_protocol::ids::{EventId, PerformanceId, UserId, VenueId};
use eventify_protocol::sync::{PerformanceEntry, PerformanceState};

/// As event_management published it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Performance {
    pub(crate) id: PerformanceId,
    pub(crate) event_id: EventId,
    pub(crate) event_title: String,
    pub(crate) owner_id: UserId,
    pub(crate) org_id: Option<String>,
    pub(crate) venue_id: VenueId,
    pub(crate) times: PerformanceTimes,
    pub(crate) cancelled: bool,
    /// The venue's own, or confirmed by it (`ADMISSION` 3.11).
    pub(crate) accepted: bool,
}

impl Performance {
    /// As the venue's feed has it: none while the venue does not admit to it.
    pub(crate) fn entry(&self) -> Option<PerformanceEntry> {
        let state = if self.cancelled {
            PerformanceState::Cancelled
        } else {
            PerformanceState::Scheduled
        };
        self.accepted
            .then(|| self.times.entry(&self.event_title, state))
    }

    /// Whether its tickets admit nobody any more, unless it is moved.
    pub(crate) fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.times.admits_until <= now
    }
}
