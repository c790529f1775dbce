//! When a scanner was paired and seen last, and when it has been away for too long.
//!
//! Only the core's time counts days: a clock of this machine that was set wrong would refuse all scanners
//! at the doors at once. What was noted without it counts from the moment when the node knows it again.

use std::time::Duration;

use eventify_protocol::time::CoreTime;
use serde::{Deserialize, Serialize};

/// A scanner that was not seen for so long pairs again.
pub(crate) const MAX_ABSENCE: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How coarse the last request of a scanner is noted.
pub(crate) const SEEN_EVERY: Duration = Duration::from_secs(3_600);

/// A moment, as far as the node knew it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stamp {
    /// By the core's time, or by the machine's own clock, which is information only.
    pub(crate) at: CoreTime,
    /// The node could prove the core's time.
    pub(crate) proven: bool,
}

/// Of one scanner. A release before has noted nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Life {
    pub(crate) paired_at: Option<Stamp>,
    pub(crate) seen: Option<Stamp>,
}

/// What a request means for a scanner's last sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// It was noted a short while ago.
    Noted,
    /// It is to be noted.
    Note,
    /// It was away for too long.
    TooLate,
}

impl Life {
    pub(super) fn begun(now: Stamp) -> Self {
        Self {
            paired_at: Some(now),
            seen: Some(now),
        }
    }

    pub(super) fn sight(&self, now: Stamp) -> Sight {
        let Some(seen) = self.seen.filter(|seen| seen.proven == now.proven) else {
            return Sight::Note;
        };
        let since = now.at.since(seen.at);
        if now.proven && since > MAX_ABSENCE {
            Sight::TooLate
        } else if since >= SEEN_EVERY || now.at < seen.at {
            Sight::Note
        } else {
            Sight::Noted
        }
    }

    /// It is away for too long, or was when it came back.
    pub(super) fn is_over(&self, now: Stamp) -> bool {
        self.sight(now) == Sight::TooLate
    }

    /// A sight that proves no days counts from now on.
    pub(super) fn is_uncounted(&self, now: Stamp) -> bool {
        now.proven && !self.seen.is_some_and(|seen| seen.proven)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3_600);
    const BEGIN: CoreTime = CoreTime(1_700_000_000_000_000);

    fn proven(after: Duration) -> Stamp {
        Stamp {
            at: BEGIN.plus(after),
            proven: true,
        }
    }

    fn by_own_clock(after: Duration) -> Stamp {
        Stamp {
            proven: false,
            ..proven(after)
        }
    }

    #[test]
    fn a_scanner_is_away_for_too_long_after_thirty_days_of_the_cores_time() {
        let life = Life::begun(proven(Duration::ZERO));
        assert_eq!(life.sight(proven(SEEN_EVERY / 2)), Sight::Noted);
        assert_eq!(life.sight(proven(SEEN_EVERY)), Sight::Note);
        assert_eq!(life.sight(proven(30 * DAY)), Sight::Note);
        assert_eq!(life.sight(proven(30 * DAY + SEEN_EVERY)), Sight::TooLate);
        assert!(!life.is_over(proven(30 * DAY)));
    }

    #[test]
    fn a_clock_that_proves_nothing_refuses_nobody() {
        let life = Life::begun(proven(Duration::ZERO));
        assert_eq!(life.sight(by_own_clock(400 * DAY)), Sight::Note);
        let seen_alone = Life::begun(by_own_clock(Duration::ZERO));
        assert_eq!(seen_alone.sight(by_own_clock(400 * DAY)), Sight::Note);
        assert_eq!(seen_alone.sight(proven(40 * DAY)), Sight::Note);
        assert!(
            seen_alone.is_uncounted(proven(DAY)) && !seen_alone.is_uncounted(by_own_clock(DAY))
        );
        let of_a_release_before = Life::default();
        assert_eq!(of_a_release_before.sight(proven(DAY)), Sight::Note);
    }
}
