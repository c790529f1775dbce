//! How long to wait for an answer before asking again, on a line of unknown speed.
//!
//! A line can be slower than any fixed timeout, and asking again before it can answer only fills it
//! with repeats. So the delay doubles after each timeout and follows the time that answers take.

use std::time::Duration;

/// On a good line a loss is repaired after this time.
const MIN_DELAY: Duration = Duration::from_secs(1);
/// A line that was cut is tried again after this time.
const MAX_DELAY: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug)]
pub(super) struct RetryTimer(Duration);

impl Default for RetryTimer {
    fn default() -> Self {
        Self(MIN_DELAY)
    }
}

impl RetryTimer {
    pub(super) fn delay(self) -> Duration {
        self.0
    }

    /// An answer came `took` after the question or after the answer before it.
    pub(super) fn answered_after(&mut self, took: Duration) {
        self.0 = (took * 2).clamp(MIN_DELAY, MAX_DELAY);
    }

    pub(super) fn timed_out(&mut self) {
        self.0 = (self.0 * 2).min(MAX_DELAY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn the_delay_doubles_after_a_timeout_and_follows_the_time_of_an_answer() {
        let mut timer = RetryTimer::default();
        let mut delays = vec![];
        for _ in 0..6 {
            delays.push(timer.delay());
            timer.timed_out();
        }
        assert_eq!(delays, [S(1), S(2), S(4), S(8), S(15), S(15)]);
        timer.answered_after(S(3));
        assert_eq!(timer.delay(), S(6), "the next one will take as long");
        timer.answered_after(Duration::from_millis(20));
        assert_eq!(timer.delay(), S(1));
    }
}
