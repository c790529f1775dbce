//! How long an answer is waited for before it is asked for again, on a line of unknown speed.
//!
//! A line can be slower than any fixed time, and asking again sooner than it can answer only fills
//! it with repeats. So the wait grows with each vain one, and follows what an answer took.

use std::time::Duration;

/// Shortest wait: on a good line a loss is mended after it.
const FLOOR: Duration = Duration::from_secs(1);
/// Longest wait: a line that was cut is tried again after it.
const CEILING: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug)]
pub(super) struct Patience(Duration);

impl Default for Patience {
    fn default() -> Self {
        Self(FLOOR)
    }
}

impl Patience {
    pub(super) fn wait(self) -> Duration {
        self.0
    }

    /// Something came, so long after it was asked for or after what came before it.
    pub(super) fn rewarded(&mut self, took: Duration) {
        self.0 = (took * 2).clamp(FLOOR, CEILING);
    }

    /// Nothing came.
    pub(super) fn in_vain(&mut self) {
        self.0 = (self.0 * 2).min(CEILING);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn it_grows_in_vain_and_follows_what_an_answer_takes() {
        let mut patience = Patience::default();
        let mut waits = vec![];
        for _ in 0..6 {
            waits.push(patience.wait());
            patience.in_vain();
        }
        assert_eq!(waits, [S(1), S(2), S(4), S(8), S(15), S(15)]);
        patience.rewarded(S(3));
        assert_eq!(patience.wait(), S(6), "the next one will take as long");
        patience.rewarded(Duration::from_millis(20));
        assert_eq!(patience.wait(), S(1));
    }
}
