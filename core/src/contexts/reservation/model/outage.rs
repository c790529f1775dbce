//! When to tell that inventory answers nobody: no cart can be filled, and none confirmed.

use chrono::{DateTime, TimeDelta, Utc};

/// One breaker that opens and closes again is no outage.
const TOLD_AFTER: TimeDelta = TimeDelta::seconds(15);
/// Failures that are further apart are two outages.
const APART: TimeDelta = TimeDelta::seconds(30);
/// While it goes on it is written so often.
const TOLD_EVERY: TimeDelta = TimeDelta::seconds(10);

/// What a process has seen of its calls.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    failing: Option<Failing>,
    told_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug)]
struct Failing {
    since: DateTime<Utc>,
    last: DateTime<Utc>,
}

impl Outage {
    /// A call had no answer. Since when that is so, if it is to be told now.
    pub(crate) fn failed(&mut self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let going_on = self.failing.filter(|failing| now - failing.last <= APART);
        let since = going_on.map_or(now, |failing| failing.since);
        self.failing = Some(Failing { since, last: now });
        let is_news = self.told_at.is_none_or(|at| now - at >= TOLD_EVERY);
        (is_news && now - since >= TOLD_AFTER).then(|| {
            self.told_at = Some(now);
            since
        })
    }

    /// A call was answered. Whether its failures had been told.
    pub(crate) fn answered(&mut self) -> bool {
        self.failing = None;
        self.told_at.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    #[test]
    fn what_goes_on_is_told_now_and_then_and_what_passes_is_not() {
        let mut outage = Outage::default();
        let told = [0, 5, 14].map(|second| outage.failed(at(second)));
        assert_eq!(told, [None; 3]);
        assert!(!outage.answered(), "it passed");
        let told = [20, 34, 35, 40, 44, 45].map(|second| outage.failed(at(second)));
        assert_eq!(
            told,
            [None, None, Some(at(20)), None, None, Some(at(20))],
            "15 seconds after its begin, and every 10"
        );
        assert!(outage.answered());
        assert!(!outage.answered(), "its end is told once");
    }

    #[test]
    fn two_failures_of_a_quiet_night_are_no_outage() {
        let mut outage = Outage::default();
        let told = [0, 3_600, 3_631].map(|second| outage.failed(at(second)));
        assert_eq!(told, [None; 3]);
    }
}
