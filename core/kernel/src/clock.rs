//! Time and ids. The only module that reads a clock or randomness; everybody else gets a
//! [`Clock`] as an argument, so that a test can move time instead of sleeping.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Duration, SubsecRound, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

/// Where time and ids come from.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    /// Counts the ids of one millisecond.
    ids: Arc<Mutex<ContextV7>>,
}

#[derive(Clone, Debug)]
enum Source {
    System,
    /// The system's time, shifted by as many microseconds as the test has moved on.
    Shifted(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::of(Source::System)
    }

    /// A clock that a test can move forward. It starts at the system's time.
    #[must_use]
    pub fn movable() -> Self {
        Self::of(Source::Shifted(Arc::default()))
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            ids: Arc::default(),
        }
    }

    /// Now, in whole microseconds: what PostgreSQL stores.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
    pub fn now(&self) -> DateTime<Utc> {
        let system = Utc::now().trunc_subsecs(6);
        match &self.source {
            Source::System => system,
            Source::Shifted(shift) => system + Duration::microseconds(shift.load(Ordering::SeqCst)),
        }
    }

    /// A new UUIDv7 of this clock's time, above all that it gave before: rows that a request inserts
    /// are sorted by their ids as it named them.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        let now = self.now();
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        Uuid::new_v7(Timestamp::from_unix(
            &*self.ids,
            seconds,
            now.timestamp_subsec_nanos(),
        ))
    }

    /// 32 random bytes, for secrets and codes.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
    pub fn random_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
        bytes
    }

    /// A number in `0.0..1.0`, for jitter.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
    pub fn jitter(&self) -> f64 {
        rand::RngExt::random(&mut rand::rng())
    }

    /// A point of the monotonic clock, for measuring durations.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
    pub fn instant(&self) -> std::time::Instant {
        std::time::Instant::now()
    }

    /// Moves a [`Clock::movable`] forward; the system's clock can't be moved.
    pub fn advance(&self, by: Duration) {
        if let Source::Shifted(shift) = &self.source {
            shift.fetch_add(by.num_microseconds().unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_the_order_in_which_they_were_made() {
        let clock = Clock::system();
        let other = clock.clone();
        let made: Vec<_> = (0..10_000)
            .flat_map(|_| [clock.new_id(), other.new_id()])
            .collect();
        assert!(made.is_sorted_by(|earlier, later| earlier < later));
    }
}
