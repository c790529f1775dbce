//! A performance: where and when its tickets admit.

use chrono::{DateTime, Utc};
use eventify_contracts::event_management::PerformanceTimes;
use eventify_protocol::ids::{EventId, PerformanceId, UserId, VenueId};
use eventify_protocol::sync::{PerformanceEntry, PerformanceState};
use eventify_protocol::time::{CoreTime, MAX_CACHE_AGE};

/// When gates let guests in, and until when these may be inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
}

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
    /// When gates have let in by earlier times: somebody may be inside.
    pub(crate) moved: Option<Window>,
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

    /// Since when entries count, if it was moved after it had begun to admit; by whole seconds, as gates
    /// have it.
    pub(crate) fn restart(&self) -> Option<CoreTime> {
        let at = self.times.restarts_at?.timestamp();
        Some(CoreTime(at.saturating_mul(1_000_000)))
    }

    /// When a gate without connection may have let somebody in, or will before it can have heard of what
    /// happens now: by the present times, or by those that it had before. It decides by what it knew at
    /// most [`MAX_CACHE_AGE`] ago. None while no gate can have begun.
    pub(crate) fn guests(&self, now: DateTime<Utc>) -> Option<Window> {
        let (from, until) = (self.times.admits_from, self.times.admits_until);
        let begins = from <= now + MAX_CACHE_AGE;
        let present = begins.then_some(Window { from, until });
        let both = self.moved.zip(present).map(|(moved, present)| Window {
            from: moved.from.min(present.from),
            until: moved.until.max(present.until),
        });
        both.or(self.moved).or(present)
    }

    /// Whether such a guest may still be inside.
    pub(crate) fn may_have_guests(&self, now: DateTime<Utc>) -> bool {
        self.guests(now).is_some_and(|guests| guests.until > now)
    }

    /// Whether its tickets admit nobody any more, unless it is moved.
    pub(crate) fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.times.admits_until <= now
    }
}
