//! Token buckets, one for each of many keys, in memory: how often something may be done, and how often at
//! once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Of more keys than this at a time, the later ones share a bucket: neither memory nor the work for a caller
/// grows with the number of strangers.
const MAX_BUCKETS: usize = 100_000;

/// The buckets of one limit.
#[derive(Debug)]
pub struct Quotas<K> {
    per_second: f64,
    burst: f64,
    buckets: Mutex<Buckets<K>>,
}

/// Two generations: a bucket that nobody used for the time in which it fills is full, and is forgotten with its
/// generation.
#[derive(Debug)]
struct Buckets<K> {
    young: HashMap<K, Bucket>,
    old: HashMap<K, Bucket>,
    /// Since when there are young ones.
    since: DateTime<Utc>,
    crowd: Option<Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: DateTime<Utc>,
}

impl<K: Eq + Hash> Quotas<K> {
    /// Full buckets. Of 0 a second there is no limit.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: per_second.into(),
            burst: burst.max(1).into(),
            buckets: Mutex::new(Buckets {
                young: HashMap::new(),
                old: HashMap::new(),
                since: DateTime::UNIX_EPOCH,
                crowd: None,
            }),
        }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// There is none; the seconds until there is one, for `Retry-After`.
    pub fn take(&self, key: K, now: DateTime<Utc>) -> Result<(), u64> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.age(now, self.seconds_to_fill());
        let bucket = buckets.of(key, self.full(now));
        let elapsed = (now - bucket.at).num_milliseconds().max(0);
        let elapsed = f64::from(i32::try_from(elapsed).unwrap_or(i32::MAX)) / 1000.0;
        let tokens = (bucket.tokens + elapsed * self.per_second).min(self.burst);
        let left = tokens - 1.0;
        *bucket = Bucket {
            tokens: if left >= 0.0 { left } else { tokens },
            at: now,
        };
        // At least one token a second, so a second is always enough.
        if left >= 0.0 { Ok(()) } else { Err(1) }
    }

    fn full(&self, now: DateTime<Utc>) -> Bucket {
        Bucket {
            tokens: self.burst,
            at: now,
        }
    }

    fn seconds_to_fill(&self) -> f64 {
        self.burst / self.per_second
    }
}

impl<K: Eq + Hash> Buckets<K> {
    fn age(&mut self, now: DateTime<Utc>, to_fill: f64) {
        let is_over = |generations: f64| {
            let time = Duration::from_secs_f64(to_fill * generations);
            TimeDelta::from_std(time).is_ok_and(|time| now - self.since >= time)
        };
        let (one, both) = (is_over(1.0), is_over(2.0));
        // A clock that was set back would keep them for as long.
        if one || now < self.since {
            self.old = std::mem::take(&mut self.young);
            self.since = now;
        }
        if both {
            self.old = HashMap::new();
        }
    }

    fn of(&mut self, key: K, full: Bucket) -> &mut Bucket {
        let known = self.old.remove(&key);
        if self.young.len() >= MAX_BUCKETS && !self.young.contains_key(&key) {
            return self.crowd.get_or_insert(full);
        }
        self.young.entry(key).or_insert(known.unwrap_or(full))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds_for_each_key() {
        let quotas = Quotas::new(10, 3);
        let start = DateTime::UNIX_EPOCH;
        for _ in 0..3 {
            assert_eq!(quotas.take("ada", start), Ok(()));
        }
        assert_eq!(quotas.take("ada", start), Err(1));
        assert_eq!(quotas.take("bob", start), Ok(()));
        let later = start + TimeDelta::milliseconds(100);
        assert_eq!(quotas.take("ada", later), Ok(()));
        assert_eq!(quotas.take("ada", later), Err(1));
    }

    #[test]
    fn nought_a_second_is_no_limit() {
        let quotas = Quotas::new(0, 0);
        for _ in 0..100 {
            assert_eq!(quotas.take((), DateTime::UNIX_EPOCH), Ok(()));
        }
    }

    #[test]
    fn who_comes_when_all_buckets_are_taken_shares_one_with_the_others() {
        let quotas = Quotas::new(1, 2);
        let start = DateTime::UNIX_EPOCH;
        for stranger in 0..MAX_BUCKETS {
            assert_eq!(quotas.take(stranger, start), Ok(()));
        }
        let later = [(); 3].map(|()| quotas.take(MAX_BUCKETS, start));
        assert_eq!(later, [Ok(()), Ok(()), Err(1)]);
        assert_eq!(quotas.take(MAX_BUCKETS + 1, start), Err(1));
        assert_eq!(quotas.take(0, start), Ok(()));
        assert_eq!(quotas.take(0, start), Err(1));
    }

    #[test]
    fn a_bucket_is_forgotten_when_it_is_full_and_not_before() {
        let quotas = Quotas::new(1, 10);
        let at = |second| DateTime::UNIX_EPOCH + TimeDelta::seconds(second);
        let take = |times, second| (0..times).map(|_| quotas.take("ada", at(second))).collect();
        let taken: Vec<_> = take(10, 1);
        assert!(taken.iter().all(Result::is_ok));
        // The generation that it was made in has ended.
        let taken: Vec<_> = take(10, 9);
        assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 8);
        let taken: Vec<_> = take(10, 12);
        assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 3);
        assert_eq!(quotas.take("bob", at(60)), Ok(()));
        let buckets = quotas.buckets.lock().unwrap();
        assert_eq!(buckets.young.len() + buckets.old.len(), 1);
    }
}
