//! How fast it goes at this scanner.

use std::{collections::VecDeque, time::Duration};

use eventify_protocol::{lan::GateStatus, time::BootTime};

use crate::view::{CHECKING_AFTER_MS, Counts};

const MINUTE: Duration = Duration::from_secs(60);
/// Medians are of so many scans.
const SAMPLES: usize = 20;
/// More scans than that in a minute are not counted: nobody scans ten times a second.
const MAX_PER_MINUTE: usize = 600;
/// A longer time between two scans is a pause of the queue, not of the gate.
const MAX_BETWEEN: Duration = Duration::from_secs(120);

#[derive(Debug, Default)]
pub(super) struct Tally {
    verdicts: VecDeque<BootTime>,
    answers: VecDeque<Duration>,
    between: VecDeque<Duration>,
    last_trigger: Option<BootTime>,
    waited: Duration,
}

impl Tally {
    pub(super) fn triggered(&mut self, now: BootTime) {
        if let Some(last) = self.last_trigger.replace(now) {
            let between = now.since(last);
            if between <= MAX_BETWEEN {
                push(&mut self.between, between);
            }
        }
    }

    /// A verdict came, so long after its trigger.
    pub(super) fn answered(&mut self, after: Duration, now: BootTime) {
        push(&mut self.answers, after);
        let free = Duration::from_millis(u64::from(CHECKING_AFTER_MS));
        self.waited = self.waited.saturating_add(after.saturating_sub(free));
        self.verdicts.retain(|at| now.since(*at) < MINUTE);
        self.verdicts.push_back(now);
        if self.verdicts.len() > MAX_PER_MINUTE {
            self.verdicts.pop_front();
        }
    }

    /// The last answer let the person wait.
    pub(super) fn is_slow(&self) -> bool {
        self.answers
            .back()
            .is_some_and(|last| last.as_millis() >= u128::from(CHECKING_AFTER_MS))
    }

    /// With the node's counts of this gate, and when they came.
    pub(super) fn view(&self, gate: &GateStatus, as_of_ms: u64, now: BootTime) -> Counts {
        let recent = self.verdicts.iter().filter(|at| now.since(**at) < MINUTE);
        Counts {
            admitted: gate.admitted,
            refused: gate.refused,
            per_minute: u32::try_from(recent.count()).unwrap_or(u32::MAX),
            answer_ms: median(&self.answers),
            between_ms: median(&self.between),
            waited_ms: u64::try_from(self.waited.as_millis()).unwrap_or(u64::MAX),
            as_of_ms: Some(as_of_ms),
        }
    }
}

fn push(samples: &mut VecDeque<Duration>, sample: Duration) {
    if samples.len() == SAMPLES {
        samples.pop_front();
    }
    samples.push_back(sample);
}

fn median(samples: &VecDeque<Duration>) -> Option<u32> {
    let mut sorted: Vec<_> = samples.iter().copied().collect();
    sorted.sort();
    sorted
        .get(sorted.len() / 2)
        .map(|middle| super::ms32(*middle))
}
