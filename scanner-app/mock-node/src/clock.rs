//! The one module that reads clocks and makes randomness.

use std::time::Duration;

use eventify_protocol::time::{BootTime, CoreTime};
use rand::{TryRng as _, rngs::SysRng};
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

pub(crate) fn boottime() -> BootTime {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    let rest = Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0));
    BootTime::default().plus(seconds + rest)
}

/// The core's clock, as this machine would have it.
pub(crate) fn core() -> CoreTime {
    let time = clock_gettime(ClockId::Realtime);
    let micros = time.tv_sec.saturating_mul(1_000_000);
    CoreTime(micros.saturating_add(time.tv_nsec / 1_000))
}

pub(crate) fn entropy<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SysRng
        .try_fill_bytes(&mut bytes)
        .expect("the kernel's generator never fails after boot");
    bytes
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the crate's clock module"
)]
pub(crate) fn new_id<T: From<Uuid>>() -> T {
    T::from(Uuid::now_v7())
}
