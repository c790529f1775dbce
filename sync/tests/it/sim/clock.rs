//! The world's clock, which is the core's, and the nodes' clocks, which are not.

use eventify_protocol::{
    ids::BootId,
    time::{BootTime, CoreTime, WallTime},
};
use eventify_sync::edge::Now;

/// Nanoseconds since the world began.
pub(crate) type Nanos = u64;

pub(crate) const MS: Nanos = 1_000_000;
pub(crate) const S: Nanos = 1_000 * MS;

/// Core time when the world begins: some evening in 2026.
const EPOCH_MICROS: i64 = 1_790_000_000_000_000;

pub(crate) fn core_time(at: Nanos) -> CoreTime {
    CoreTime(EPOCH_MICROS + i64::try_from(at / 1_000).expect("a short run"))
}

/// Unix seconds, for what stands in tickets.
pub(crate) fn unix(at: Nanos) -> i64 {
    core_time(at).unix_seconds()
}

/// The two clocks of a machine.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    pub(crate) boot: BootId,
    booted: Nanos,
    /// How much it runs fast, in parts per million.
    ppm: i64,
    /// What somebody has set the wall clock to, against boottime, in microseconds.
    wall_offset: i64,
}

impl Clock {
    pub(crate) fn new(boot: BootId, booted: Nanos, ppm: i64, wall_error: i64) -> Self {
        let wall_offset = core_time(booted).0 + wall_error;
        Self {
            boot,
            booted,
            ppm,
            wall_offset,
        }
    }

    pub(crate) fn reboot(&mut self, boot: BootId, at: Nanos) {
        let wall = self.now(at).wall;
        (self.boot, self.booted, self.wall_offset) = (boot, at, wall.0);
    }

    pub(crate) fn set_wall(&mut self, by: i64) {
        self.wall_offset += by;
    }

    /// It stood still until now, and the wall clock has been put right. False if it had not run for
    /// so long.
    pub(crate) fn stood_still(&mut self, lasts: Nanos, at: Nanos) -> bool {
        let ran = self.booted + lasts <= at;
        if ran {
            self.booted += lasts;
            let micros = i64::try_from(lasts / 1_000).expect("a short run");
            self.wall_offset += micros;
        }
        ran
    }

    pub(crate) fn now(&self, at: Nanos) -> Now {
        let boottime = scale(at - self.booted, 1_000_000 + self.ppm, 1_000_000);
        let micros = i64::try_from(boottime / 1_000).expect("a short run");
        Now {
            boottime: BootTime(boottime),
            wall: WallTime(self.wall_offset + micros),
        }
    }

    /// When this boottime is reached.
    pub(crate) fn when(&self, boottime: BootTime) -> Nanos {
        self.booted + scale(boottime.0, 1_000_000, 1_000_000 + self.ppm) + 2
    }
}

fn scale(nanos: u64, by: i64, of: i64) -> u64 {
    let scaled = i128::from(nanos) * i128::from(by) / i128::from(of);
    u64::try_from(scaled).expect("clocks run forward")
}
