//! Keeps one kind of log line, which scans or anybody on the LAN can cause, from filling the log.

use std::time::Duration;

use eventify_protocol::time::BootTime;

#[derive(Debug)]
pub(crate) struct LogThrottle {
    /// Shortest time between two such lines.
    interval: Duration,
    last: Option<BootTime>,
    suppressed: u64,
}

impl LogThrottle {
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            last: None,
            suppressed: 0,
        }
    }

    /// If the line may be written now: how many were left out since the one before.
    pub(crate) fn pass(&mut self, now: BootTime) -> Option<u64> {
        if self
            .last
            .is_some_and(|last| now.since(last) < self.interval)
        {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
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
}
