//! What a node can prove about time: the age of its cache and the core's clock (`ADMISSION` 1).
//!
//! An answered question is a [`TimeSample`]: it bounds the core's clock. It becomes a [`Proof`] of
//! the cache's age when the replica has applied the point's position and has the same digest there.
//! Ages are counted in boottime; the wall clock can only make a cache older or the node distrust its
//! clocks.

use std::{collections::VecDeque, time::Duration};

use eventify_protocol::{
    ids::BootId,
    sync::{Epoch, PointRef, Position},
    time::{
        BootTime, CoreInterval, CoreTime, DRIFT_BOUND_PPM, MAX_WATERMARK_AGE, WallTime, at_least,
        at_most,
    },
};

use super::{Now, SavedProof};

/// How far the two clocks may go apart before neither is trusted (`ADMISSION` 1.5).
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(2);

/// Samples that bound the core's clock together: each has its own delay, the best counts.
const MAX_SAMPLES: usize = 8;

/// An answer of the core to a question of this boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeSample {
    /// When the question was sent.
    pub(super) asked: Now,
    /// When the answer came.
    pub(super) at: BootTime,
    /// C.
    pub(super) core: CoreTime,
    /// T.
    pub(super) truth: CoreTime,
}

/// A sample whose position the replica has, with the same digest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proof {
    pub(super) sample: TimeSample,
    pub(super) epoch: Epoch,
    pub(super) position: Position,
}

#[derive(Debug)]
pub(super) struct Timekeeping {
    boot: BootId,
    /// Oldest first; all since the clocks were last trusted.
    samples: VecDeque<TimeSample>,
    proof: Option<Proof>,
    trusted: bool,
}

impl Timekeeping {
    /// A saved proof counts in the boot that it was made in, and only if the replica on disk holds
    /// its position.
    pub(super) fn new(
        boot: BootId,
        saved: Option<SavedProof>,
        replica: Option<(Epoch, Position)>,
    ) -> Self {
        let saved = saved.filter(|saved| saved.boot == boot);
        let proof = saved.map(Proof::from);
        let holds = |proof: &Proof| {
            replica
                .is_some_and(|(epoch, position)| epoch == proof.epoch && position >= proof.position)
        };
        Self {
            boot,
            samples: proof.iter().map(|proof| proof.sample).collect(),
            proof: proof.filter(holds),
            trusted: true,
        }
    }

    /// True when the clocks have just lost their trust.
    pub(super) fn check_clocks(&mut self, now: Now) -> bool {
        let suspicious = self
            .samples
            .back()
            .is_some_and(|newest| newest.contradicts(now));
        let lost = self.trusted && suspicious;
        if suspicious {
            self.trusted = false;
            // Until the core answers, no age counted so far is valid.
            self.proof = None;
            self.samples.drain(..self.samples.len().saturating_sub(1));
        }
        lost
    }

    /// From this answer on the clocks are trusted again, and it sets the floor.
    pub(super) fn insert_sample(&mut self, sample: TimeSample, now: Now) {
        if !self.trusted {
            self.samples.clear();
        }
        let agrees = match (self.bounds(now), bounds(&sample, now)) {
            (Some(old), new) => old.earliest <= new.latest && new.earliest <= old.latest,
            (None, _) => true,
        };
        if !agrees {
            // The core's own clock was set: only the newest sample has the clock that counts.
            self.samples.clear();
        }
        self.samples.push_back(sample);
        while self.samples.len() > MAX_SAMPLES {
            self.samples.pop_front();
        }
        self.trusted = !sample.contradicts(now);
    }

    /// Takes a proof that is younger than the present one; returns it in its stored form.
    pub(super) fn insert_proof(&mut self, proof: Proof) -> Option<SavedProof> {
        let is_younger = |old: &Proof| old.sample.asked.boottime < proof.sample.asked.boottime;
        if !self.trusted || !self.proof.as_ref().is_none_or(is_younger) {
            return None;
        }
        self.proof = Some(proof);
        Some(SavedProof {
            boot: self.boot,
            asked: proof.sample.asked,
            answered: proof.sample.at,
            epoch: proof.epoch,
            position: proof.position,
            truth: proof.sample.truth,
            core: proof.sample.core,
        })
    }

