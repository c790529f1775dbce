//! Token buckets, one for each of many keys, in memory: how often something may be done, and how often at
//! once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

/// With more keys than this, buckets that are full again are forgotten.
const MAX_BUCKETS: usize = 100_000;

/// The buckets of one limit.
#[derive(Debug)]
pub struct Quotas<K> {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<K, Bucket>>,
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
            buckets: Mutex::default(),
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
        let refilled = |bucket: &Bucket| {
            let elapsed = (now - bucket.at).num_milliseconds().max(0);
            let elapsed = f64::from(i32::try_from(elapsed).unwrap_or(i32::MAX)) / 1000.0;
            (bucket.tokens + elapsed * self.per_second).min(self.burst)
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_BUCKETS {
            buckets.retain(|_, bucket| refilled(bucket) < self.burst);
        }
        let bucket = buckets.entry(key).or_insert(Bucket {
            tokens: self.burst,
            at: now,
        });
        let tokens = refilled(bucket);
        let left = tokens - 1.0;
        *bucket = Bucket {
            tokens: if left >= 0.0 { left } else { tokens },
            at: now,
        };
        // At least one token a second, so a second is always enough.
        if left >= 0.0 { Ok(()) } else { Err(1) }
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
}
