//! Token buckets per principal or address, in memory, per process (the gateway has global ones).

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::policy::Rate;
use crate::config::RateLimits;
use crate::quotas::Quotas;
use crate::telemetry::LogThrottle;

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
    normal: Quotas<Payer>,
    strict: Quotas<Payer>,
    too_often: Mutex<LogThrottle>,
    uncounted: Mutex<LogThrottle>,
}

/// What can come without end, and has few lines in the log.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flood {
    /// What a limit refuses.
    TooOften,
    /// What has none: probes, webhooks, and what no route answers.
    Uncounted,
}

/// Of what is not counted, as many lines at once: a person who looks for a mistake finds each of theirs.
const UNCOUNTED_LINES: u32 = 100;

impl RateLimiter {
    /// Full buckets.
    #[must_use]
    pub fn new(limits: RateLimits) -> Self {
        Self {
            normal: Quotas::new(limits.normal_per_second, limits.normal_burst),
            strict: Quotas::new(limits.strict_per_second, limits.strict_burst),
            too_often: Mutex::default(),
            uncounted: Mutex::new(LogThrottle::bursts(Duration::from_secs(1), UNCOUNTED_LINES)),
        }
    }

    /// Whether an answer has a line in the log, and then how many had none since the last one: who is too fast
    /// for the core is too fast for its disk.
    pub(super) fn permit_line(&self, flood: Flood, now: Instant) -> Option<u64> {
        let log = match flood {
            Flood::TooOften => &self.too_often,
            Flood::Uncounted => &self.uncounted,
        };
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.permit(now)
    }

    /// Takes a token; else the seconds until there is one.
    ///
    /// # Errors
    /// Seconds for `Retry-After`.
    pub fn take(&self, payer: Payer, rate: Rate, now: DateTime<Utc>) -> Result<(), u64> {
        match rate {
            Rate::Unlimited => Ok(()),
            Rate::Normal => self.normal.take(payer, now),
            Rate::Strict => self.strict.take(payer, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_flood_of_refusals_is_a_line_a_second_with_their_number() {
        let limiter = RateLimiter::new(RateLimits {
            normal_per_second: 1,
            normal_burst: 1,
            strict_per_second: 1,
            strict_burst: 1,
        });
        let start = Clock::system().instant();
        let at = |passed| start + Duration::from_millis(passed);
        let lines =
            [0, 1, 500, 1_000].map(|passed| limiter.permit_line(Flood::TooOften, at(passed)));
        assert_eq!(lines, [Some(0), None, None, Some(2)]);
        let strangers = (0..1_000).filter_map(|_| limiter.permit_line(Flood::Uncounted, at(0)));
        assert_eq!(strangers.count(), 100);
        let next = limiter.permit_line(Flood::Uncounted, at(1_000));
        assert_eq!(next, Some(900));
    }

    #[test]
    fn each_kind_of_route_has_a_bucket_of_its_own() {
        let limiter = RateLimiter::new(RateLimits {
            normal_per_second: 10,
            normal_burst: 2,
            strict_per_second: 1,
            strict_burst: 1,
        });
        let payer = Payer::User(Uuid::nil());
        let take = |rate| limiter.take(payer, rate, DateTime::UNIX_EPOCH);
        assert_eq!(
            [(); 3].map(|()| take(Rate::Normal)),
            [Ok(()), Ok(()), Err(1)]
        );
        assert_eq!([(); 2].map(|()| take(Rate::Strict)), [Ok(()), Err(1)]);
        assert_eq!([(); 9].map(|()| take(Rate::Unlimited)), [Ok(()); 9]);
    }
}
