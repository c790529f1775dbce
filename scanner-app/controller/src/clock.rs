//! The one module that reads clocks and draws random numbers; everything else gets them as arguments.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use eventify_protocol::time::{BootTime, WallTime};
use rand::{TryRng as _, rngs::SysRng};
use rustix::time::{ClockId, clock_gettime};

use crate::io::Now;

/// The clocks of this machine, or clocks that a test has put ahead: a weekend at a gate takes no weekend.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_ns: Arc<AtomicU64>,
}

impl Clock {
    /// Lets time pass for everybody who has this clock.
    pub fn advance(&self, by: Duration) {
        let ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.ahead_ns.fetch_add(ns, Ordering::SeqCst);
    }

    /// This moment.
    pub(crate) fn now(&self) -> Now {
        let ahead = Duration::from_nanos(self.ahead_ns.load(Ordering::SeqCst));
        let boot = clock_gettime(ClockId::Boottime);
        let wall = clock_gettime(ClockId::Realtime);
        let seconds = Duration::from_secs(u64::try_from(boot.tv_sec).unwrap_or(0));
        let rest = Duration::from_nanos(u64::try_from(boot.tv_nsec).unwrap_or(0));
        let micros = wall.tv_sec.saturating_mul(1_000_000);
        Now {
            boot: BootTime::default().plus(seconds + rest + ahead),
            wall: WallTime(micros.saturating_add(wall.tv_nsec / 1_000)).plus(ahead),
            random: entropy(),
        }
    }
}

/// Bytes from the operating system's generator.
///
/// # Panics
/// Without randomness of the kernel: no key and no id could be trusted.
#[must_use]
pub(crate) fn entropy<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SysRng
        .try_fill_bytes(&mut bytes)
        .expect("the kernel's generator never fails after boot");
    bytes
}
