//! What a node can prove about time: the age of its cache and the core's clock (`ADMISSION` 1).
//!
//! An [`Answered`] question bounds the core's clock. It becomes a [`Proof`] of the cache's age when
//! the replica has applied the point's position and the digests agree there. All counting is done
//! in boottime; the wall clock can only make a cache older or the node mistrust its clocks.

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

/// Answers that bound the core's clock together: each has its own delay, the best counts.
const MAX_ANSWERS: usize = 8;

/// An answer of the core to a question of this boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    /// Both clocks when the question was sent.
    pub(super) asked: Now,
    /// Boottime when the answer came.
    pub(super) at: BootTime,
    /// C.
    pub(super) core: CoreTime,
    /// T.
    pub(super) truth: CoreTime,
}

/// An answer that the replica is known to agree with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proof {
    pub(super) answered: Answered,
    pub(super) epoch: Epoch,
    pub(super) position: Position,
}

/// The node's knowledge of time.
#[derive(Debug)]
pub(super) struct Timekeeping {
    boot: BootId,
    /// Oldest first; all since the clocks were last trusted.
    answers: VecDeque<Answered>,
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
            answers: proof.iter().map(|proof| proof.answered).collect(),
            proof: proof.filter(holds),
            trusted: true,
        }
    }

    /// Looks at the clocks; true when trust has just been lost.
    pub(super) fn observe(&mut self, now: Now) -> bool {
        let suspicious = self
            .answers
            .back()
            .is_some_and(|newest| newest.contradicts(now));
        let lost = self.trusted && suspicious;
        if suspicious {
            self.trusted = false;
            // Until the core answers, nothing counted so far can be believed.
            self.proof = None;
            self.answers.drain(..self.answers.len().saturating_sub(1));
        }
        lost
    }

    /// Takes an answer: the clocks are trusted from there on, and the floor is set anew.
    pub(super) fn answered(&mut self, answer: Answered, now: Now) {
        if !self.trusted {
            self.answers.clear();
        }
        let agrees = match (self.bounds(now), bounds(&answer, now)) {
            (Some(held), new) => held.earliest <= new.latest && new.earliest <= held.latest,
            (None, _) => true,
        };
        if !agrees {
            // The core's own clock was set: only the newest answer speaks of the clock that counts.
            self.answers.clear();
        }
        self.answers.push_back(answer);
        while self.answers.len() > MAX_ANSWERS {
            self.answers.pop_front();
        }
        self.trusted = !answer.contradicts(now);
    }

    /// Takes a proof if it is younger than the one held; true if it was taken.
    pub(super) fn prove(&mut self, proof: Proof) -> bool {
        let younger = |held: &Proof| held.answered.asked.boottime < proof.answered.asked.boottime;
        let taken = self.trusted && self.proof.as_ref().is_none_or(younger);
        if taken {
            self.proof = Some(proof);
        }
        taken
    }

    /// Nothing is proven any more: the replica is another one.
    pub(super) fn forget_proof(&mut self) {
        self.proof = None;
    }

    pub(super) fn is_trusted(&self) -> bool {
        self.trusted
    }

    pub(super) fn has_answer(&self) -> bool {
        self.trusted && !self.answers.is_empty()
    }

    /// Age of the cache: an upper bound of the time since T (`ADMISSION` 1.2).
    pub(super) fn age(&self, now: Now) -> Option<Duration> {
        self.proof.filter(|_| self.trusted).map(|proof| {
            let answered = &proof.answered;
            at_most(answered.elapsed(now)) + answered.core.since(answered.truth) + MAX_WATERMARK_AGE
        })
    }

    /// When the age passes a limit, by boottime alone; zero if it has.
    pub(super) fn passes(&self, limit: Duration) -> Option<BootTime> {
        let proof = self.proof.filter(|_| self.trusted)?;
        let lag = proof.answered.core.since(proof.answered.truth) + MAX_WATERMARK_AGE;
        let Some(left) = limit.checked_sub(lag) else {
            return Some(BootTime(0));
        };
        let nanos = left.as_nanos() * 1_000_000 / u128::from(1_000_000 + DRIFT_BOUND_PPM);
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        // Rounding must not let the call come before the fact.
        let left = Duration::from_nanos(nanos) + Duration::from_micros(1);
        Some(proof.answered.asked.boottime.plus(left))
    }

    /// The span in which the core's clock stands now.
    pub(super) fn bounds(&self, now: Now) -> Option<CoreInterval> {
        if !self.trusted {
            return None;
        }
        let spans = self.answers.iter().map(|answer| bounds(answer, now));
        spans.reduce(|a, b| CoreInterval {
            earliest: a.earliest.max(b.earliest),
            latest: a.latest.min(b.latest),
        })
    }

    pub(super) fn point(&self) -> Option<PointRef> {
        self.proof.map(|proof| PointRef {
            epoch: proof.epoch,
            position: proof.position,
            truth: proof.answered.truth,
        })
    }

    /// The proof, for a restart.
    pub(super) fn saved(&self) -> Option<SavedProof> {
        self.proof.map(|proof| SavedProof {
            boot: self.boot,
            asked: proof.answered.asked,
            answered: proof.answered.at,
            epoch: proof.epoch,
            position: proof.position,
            truth: proof.answered.truth,
            core: proof.answered.core,
        })
    }
}

