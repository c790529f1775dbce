//! Keeps one kind of line, which anybody on the LAN can cause, from filling the log.

use std::time::Duration;

use eventify_protocol::time::BootTime;

/// How often such a line is written at most.
const SELDOM: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Seldom {
    last: Option<BootTime>,
    unsaid: u64,
}

impl Seldom {
    /// Whether the line may be written now, and then how many were not since the one before.
    pub(super) fn say(&mut self, now: BootTime) -> Option<u64> {
        if self.last.is_some_and(|last| now.since(last) < SELDOM) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_once_a_second_and_counts_those_that_were_not() {
        let mut line = Seldom::default();
        let said = [0, 1, 999, 1_000, 1_001, 2_500]
            .map(|passed| line.say(BootTime::default().plus(Duration::from_millis(passed))));
        assert_eq!(said, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
