//! The only place of this crate that reads a clock or makes randomness.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the one place")]
#[must_use]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Measures how long something takes.
#[expect(clippy::disallowed_methods, reason = "the one place")]
#[must_use]
pub fn instant() -> Instant {
    Instant::now()
}

/// A new id, version 7.
#[expect(clippy::disallowed_methods, reason = "the one place")]
#[must_use]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Awaits a future and measures how long it takes.
pub async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let begin = instant();
    let value = work.await;
    (value, begin.elapsed())
}