/// The answer was read from a watermark that may be older than the question by
/// [`MAX_WATERMARK_AGE`], and not younger than its arrival. A boottime that stood still shows in the
/// wall clock alone, so the late end goes by the greater of both.
fn bounds(answer: &Answered, now: Now) -> CoreInterval {
    CoreInterval {
        earliest: answer.core.plus(at_least(now.boottime.since(answer.at))),
        latest: answer
            .core
            .plus(at_most(answer.elapsed(now)))
            .plus(MAX_WATERMARK_AGE),
    }
}

impl Answered {
    /// Time since the question was sent: the greater of both clocks' (`ADMISSION` 1.5).
    fn elapsed(&self, now: Now) -> Duration {
        now.boottime
            .since(self.asked.boottime)
            .max(wall_since(now.wall, self.asked.wall))
    }

    /// The clocks have gone apart since the question, or the wall clock stands behind the floor.
    ///
    /// The floor is C. A wall clock that was behind it when the core answered has been proven to
    /// be slow and gets its own reading as floor; else a venue without a time server could never
    /// decide alone, although its boottime is good.
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
            answered: Answered {
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

    fn answer(asked: Now, came_ms: u64, truth_ms: i64, core_ms: i64) -> Answered {
        let came = BootTime(came_ms * 1_000_000);
        Answered {
            asked,
            at: came,
            core: core(core_ms),
            truth: core(truth_ms),
        }
    }

    fn proven(asked: Now) -> Timekeeping {
        let mut time = Timekeeping::new(BOOT, None, None);
        let answered = answer(asked, 10_100, 9_000, 10_000);
        time.answered(answered, asked);
        assert!(time.prove(Proof {
            answered,
            epoch: EPOCH,
            position: Position(5)
        }));
        time
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
        let passes = time.passes(limit).unwrap();
        let then = |boottime| Now {
            boottime,
            wall: WallTime(10_000_000),
        };
        assert!(time.age(then(passes)).unwrap() > limit);
        assert!(
            time.age(then(passes.minus(Duration::from_micros(10))))
                .unwrap()
                <= limit
        );
        assert_eq!(time.passes(Duration::ZERO), Some(BootTime(0)));
    }

    #[test]
    fn an_older_proof_never_replaces_a_younger_one() {
        let mut time = proven(at(10_000));
        let answered = answer(at(9_000), 12_000, 11_999, 12_000);
        assert!(!time.prove(Proof {
            answered,
            epoch: EPOCH,
            position: Position(9)
        }));
    }

    #[test]
    fn age_survives_a_restart_and_takes_the_greater_of_both_clocks() {
        let saved = proven(at(10_000)).saved();
        let mut time = restart(saved, BOOT);
        let later = now(20_000, 21_500);
        assert!(!time.observe(later));
        let by_wall = Duration::from_micros(11_511_500) + Duration::from_millis(1_250);
        assert_eq!(time.age(later), Some(by_wall + Duration::from_nanos(1)));
    }

    #[test]
    fn another_boot_proves_nothing() {
        let saved = proven(at(10_000)).saved();
        let time = restart(saved, BootId(Uuid::from_u128(2)));
        assert_eq!(
            (time.age(at(11_000)), time.bounds(at(11_000))),
            (None, None)
        );
    }

    #[test]
    fn a_proof_beyond_the_replica_on_disk_proves_no_age() {
        let saved = proven(at(10_000)).saved();
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
            assert!(!time.observe(now(20_000, 22_000)));
            assert!(time.observe(jumped), "just lost");
            assert!(!time.observe(at(20_100)), "going back does not help");
            assert_eq!((time.is_trusted(), time.age(at(20_100))), (false, None));
            time.answered(answer(jumped, 20_200, 20_000, 20_000), jumped);
            assert!(time.is_trusted());
            assert!(!time.observe(jumped));
        }
    }

    #[test]
    fn a_wall_clock_behind_the_floor_is_not_trusted_and_a_glitch_forward_does_not_stay() {
        let mut time = proven(now(10_000, 10_500));
        assert!(!time.observe(now(10_100, 10_000)));
        assert!(time.observe(now(10_100, 9_999)), "behind C");
        // The core's clock glitched a day forward, then told the right time again.
        let glitch = answer(at(20_000), 20_010, 86_400_000, 86_420_000);
        time.answered(glitch, at(20_000));
        time.answered(answer(at(22_000), 22_010, 22_000, 22_000), at(22_000));
        assert!(!time.observe(at(22_100)));
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
        assert!(!time.observe(now(20_000, 12_000)));
        assert!(time.observe(now(20_000, 1_999)));
    }

    #[test]
    fn several_answers_bound_the_cores_clock_more_closely() {
        let mut time = Timekeeping::new(BOOT, None, None);
        time.answered(answer(at(10_000), 10_200, 0, 10_000), at(10_200));
        time.answered(answer(at(12_000), 12_020, 0, 11_800), at(12_020));
        let bounds = time.bounds(at(12_020)).unwrap();
        // The first is surer of the late end than the second one's watermark allows, and so on.
        assert!(
            bounds.earliest >= core(11_818) && bounds.latest <= core(12_071),
            "{bounds:?}"
        );
    }
}
