//! The three times of the system, as values. Nothing here reads a clock.

use std::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

use chrono::{DateTime, Utc};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// The age beyond which a cache decides nothing (`ADMISSION` 1.4). Configuration can lower it,
/// never raise it.
pub const MAX_CACHE_AGE: Duration = Duration::from_secs(300);

/// How much a node's clock may run fast or slow against the core's, in parts per million
/// (`ADMISSION` 1.2).
pub const DRIFT_BOUND_PPM: u64 = 1_000;

/// How old the watermark behind a sync point may be when it is signed (`ADMISSION` 1.1). A node
/// counts it as age.
pub const MAX_WATERMARK_AGE: Duration = Duration::from_millis(250);

/// The core's clock: microseconds since the Unix epoch, as its primary database tells them.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Encode,
    Decode,
    Serialize,
    Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct CoreTime(#[n(0)] pub i64);

/// A node's `CLOCK_BOOTTIME`: nanoseconds since boot, counting suspend.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Encode,
    Decode,
    Serialize,
    Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct BootTime(#[n(0)] pub u64);

/// A node's wall clock: microseconds since the Unix epoch. Information only, never proof.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Encode,
    Decode,
    Serialize,
    Deserialize,
)]
#[cbor(transparent)]
#[serde(transparent)]
pub struct WallTime(#[n(0)] pub i64);

/// The span in which the core's clock must have stood at some moment, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct CoreInterval {
    /// Not before.
    #[n(0)]
    pub earliest: CoreTime,
    /// Not after.
    #[n(1)]
    pub latest: CoreTime,
}

impl CoreTime {
    /// Later by a duration; saturates.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// Earlier by a duration; saturates.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// Time since `earlier`; zero if that lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// As a date, for people; `None` beyond chrono's range.
    #[must_use]
    pub fn to_datetime(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.0)
    }

    /// Whole seconds since the Unix epoch, as in a token's `nbf` and `exp`.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

impl From<DateTime<Utc>> for CoreTime {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }
}

impl BootTime {
    /// Later by a duration; saturates.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// Earlier by a duration; stops at boot.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }

    /// Time since `earlier`; zero if that lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for BootTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.plus(duration)
    }
}

impl Sub for BootTime {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl WallTime {
    /// Later by a duration; saturates.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl CoreInterval {
    /// Wholly before the other, so that the order of the two moments is certain.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        self.latest < other.earliest
    }

    /// The best guess.
    #[must_use]
    pub fn middle(&self) -> CoreTime {
        self.earliest.plus(self.latest.since(self.earliest) / 2)
    }

    /// The moment is known exactly: the core saw it itself.
    #[must_use]
    pub fn exact(at: CoreTime) -> Self {
        Self {
            earliest: at,
            latest: at,
        }
    }
}

/// A duration stretched by the drift bound: what may have passed on the core's clock while a node
/// counted `duration`.
#[must_use]
pub fn at_most(duration: Duration) -> Duration {
    duration.saturating_add(drift(duration))
}

/// A duration shortened by the drift bound: what must have passed on the core's clock while a node
/// counted `duration`.
#[must_use]
pub fn at_least(duration: Duration) -> Duration {
    duration.saturating_sub(drift(duration))
}

fn drift(duration: Duration) -> Duration {
    let parts = duration.as_nanos() * u128::from(DRIFT_BOUND_PPM) / 1_000_000 + 1;
    Duration::from_nanos(u64::try_from(parts).unwrap_or(u64::MAX))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for CoreTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_datetime() {
            Some(time) => write!(f, "CoreTime({})", time.format("%FT%T%.6fZ")),
            None => write!(f, "CoreTime({}us)", self.0),
        }
    }
}

impl fmt::Debug for BootTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootTime({:?})", Duration::from_nanos(self.0))
    }
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WallTime({}us)", self.0)
    }
}
