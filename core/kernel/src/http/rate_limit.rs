//! Token buckets per principal or address, in memory, per process (the gateway has global ones).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::policy::Rate;
use crate::config::RateLimits;

/// More callers than this at once: buckets that are full again are forgotten.
const MAX_BUCKETS: usize = 100_000;

/// Who pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Payer {
    /// A signed-in caller.
    User(Uuid),
    /// An anonymous one.
    Address(IpAddr),
}

/// All buckets.
#[derive(Debug)]
pub struct RateLimiter {
    limits: RateLimits,
    buckets: Mutex<HashMap<(Payer, Rate), Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: DateTime<Utc>,
}

impl RateLimiter {
    /// Full buckets.
    #[must_use]
    pub fn new(limits: RateLimits) -> Self {
        Self {
            limits,
            buckets: Mutex::default(),
        }
    }

    /// Takes a token; else the seconds until there is one.
    ///
    /// # Errors
    /// Seconds for `Retry-After`.
    pub fn take(&self, payer: Payer, rate: Rate, now: DateTime<Utc>) -> Result<(), u64> {
        let (per_second, burst) = match rate {
            Rate::Unlimited => return Ok(()),
            Rate::Normal => (self.limits.normal_per_second, self.limits.normal_burst),
            Rate::Strict => (self.limits.strict_per_second, self.limits.strict_burst),
        };
        if per_second == 0 {
            return Ok(());
        }
        let (per_second, burst) = (f64::from(per_second), f64::from(burst.max(1)));
        let mut buckets = match self.buckets.lock() {
            Ok(buckets) => buckets,
            Err(poisoned) => poisoned.into_inner(),
        };
        let refilled = |bucket: &Bucket| {
            let elapsed = (now - bucket.at).num_milliseconds().max(0);
            let elapsed = f64::from(i32::try_from(elapsed).unwrap_or(i32::MAX)) / 1000.0;
            (bucket.tokens + elapsed * per_second).min(burst)
        };
        if buckets.len() >= MAX_BUCKETS {
            buckets.retain(|_, bucket| refilled(bucket) < burst);
        }
        let bucket = buckets.entry((payer, rate)).or_insert(Bucket {
            tokens: burst,
            at: now,
        });
        let tokens = refilled(bucket);
        *bucket = Bucket {
            tokens: (tokens - 1.0).max(0.0),
            at: now,
        };
        if tokens >= 1.0 {
            return Ok(());
        }
        bucket.tokens = tokens;
        // At least one token a second, so a second is always enough.
        Err(1)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let limits = RateLimits {
            normal_per_second: 10,
            normal_burst: 3,
            strict_per_second: 0,
            strict_burst: 0,
        };
        let limiter = RateLimiter::new(limits);
        let payer = Payer::User(Uuid::nil());
        let start = DateTime::UNIX_EPOCH;
        for _ in 0..3 {
            assert_eq!(limiter.take(payer, Rate::Normal, start), Ok(()));
        }
        assert_eq!(limiter.take(payer, Rate::Normal, start), Err(1));
        let later = start + TimeDelta::milliseconds(100);
        assert_eq!(limiter.take(payer, Rate::Normal, later), Ok(()));
        assert_eq!(limiter.take(payer, Rate::Normal, later), Err(1));
        for _ in 0..100 {
            assert_eq!(
                limiter.take(payer, Rate::Strict, start),
                Ok(()),
                "0 switches it off"
            );
        }
    }
}
