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
    tokens: f64,
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

impl Shares {
    pub(super) fn new(bindings: &'static [Binding]) -> Self {
        Self {
            bindings,
            buckets: Mutex::default(),
        }
    }

    /// Takes a token of the message's sender; none: it has sent too much.
    pub(super) fn take(&self, routing_key: &str, now: Instant) -> Option<Taken> {
        let Some(binding) = self.bindings.iter().find(|it| it.matches(routing_key)) else {
            // Bound by nobody here: by hand, or by another release.
            return Some(Taken { dropped: 0 });
        };
        let burst = f64::from(binding.burst);
        let refilled = |bucket: &Bucket| {
            let elapsed = now.saturating_duration_since(bucket.at).as_secs_f64();
            (bucket.tokens + elapsed * f64::from(binding.per_second)).min(burst)
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_BUCKETS {
            buckets.retain(|_, bucket| bucket.dropped > 0 || refilled(bucket) < burst);
        }
        let bucket = buckets.entry(routing_key.to_owned()).or_insert(Bucket {
            tokens: burst,
            at: now,
            dropped: 0,
            reported_at: None,
        });
        bucket.tokens = refilled(bucket);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            bucket.dropped += 1;
            return None;
        }
        bucket.tokens -= 1.0;
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
    use super::*;

    const BINDINGS: &[Binding] = &[Binding::of("ev1.up.*.ask", 10, 3)];

    #[test]
    fn a_sender_that_sends_too_much_takes_nothing_from_another() {
        let shares = Shares::new(BINDINGS);
        let start = Instant::now();
        let (flood, other) = ("ev1.up.a.ask", "ev1.up.b.ask");
        let passed = (0..1_000).filter(|_| shares.take(flood, start).is_some());
        assert_eq!(passed.count(), 3);
        assert_eq!(shares.take(other, start), Some(Taken { dropped: 0 }));
        let later = start + Duration::from_millis(100);
        assert_eq!(shares.take(flood, later), Some(Taken { dropped: 997 }));
        assert_eq!(shares.take(flood, later), None);
    }

    #[test]
    fn dropped_messages_are_reported_once_a_minute() {
        let shares = Shares::new(BINDINGS);
        let start = Instant::now();
        let mut reports = Vec::new();
        for millis in 0..130_000 {
            let now = start + Duration::from_millis(millis);
            let taken = shares.take("ev1.up.a.ask", now);
            reports.extend(taken.filter(|it| it.dropped > 0));
        }
        assert_eq!(reports.len(), 3, "{reports:?}");
    }

    #[test]
    fn a_key_of_no_binding_is_left_to_its_handler() {
        let shares = Shares::new(BINDINGS);
        let now = Instant::now();
        assert!((0..100).all(|_| shares.take("ev1.up.a.other", now).is_some()));
    }
}
