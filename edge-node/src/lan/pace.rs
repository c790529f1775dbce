//! How fast the gates are: when scans came, and how long each waited for its answer.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use eventify_protocol::{
    ids::GateId,
    lan::{FLOW_WINDOW_MS, UNHURRIED_MS},
    time::BootTime,
};

const WINDOW: Duration = Duration::from_millis(FLOW_WINDOW_MS);
const UNHURRIED: Duration = Duration::from_millis(UNHURRIED_MS);
const MINUTE: Duration = Duration::from_secs(60);
/// Scans of a gate that are kept: 13 a second over the whole window.
const MAX_SCANS: usize = 4_096;
/// Before its first replica a node does not know its gates, and takes what scanners name.
const MAX_GATES: usize = 256;

/// Of each gate that was scanned at.
#[derive(Debug, Default)]
pub(crate) struct Paces(BTreeMap<GateId, Gate>);

#[derive(Debug, Default)]
struct Gate {
    /// In the order of their answers.
    scans: VecDeque<Scan>,
    waited: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Scan {
    arrived: BootTime,
    took: Duration,
}

/// A gate's pace now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) last_minute: u32,
    /// None of fewer than three scans.
    pub(crate) between: Option<Duration>,
    pub(crate) answer: Option<Duration>,
    /// Beyond what keeps nobody waiting, since the start.
    pub(crate) waited: Duration,
}

impl Paces {
    /// A scan is answered.
    pub(crate) fn answered(&mut self, gate: GateId, arrived: BootTime, now: BootTime) {
        if self.0.len() >= MAX_GATES && !self.0.contains_key(&gate) {
            return;
        }
        let gate = self.0.entry(gate).or_default();
        gate.forget_before(now.minus(WINDOW));
        if gate.scans.len() >= MAX_SCANS {
            gate.scans.pop_front();
        }
        let took = now.since(arrived);
        gate.waited += took.saturating_sub(UNHURRIED);
        gate.scans.push_back(Scan { arrived, took });
    }

    pub(crate) fn of(&self, gate: GateId, now: BootTime) -> Pace {
        let Some(gate) = self.0.get(&gate) else {
            return Pace::default();
        };
        let since = now.minus(WINDOW);
        let recent = gate.scans.iter().filter(|scan| scan.arrived >= since);
        let mut arrived: Vec<_> = recent.clone().map(|scan| scan.arrived).collect();
        arrived.sort_unstable();
        let minute = now.minus(MINUTE);
        let last_minute = arrived.iter().filter(|at| **at >= minute).count();
        let between = arrived.windows(2).map(|pair| pair[1].since(pair[0]));
        let between = median(between.collect());
        Pace {
            last_minute: u32::try_from(last_minute).unwrap_or(u32::MAX),
            between: between.filter(|_| arrived.len() > 2),
            answer: median(recent.map(|scan| scan.took).collect()),
            waited: gate.waited,
        }
    }
}

impl Gate {
    fn forget_before(&mut self, since: BootTime) {
        while self.scans.front().is_some_and(|scan| scan.arrived < since) {
            self.scans.pop_front();
        }
    }
}

/// Of an even number the upper one: nothing is shown faster than it was.
fn median(mut all: Vec<Duration>) -> Option<Duration> {
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NORTH: GateId = GateId(Uuid::from_u128(1));

    fn at(ms: u64) -> BootTime {
        BootTime(1_000_000_000_000).plus(Duration::from_millis(ms))
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_gate_s_pace_is_that_of_its_last_minutes() {
        let mut paces = Paces::default();
        assert_eq!(paces.of(NORTH, at(0)), Pace::default());
        for (arrived, took) in [(0, 20), (200_000, 650), (203_000, 30)] {
            paces.answered(NORTH, at(arrived), at(arrived + took));
        }
        let pace = paces.of(NORTH, at(204_000));
        let expected = Pace {
            last_minute: 2,
            between: Some(ms(200_000)),
            answer: Some(ms(30)),
            waited: ms(500),
        };
        assert_eq!(pace, expected);
        // The first one is forgotten, and two scans have no pace; what was lost stays lost.
        let later = paces.of(NORTH, at(400_000));
        let expected = Pace {
            last_minute: 0,
            between: None,
            answer: Some(ms(650)),
            waited: ms(500),
        };
        assert_eq!(later, expected);
    }

    #[test]
    fn scans_that_are_answered_in_another_order_are_counted_in_theirs() {
        let mut paces = Paces::default();
        for (arrived, answered) in [(1_000, 1_010), (3_000, 3_010), (2_000, 3_500)] {
            paces.answered(NORTH, at(arrived), at(answered));
        }
        assert_eq!(paces.of(NORTH, at(4_000)).between, Some(ms(1_000)));
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut paces = Paces::default();
        for number in 0..MAX_SCANS as u64 + 10 {
            paces.answered(NORTH, at(number), at(number));
        }
        assert_eq!(paces.0[&NORTH].scans.len(), MAX_SCANS);
        for gate in 0..MAX_GATES as u128 + 10 {
            paces.answered(GateId(Uuid::from_u128(gate)), at(9_000), at(9_000));
        }
        assert_eq!(paces.0.len(), MAX_GATES);
    }
}
