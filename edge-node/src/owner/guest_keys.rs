//! The keys of guests' names, in this process's memory and nowhere else: whoever takes the machine away takes
//! no name with it, and a restart waits for the core to send them again. (A node that was restarted within a
//! cut decides alone for five minutes at most, and nobody looks for guests meanwhile.)

use eventify_protocol::{
    sync::{HolderKeys, PerformanceKey},
    time::{BootTime, CoreTime, WallTime},
};
use eventify_sync::edge::Now;
use std::time::Duration;

/// A key may come before the entry of the feed that switches search on.
const GRACE: Duration = Duration::from_secs(60);

/// The keys that are held.
#[derive(Debug, Default)]
pub(super) struct GuestKeys {
    held: Vec<Held>,
    /// What the venue wanted when it was last looked at.
    allowed: Option<bool>,
}

#[derive(Debug)]
struct Held {
    key: PerformanceKey,
    /// However the wall clock is set: by this time of the machine it is gone.
    until: BootTime,
    since: BootTime,
}

impl GuestKeys {
    /// These from now on, by the core's word; `core` is the latest that its clock can stand at.
    pub(super) fn replace(&mut self, keys: HolderKeys, core: Option<CoreTime>, now: Now) {
        let latest = latest(core, now.wall);
        let held = keys.keys.into_iter().map(|key| {
            let left = key.wipe_at.saturating_sub(latest.unix_seconds());
            let left = Duration::from_secs(u64::try_from(left).unwrap_or(0));
            Held {
                until: now.boottime.plus(left),
                since: now.boottime,
                key,
            }
        });
        self.held = held.collect();
        self.wipe(core, now);
    }

    /// Forgets those whose time is over, by the latest that it can be. Returns how many.
    pub(super) fn wipe(&mut self, core: Option<CoreTime>, now: Now) -> usize {
        let latest = latest(core, now.wall).unix_seconds();
        self.retain(|held| now.boottime < held.until && latest < held.key.wipe_at)
    }

    /// Forgets all at once when the venue switches search off, and what it has never switched on. Returns how
    /// many.
    pub(super) fn follow(&mut self, allowed: Option<bool>, now: Now) -> usize {
        let before = std::mem::replace(&mut self.allowed, allowed);
        match (before, allowed) {
            (Some(true), Some(false)) => self.retain(|_| false),
            (_, Some(false)) => self.retain(|held| now.boottime.since(held.since) < GRACE),
            (_, Some(true) | None) => 0,
        }
    }

    fn retain(&mut self, keep: impl FnMut(&Held) -> bool) -> usize {
        let before = self.held.len();
        self.held.retain(keep);
        before - self.held.len()
    }

    pub(super) fn list(&self) -> Vec<PerformanceKey> {
        self.held.iter().map(|held| held.key.clone()).collect()
    }
}

/// Before the core has answered, the wall clock is all there is.
fn latest(core: Option<CoreTime>, wall: WallTime) -> CoreTime {
    core.unwrap_or(CoreTime(wall.0))
}

#[cfg(test)]
mod tests {
    use eventify_protocol::{ids::PerformanceId, sync::HolderKey};
    use uuid::Uuid;

    use super::*;

    const WIPE_AT: i64 = 1_800_000_000;

    fn keys() -> HolderKeys {
        HolderKeys {
            keys: vec![PerformanceKey {
                performance: PerformanceId(Uuid::from_u128(1)),
                key: HolderKey::from_bytes([7; 32]),
                wipe_at: WIPE_AT,
            }],
        }
    }

    /// So many seconds before the end on each clock.
    fn now(boot: u64, wall: i64) -> Now {
        Now {
            boottime: BootTime(boot * 1_000_000_000),
            wall: WallTime((WIPE_AT - wall) * 1_000_000),
        }
    }

    fn core(before: i64) -> Option<CoreTime> {
        Some(CoreTime((WIPE_AT - before) * 1_000_000))
    }

    #[test]
    fn a_key_is_gone_by_the_first_clock_that_says_so() {
        for (core_later, later) in [
            // The core's, at the latest that it can stand.
            (core(0), now(1_000, 50_000)),
            // The machine's own, though core and wall clock were lost or set back.
            (None, now(1_100, 90_000)),
            // The wall clock's, where nothing else is known.
            (None, now(1_010, 0)),
        ] {
            let mut held = GuestKeys::default();
            held.replace(keys(), core(100), now(1_000, 100));
            assert_eq!(held.wipe(core(1), now(1_099, 100)), 0);
            assert_eq!(held.list().len(), 1);
            assert_eq!(held.wipe(core_later, later), 1);
            assert!(held.list().is_empty());
        }
    }

    #[test]
    fn a_key_that_comes_too_late_is_not_held_and_one_that_is_not_named_is_forgotten() {
        let mut held = GuestKeys::default();
        held.replace(keys(), core(-5), now(1_000, 100));
        assert!(held.list().is_empty());
        held.replace(keys(), core(100), now(1_000, 100));
        held.replace(HolderKeys { keys: vec![] }, core(99), now(1_001, 99));
        assert!(held.list().is_empty());
    }

    #[test]
    fn keys_go_at_once_when_search_is_switched_off_and_may_come_a_little_before_it_is_on() {
        let mut held = GuestKeys::default();
        held.follow(Some(false), now(1_000, 90_000));
        held.replace(keys(), core(50_000), now(1_000, 90_000));
        assert_eq!(held.follow(Some(false), now(1_050, 90_000)), 0);
        assert_eq!(held.follow(Some(true), now(1_055, 90_000)), 0);
        assert_eq!(held.follow(Some(false), now(1_056, 90_000)), 1);
        held.replace(keys(), core(50_000), now(1_060, 90_000));
        assert_eq!(
            held.follow(None, now(2_000, 90_000)),
            0,
            "no replica says so"
        );
        assert_eq!(held.follow(Some(false), now(2_000, 90_000)), 1);
    }
}
