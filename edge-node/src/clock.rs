//! The one module that reads clocks and makes randomness; everything else gets them as arguments.
//!
//! Decisions use `CLOCK_BOOTTIME`: it counts suspend and can't be set. Its readings are valid within
//! one boot only, so each is used together with the boot's id. The wall clock is information, and
//! checks the boottime (`ADMISSION` 1.5).

use std::{fs, io, time::Duration};

use eventify_protocol::{
    ids::BootId,
    time::{BootTime, WallTime},
};
use rand::{TryRng as _, rngs::SysRng};
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

/// The id of the present boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Reads this machine's clocks. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    boot: BootId,
}

/// Why the machine has no usable clock.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// Without the boot id a reading could be from before a reboot.
    #[error("can't read the boot id from {BOOT_ID}: {0}; the node needs Linux with /proc mounted")]
    BootId(#[from] io::Error),
    #[error("{BOOT_ID} does not contain a UUID: {0}")]
    Malformed(#[from] uuid::Error),
}

impl Clock {
    /// The clocks of the running system.
    ///
    /// # Errors
    /// See [`ClockError`].
    pub fn of_this_boot() -> Result<Self, ClockError> {
        Ok(Self::of_boot(fs::read_to_string(BOOT_ID)?.trim().parse()?))
    }

    /// The clocks as in another boot: a test restarts a node with them to simulate a reboot.
    #[must_use]
    pub fn of_boot(boot: BootId) -> Self {
        Self { boot }
    }

    /// The boot of `boottime`'s readings.
    #[must_use]
    pub fn boot(&self) -> BootId {
        self.boot
    }

    /// Time since boot, suspend included.
    #[must_use]
    pub fn boottime(&self) -> BootTime {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
        BootTime::default()
            .plus(seconds + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0)))
    }

    /// The wall clock: information only.
    #[must_use]
    pub fn wall(&self) -> WallTime {
        let time = clock_gettime(ClockId::Realtime);
        WallTime(
            time.tv_sec
                .saturating_mul(1_000_000)
                .saturating_add(time.tv_nsec / 1_000),
        )
    }
}

/// Bytes from the operating system's generator.
///
/// # Panics
/// Without randomness of the kernel: no key, nonce or code of this node could be trusted.
#[must_use]
pub fn entropy<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SysRng
        .try_fill_bytes(&mut bytes)
        .expect("the kernel's generator never fails after boot");
    bytes
}

/// A new id, version 7.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the crate's clock module"
)]
pub fn new_id<T: From<Uuid>>() -> T {
    T::from(Uuid::now_v7())
}

/// Shortens or lengthens a delay by up to a quarter, so that nodes cut off together don't reconnect
/// together.
#[must_use]
pub fn jittered(delay: Duration) -> Duration {
    let spread = delay / 2;
    delay - spread / 2
        + spread.mul_f64(f64::from(u32::from_le_bytes(entropy())) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boottime_moves_forward_and_jitter_stays_in_its_bounds() {
        let clock = Clock::of_this_boot().unwrap();
        let first = clock.boottime();
        assert!(clock.boottime() >= first);
        for _ in 0..1_000 {
            let delay = jittered(Duration::from_millis(1_000)).as_millis();
            assert!((750..=1_250).contains(&delay), "{delay}");
        }
    }
}
