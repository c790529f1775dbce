//! What each sender may send: a token bucket for each routing key, in memory, per process. A flood is
//! dropped here, before it costs a query, so that it takes no answer from another sender.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::uplink::Binding;

/// More senders than this at once: buckets that are full again are forgotten.
const MAX_BUCKETS: usize = 50_000;
/// A sender's dropped messages are reported at most this often.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// The buckets of an uplink queue.
#[derive(Debug)]
pub(super) struct Shares {
    bindings: &'static [Binding],
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    /// What the sender may have in any case, and what it may have beside that while places are free.
    share: f64,
    spare: f64,
    at: Instant,
    dropped: u64,
    reported_at: Option<Instant>,
}

/// A message that may be worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Messages of the same sender and kind that were dropped since the last report; at most once a
    /// minute more than none.
    pub(super) dropped: u64,
}

impl Bucket {
    fn full(binding: &Binding, now: Instant) -> Self {
        Self {
            share: f64::from(binding.burst),
            spare: f64::from(binding.spare_per_second),
            at: now,
            dropped: 0,
            reported_at: None,
        }
    }

    fn refill(&mut self, binding: &Binding, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        let refilled = |tokens: f64, per_second: u32, most: u32| {
            (tokens + elapsed * f64::from(per_second)).min(f64::from(most))
        };
        self.share = refilled(self.share, binding.per_second, binding.burst);
        let spare = binding.spare_per_second;
        self.spare = refilled(self.spare, spare, spare);
        self.at = now;
    }

    fn is_full(&self, binding: &Binding) -> bool {
        self.share >= f64::from(binding.burst) && self.spare >= f64::from(binding.spare_per_second)
    }

    /// What is spare goes first: the share is for when nothing is.
    fn take(&mut self, has_places: bool) -> bool {
        let tokens = if has_places && self.spare >= 1.0 {
            &mut self.spare
        } else {
            &mut self.share
        };
        let is_taken = *tokens >= 1.0;
        if is_taken {
            *tokens -= 1.0;
        }
        is_taken
    }
}

impl Shares {
    pub(super) fn new(bindings: &'static [Binding]) -> Self {
        Self {
            bindings,
            buckets: Mutex::default(),
        }
    }

    /// Takes a token of the message's sender; none: it has sent too much. `has_places`: whether others would
    /// still find a place to be worked on if this message had one beyond its sender's share.
    pub(super) fn take(&self, routing_key: &str, has_places: bool, now: Instant) -> Option<Taken> {
        let Some(binding) = self.bindings.iter().find(|it| it.matches(routing_key)) else {
            // Bound by nobody here: by hand, or by another release.
            return Some(Taken { dropped: 0 });
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_BUCKETS {
            buckets.retain(|key, bucket| {
                let binding = self.bindings.iter().find(|it| it.matches(key));
                binding.is_some_and(|binding| {
                    bucket.refill(binding, now);
                    bucket.dropped > 0 || !bucket.is_full(binding)
                })
            });
        }
        let bucket = buckets
            .entry(routing_key.to_owned())
            .or_insert_with(|| Bucket::full(binding, now));
        bucket.refill(binding, now);
        if !bucket.take(has_places) {
            bucket.dropped += 1;
            return None;
        }
        let is_due = |last: Instant| now.saturating_duration_since(last) >= REPORT_EVERY;
        if bucket.dropped == 0 || !bucket.reported_at.is_none_or(is_due) {
            return Some(Taken { dropped: 0 });
        }
        bucket.reported_at = Some(now);
        let dropped = std::mem::take(&mut bucket.dropped);
        Some(Taken { dropped })
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::Clock;

    use super::*;

    const BINDINGS: &[Binding] = &[Binding::of("ev1.up.*.ask", 10, 3)];

    #[test]
    fn a_sender_that_sends_too_much_takes_nothing_from_another() {
        let shares = Shares::new(BINDINGS);
        let start = Clock::system().instant();
        let (flood, other) = ("ev1.up.a.ask", "ev1.up.b.ask");
        let passed = (0..1_000).filter(|_| shares.take(flood, true, start).is_some());
        assert_eq!(passed.count(), 3);
        assert_eq!(shares.take(other, true, start), Some(Taken { dropped: 0 }));
        let later = start + Duration::from_millis(100);
        assert_eq!(
            shares.take(flood, true, later),
            Some(Taken { dropped: 997 })
        );
        assert_eq!(shares.take(flood, true, later), None);
    }

    #[test]
    fn what_is_spare_goes_to_who_asks_while_there_are_places() {
        const SCANS: &[Binding] = &[Binding::of("ev1.up.*.scan", 10, 3).with_spare(5)];
        let shares = Shares::new(SCANS);
        let start = Clock::system().instant();
        let taken = |key, has_places, now| {
            let taken = (0..100).filter(|_| shares.take(key, has_places, now).is_some());
            taken.count()
        };
        assert_eq!(taken("ev1.up.a.scan", true, start), 5 + 3);
        assert_eq!(taken("ev1.up.b.scan", false, start), 3, "its share");
        assert_eq!(taken("ev1.up.b.scan", true, start), 5);
        let later = start + Duration::from_secs(1);
        assert_eq!(taken("ev1.up.a.scan", false, later), 3);
    }

    #[test]
    fn dropped_messages_are_reported_once_a_minute() {
        let shares = Shares::new(BINDINGS);
        let start = Clock::system().instant();
        let mut reports = Vec::new();
        for millis in 0..130_000 {
            let now = start + Duration::from_millis(millis);
            let taken = shares.take("ev1.up.a.ask", true, now);
            reports.extend(taken.filter(|it| it.dropped > 0));
        }
        assert_eq!(reports.len(), 3, "{reports:?}");
    }

    #[test]
    fn a_key_of_no_binding_is_left_to_its_handler() {
        let shares = Shares::new(BINDINGS);
        let now = Clock::system().instant();
        assert!((0..100).all(|_| shares.take("ev1.up.a.other", true, now).is_some()));
    }
}
