//! A clock that only runs forward, for the time between keys.

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds; they begin again at 0 after 49 days.
pub(crate) fn milliseconds() -> u32 {
    let now = clock_gettime(ClockId::Boottime);
    let whole = now.tv_sec.wrapping_mul(1_000) + now.tv_nsec / 1_000_000;
    whole as u32
}