    /// The replica is another one.
    pub(super) fn delete_proof(&mut self) {
        self.proof = None;
    }

    pub(super) fn is_trusted(&self) -> bool {
        self.trusted
    }

    pub(super) fn has_answer(&self) -> bool {
        self.trusted && !self.samples.is_empty()
    }

    /// Age of the cache: an upper bound of the time since T (`ADMISSION` 1.2).
    pub(super) fn age(&self, now: Now) -> Option<Duration> {
        self.proof.filter(|_| self.trusted).map(|proof| {
            let sample = &proof.sample;
            at_most(sample.elapsed(now)) + sample.core.since(sample.truth) + MAX_WATERMARK_AGE
        })
    }

    /// When the age passes a limit, by boottime alone; zero if it has.
    pub(super) fn expires_at(&self, limit: Duration) -> Option<BootTime> {
        let proof = self.proof.filter(|_| self.trusted)?;
        let lag = proof.sample.core.since(proof.sample.truth) + MAX_WATERMARK_AGE;
        let Some(left) = limit.checked_sub(lag) else {
            return Some(BootTime(0));
        };
        let nanos = left.as_nanos() * 1_000_000 / u128::from(1_000_000 + DRIFT_BOUND_PPM);
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        // Rounding must not let the call come before the fact.
        let left = Duration::from_nanos(nanos) + Duration::from_micros(1);
        Some(proof.sample.asked.boottime.plus(left))
    }

    /// The interval in which the core's clock stands now.
    pub(super) fn bounds(&self, now: Now) -> Option<CoreInterval> {
        if !self.trusted {
            return None;
        }
        let spans = self.samples.iter().map(|sample| bounds(sample, now));
        spans.reduce(|a, b| CoreInterval {
            earliest: a.earliest.max(b.earliest),
            latest: a.latest.min(b.latest),
        })
    }

    pub(super) fn proven_point(&self) -> Option<PointRef> {
        self.proof.map(|proof| PointRef {
            epoch: proof.epoch,
            position: proof.position,
            truth: proof.sample.truth,
        })
    }
}

/// The watermark behind an answer may be older than the question by [`MAX_WATERMARK_AGE`], and is not
/// younger than the answer's arrival. A boottime that stood still shows in the wall clock alone, so
/// the late end uses the greater of both.
fn bounds(sample: &TimeSample, now: Now) -> CoreInterval {
    CoreInterval {
        earliest: sample.core.plus(at_least(now.boottime.since(sample.at))),
        latest: sample
            .core
            .plus(at_most(sample.elapsed(now)))
            .plus(MAX_WATERMARK_AGE),
    }
}

impl TimeSample {
    /// Time since the question was sent: the greater of both clocks' (`ADMISSION` 1.5).
    fn elapsed(&self, now: Now) -> Duration {
        now.boottime
            .since(self.asked.boottime)
            .max(wall_since(now.wall, self.asked.wall))
    }

    /// The clocks have gone apart since the question, or the wall clock is behind the floor.
    ///
    /// The floor is C. A wall clock that was behind C when the core answered is proven to be slow and
    /// gets its own reading as floor; otherwise a venue without a time server could never decide
    /// alone, although its boottime is good.
    fn contradicts(&self, now: Now) -> bool {
        if now.boottime < self.asked.boottime {
            return true;
        }
        let boottime = now.boottime.since(self.asked.boottime);
        let wall = i128::from(now.wall.0) - i128::from(self.asked.wall.0);
        let apart = (wall * 1_000 - i128::try_from(boottime.as_nanos()).unwrap_or(i128::MAX)).abs();
        let floor = self.core.0.min(self.asked.wall.0);
        apart > i128::try_from(MAX_CLOCK_DIFFERENCE.as_nanos()).unwrap_or(i128::MAX)
            || now.wall.0 < floor
    }
}

