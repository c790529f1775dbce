//! How many requests a scanner may send: a token bucket for each, so that one that is broken or stolen
//! slows nobody else. It counts requests that its own key has signed: others can't use it up.

use std::{collections::HashMap, time::Duration};

use eventify_log::LogThrottle;
use eventify_protocol::{ids::ScannerId, time::BootTime};

/// Shortest time between two log lines about scanners that are too fast.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The buckets of the scanners that have sent something.
#[derive(Debug)]
pub(crate) struct Quotas {
    /// Time in which a bucket gets one request back.
    interval: Duration,
    /// Time in which an empty bucket is full.
    whole: Duration,
    /// When each bucket will be full.
    full_at: HashMap<ScannerId, BootTime>,
    log: LogThrottle<BootTime>,
}

impl Quotas {
    /// `rate` requests a second, and `burst` at once.
    pub(crate) fn new(rate: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / rate.max(1);
        Self {
            interval,
            whole: interval.saturating_mul(burst),
            full_at: HashMap::new(),
            log: LogThrottle::every(LOG_INTERVAL),
        }
    }

    /// Takes one request of a scanner.
    ///
    /// # Errors
    /// The bucket is empty: how long until there is one.
    pub(crate) fn take(&mut self, scanner: ScannerId, now: BootTime) -> Result<(), Duration> {
        let full_at = self.full_at.entry(scanner).or_default();
        let after = (*full_at).max(now).plus(self.interval);
        let missing = after.since(now);
        if missing <= self.whole {
            *full_at = after;
            return Ok(());
        }
        if let Some(suppressed) = self.log.permit(now) {
            tracing::warn!(
                code = "lan.scanner_too_fast",
                scanner_id = %scanner,
                suppressed,
                "a scanner sends more requests than it may; they are answered with 429"
            );
        }
        Err(missing - self.whole)
    }

    /// The scanner is gone.
    pub(crate) fn forget(&mut self, scanner: ScannerId) {
        self.full_at.remove(&scanner);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_and_nobody_else_pays() {
        let mut quotas = Quotas::new(5, 10);
        let [ada, bob] = [1, 2].map(|id| ScannerId(Uuid::from_u128(id)));
        let at = |millis| BootTime(50_000_000_000).plus(Duration::from_millis(millis));
        for _ in 0..10 {
            assert_eq!(quotas.take(ada, at(0)), Ok(()));
        }
        assert_eq!(quotas.take(ada, at(0)), Err(Duration::from_millis(200)));
        assert_eq!(quotas.take(ada, at(150)), Err(Duration::from_millis(50)));
        assert_eq!(quotas.take(bob, at(150)), Ok(()));
        assert_eq!(
            quotas.take(ada, at(200)),
            Ok(()),
            "what is refused costs nothing"
        );
        assert!(quotas.take(ada, at(200)).is_err());
        let passed = (0..20).filter(|_| quotas.take(ada, at(60_000)).is_ok());
        assert_eq!(passed.count(), 10, "a pause fills the bucket and no more");
        quotas.forget(ada);
        assert_eq!(quotas.full_at.len(), 1);
    }
}
