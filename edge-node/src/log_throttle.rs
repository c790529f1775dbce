//! Keeps one kind of log line, which scans or anybody on the LAN can cause, from filling the log.

use std::time::Duration;

use eventify_protocol::time::BootTime;

#[derive(Debug)]
pub(crate) struct LogThrottle {
    /// Time in which one more line may be written.
    interval: Duration,
    /// The time of as many lines as may be written at once.
    whole: Duration,
    /// When so many may be again.
    full_at: BootTime,
    suppressed: u64,
}

impl LogThrottle {
    /// One line an interval.
    pub(crate) fn new(interval: Duration) -> Self {
        Self::bursts(interval, 1)
    }

    /// So many lines at once, and one more each interval.
    pub(crate) fn bursts(interval: Duration, lines: u32) -> Self {
        Self {
            interval,
            whole: interval.saturating_mul(lines),
            full_at: BootTime::default(),
            suppressed: 0,
        }
    }

    /// If the line may be written now: how many were left out since the one before.
    pub(crate) fn pass(&mut self, now: BootTime) -> Option<u64> {
        let after = self.full_at.max(now).plus(self.interval);
        if after.since(now) > self.whole {
            self.suppressed += 1;
            return None;
        }
        self.full_at = after;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_once_an_interval_and_counts_those_that_were_left_out() {
        let mut throttle = LogThrottle::new(Duration::from_secs(1));
        let passed = [0, 1, 999, 1_000, 1_001, 2_500]
            .map(|millis| throttle.pass(BootTime::default().plus(Duration::from_millis(millis))));
        assert_eq!(passed, [Some(0), None, None, Some(2), None, Some(1)]);
    }

    #[test]
    fn a_few_at_once_are_all_written_and_of_a_flood_one_an_interval() {
        let mut throttle = LogThrottle::bursts(Duration::from_secs(1), 3);
        let passed = [0, 0, 1, 2, 3, 1_000, 1_001, 60_000]
            .map(|millis| throttle.pass(BootTime::default().plus(Duration::from_millis(millis))));
        let expected = [
            Some(0),
            Some(0),
            Some(0),
            None,
            None,
            Some(2),
            None,
            Some(1),
        ];
        assert_eq!(passed, expected);
    }
}