fn wall_since(now: WallTime, earlier: WallTime) -> Duration {
    Duration::from_micros(u64::try_from(now.0.saturating_sub(earlier.0)).unwrap_or(0))
}

impl From<SavedProof> for Proof {
    fn from(saved: SavedProof) -> Self {
        Self {
            sample: TimeSample {
                asked: saved.asked,
                at: saved.answered,
                core: saved.core,
                truth: saved.truth,
            },
            epoch: saved.epoch,
            position: saved.position,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const BOOT: BootId = BootId(Uuid::from_u128(1));
    const EPOCH: Epoch = Epoch {
        system: 1,
        timeline: 1,
    };

    fn now(boot_ms: u64, wall_ms: i64) -> Now {
        Now {
            boottime: BootTime(boot_ms * 1_000_000),
            wall: WallTime(wall_ms * 1_000),
        }
    }

    /// Both clocks at the same reading.
    fn at(ms: u64) -> Now {
        now(ms, i64::try_from(ms).unwrap())
    }

    fn core(ms: i64) -> CoreTime {
        CoreTime(ms * 1_000)
    }

    fn answer(asked: Now, came_ms: u64, truth_ms: i64, core_ms: i64) -> TimeSample {
        let came = BootTime(came_ms * 1_000_000);
        TimeSample {
            asked,
            at: came,
            core: core(core_ms),
            truth: core(truth_ms),
        }
    }

    fn prove(asked: Now) -> (Timekeeping, Option<SavedProof>) {
        let mut time = Timekeeping::new(BOOT, None, None);
        let sample = answer(asked, 10_100, 9_000, 10_000);
        time.insert_sample(sample, asked);
        let saved = time.insert_proof(Proof {
            sample,
            epoch: EPOCH,
            position: Position(5),
        });
        assert!(saved.is_some());
        (time, saved)
    }

    fn proven(asked: Now) -> Timekeeping {
        prove(asked).0
    }

    fn restart(saved: Option<SavedProof>, boot: BootId) -> Timekeeping {
        Timekeeping::new(boot, saved, Some((EPOCH, Position(5))))
    }

    #[test]
    fn age_counts_from_the_question_with_drift_lag_and_watermark() {
        let time = proven(at(10_000));
        // 100 s since the question, 0.1 s drift, T one second behind C, 250 ms watermark.
        let expected = Duration::from_millis(101_350) + Duration::from_nanos(1);
        assert_eq!(time.age(at(110_000)), Some(expected));
        assert_eq!(Timekeeping::new(BOOT, None, None).age(at(0)), None);
    }

    #[test]
    fn the_moment_when_a_limit_is_passed_is_known() {
        let time = proven(at(10_000));
        let limit = Duration::from_secs(20);
        let expiry = time.expires_at(limit).unwrap();
        let then = |boottime| Now {
            boottime,
            wall: WallTime(10_000_000),
        };
        assert!(time.age(then(expiry)).unwrap() > limit);
        assert!(
            time.age(then(expiry.minus(Duration::from_micros(10))))
                .unwrap()
                <= limit
        );
        assert_eq!(time.expires_at(Duration::ZERO), Some(BootTime(0)));
    }

    #[test]
    fn an_older_proof_never_replaces_a_younger_one() {
        let mut time = proven(at(10_000));
        let older = Proof {
            sample: answer(at(9_000), 12_000, 11_999, 12_000),
            epoch: EPOCH,
            position: Position(9),
        };
        assert_eq!(time.insert_proof(older), None);
    }

    #[test]
    fn age_survives_a_restart_and_takes_the_greater_of_both_clocks() {
        let saved = prove(at(10_000)).1;
        let mut time = restart(saved, BOOT);
        let later = now(20_000, 21_500);
        assert!(!time.check_clocks(later));
        let by_wall = Duration::from_micros(11_511_500) + Duration::from_millis(1_250);
        assert_eq!(time.age(later), Some(by_wall + Duration::from_nanos(1)));
    }

    #[test]
    fn another_boot_proves_nothing() {
        let saved = prove(at(10_000)).1;
        let time = restart(saved, BootId(Uuid::from_u128(2)));
        assert_eq!(
            (time.age(at(11_000)), time.bounds(at(11_000))),
            (None, None)
        );
    }

    #[test]
    fn a_proof_beyond_the_replica_on_disk_proves_no_age() {
        let saved = prove(at(10_000)).1;
        let time = Timekeeping::new(BOOT, saved, Some((EPOCH, Position(4))));
        assert_eq!(time.age(at(11_000)), None);
        assert!(
            time.bounds(at(11_000)).is_some(),
            "but the core's clock is known"
        );
    }

    #[test]
    fn clocks_apart_by_more_than_two_seconds_are_not_trusted_until_the_core_answers() {
        for jumped in [now(20_000, 22_001), now(20_000, 17_999)] {
            let mut time = proven(at(10_000));
            assert!(!time.check_clocks(now(20_000, 22_000)));
            assert!(time.check_clocks(jumped), "just lost");
            assert!(!time.check_clocks(at(20_100)), "going back does not help");
            assert_eq!((time.is_trusted(), time.age(at(20_100))), (false, None));
            time.insert_sample(answer(jumped, 20_200, 20_000, 20_000), jumped);
            assert!(time.is_trusted());
            assert!(!time.check_clocks(jumped));
        }
    }

    #[test]
    fn a_wall_clock_behind_the_floor_is_not_trusted_and_a_glitch_forward_does_not_stay() {
        let mut time = proven(now(10_000, 10_500));
        assert!(!time.check_clocks(now(10_100, 10_000)));
        assert!(time.check_clocks(now(10_100, 9_999)), "behind C");
        // The core's clock jumped a day forward, then was right again.
        let glitch = answer(at(20_000), 20_010, 86_400_000, 86_420_000);
        time.insert_sample(glitch, at(20_000));
        time.insert_sample(answer(at(22_000), 22_010, 22_000, 22_000), at(22_000));
        assert!(!time.check_clocks(at(22_100)));
        let bounds = time.bounds(at(22_010)).unwrap();
        assert_eq!(
            (bounds.earliest, bounds.latest.0 / 1_000),
            (core(22_000), 22_260)
        );
    }

    #[test]
    fn a_boottime_that_stood_still_widens_the_bounds_of_the_cores_clock() {
        let time = proven(at(10_000));
        let resumed = now(11_000, 12_500);
        let bounds = time.bounds(resumed).unwrap();
        assert!(bounds.earliest <= core(10_900), "{bounds:?}");
        assert!(bounds.latest >= core(12_500), "{bounds:?}");
    }

    #[test]
    fn a_slow_wall_clock_does_not_lock_a_node_that_the_core_has_answered() {
        let mut time = proven(now(10_000, 2_000));
        assert!(!time.check_clocks(now(20_000, 12_000)));
        assert!(time.check_clocks(now(20_000, 1_999)));
    }

    #[test]
    fn several_answers_bound_the_cores_clock_more_closely() {
        let mut time = Timekeeping::new(BOOT, None, None);
        time.insert_sample(answer(at(10_000), 10_200, 0, 10_000), at(10_200));
        time.insert_sample(answer(at(12_000), 12_020, 0, 11_800), at(12_020));
        let bounds = time.bounds(at(12_020)).unwrap();
        // The first sample bounds the late end more closely, the second one the early end.
        assert!(
            bounds.earliest >= core(11_818) && bounds.latest <= core(12_071),
            "{bounds:?}"
        );
    }
}
