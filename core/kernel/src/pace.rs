//! How fast a callee wants to be called. One that says "slow down" is well: it is called less often,
//! and no breaker opens.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;

/// The first pause.
const SHORTEST: TimeDelta = TimeDelta::seconds(1);
/// A callee that asks for more gets it; by ourselves we don't wait longer.
const LONGEST: TimeDelta = TimeDelta::seconds(60);
/// A callee is not believed beyond this.
const LONGEST_ASKED: TimeDelta = TimeDelta::minutes(10);

/// The pace of one kind of call, for a process.
#[derive(Debug)]
pub struct Pace {
    clock: Clock,
    state: Mutex<Pausing>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pausing {
    not_before: Option<DateTime<Utc>>,
    /// What the last "slow down" cost; the next one costs the double.
    pause: TimeDelta,
}

impl Pace {
    /// At any speed.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// How long no call should be made; `None` when one may be made now.
    #[must_use]
    pub fn left(&self) -> Option<TimeDelta> {
        let left = self.lock().not_before? - self.clock.now();
        (left > TimeDelta::zero()).then_some(left)
    }

    /// The callee wants fewer calls, and may have said for how long. Answers of calls that were on
    /// their way together count once. Returns how long no call should be made.
    pub fn slow_down(&self, asked: Option<TimeDelta>) -> TimeDelta {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.not_before.is_none_or(|until| until <= now) {
            state.pause = (state.pause * 2).clamp(SHORTEST, LONGEST);
        }
        let asked = asked.unwrap_or_default().min(LONGEST_ASKED);
        let until = now + state.pause.max(asked);
        let until = state.not_before.map_or(until, |known| known.max(until));
        state.not_before = Some(until);
        until - now
    }

    /// The callee took a call: the next pause is shorter.
    pub fn went_well(&self) {
        let mut state = self.lock();
        state.pause = state.pause / 2;
    }

    fn lock(&self) -> MutexGuard<'_, Pausing> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(pace: &Pace) -> Option<i64> {
        pace.left()
            .map(|left| (left.num_milliseconds() + 999) / 1_000)
    }

    #[test]
    fn pauses_double_while_the_callee_asks_for_them_and_shorten_when_it_is_well() {
        let clock = Clock::movable();
        let pace = Pace::new(clock.clone());
        assert_eq!(seconds(&pace), None);
        for expected in [1, 2, 4, 8] {
            // Two of one burst count once.
            pace.slow_down(None);
            pace.slow_down(None);
            assert_eq!(seconds(&pace), Some(expected));
            clock.advance(TimeDelta::seconds(expected + 1));
            assert_eq!(seconds(&pace), None);
        }
        for _ in 0..8 {
            pace.went_well();
        }
        pace.slow_down(None);
        assert_eq!(seconds(&pace), Some(1));
    }

    #[test]
    fn the_callee_may_ask_for_more_within_reason() {
        let clock = Clock::movable();
        let pace = Pace::new(clock.clone());
        pace.slow_down(Some(TimeDelta::seconds(30)));
        assert_eq!(seconds(&pace), Some(30));
        pace.slow_down(Some(TimeDelta::days(9)));
        assert_eq!(seconds(&pace), Some(600));
    }
}
