//! Keeps one kind of line, which anybody can cause, from filling the log.

use std::ops::{Add, Sub};
use std::time::{Duration, Instant};

/// So many lines at once, then one an interval, by any clock that only goes forward.
#[derive(Debug)]
pub struct LogThrottle<T = Instant> {
    /// Time in which one more line may be written.
    interval: Duration,
    /// The time of as many lines as may be written at once.
    whole: Duration,
    /// When so many may be again.
    full_at: Option<T>,
    suppressed: u64,
}

impl<T> Default for LogThrottle<T> {
    /// One line a second.
    fn default() -> Self {
        Self::every(Duration::from_secs(1))
    }
}

impl<T> LogThrottle<T> {
    /// One line an interval.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self::bursts(interval, 1)
    }

    /// So many lines at once, and one more each interval.
    #[must_use]
    pub fn bursts(interval: Duration, lines: u32) -> Self {
        Self {
            interval,
            whole: interval.saturating_mul(lines),
            full_at: None,
            suppressed: 0,
        }
    }
}

impl<T> LogThrottle<T>
where
    T: Copy + Ord + Add<Duration, Output = T> + Sub<T, Output = Duration>,
{
    /// Whether the line may be written now, and then how many were suppressed since the last one.
    pub fn permit(&mut self, now: T) -> Option<u64> {
        let after = self.full_at.map_or(now, |full| full.max(now)) + self.interval;
        if after - now > self.whole {
            self.suppressed += 1;
            return None;
        }
        self.full_at = Some(after);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By a clock that has run for a while.
    fn permitted<const N: usize>(
        mut lines: LogThrottle<Duration>,
        passed: [u64; N],
    ) -> [Option<u64>; N] {
        let start = Duration::from_secs(7);
        passed.map(|millis| lines.permit(start + Duration::from_millis(millis)))
    }

    #[test]
    fn a_line_is_written_once_a_second_and_counts_those_that_were_not() {
        let permitted = permitted(LogThrottle::default(), [0, 1, 999, 1_000, 1_001, 2_500]);
        assert_eq!(permitted, [Some(0), None, None, Some(2), None, Some(1)]);
    }

    #[test]
    fn a_few_at_once_are_all_written_and_of_a_flood_one_an_interval() {
        let lines = LogThrottle::bursts(Duration::from_secs(1), 3);
        let permitted = permitted(lines, [0, 0, 1, 2, 3, 1_000, 1_001, 60_000]);
        let all = [
            Some(0),
            Some(0),
            Some(0),
            None,
            None,
            Some(2),
            None,
            Some(1),
        ];
        assert_eq!(permitted, all);
    }
}
