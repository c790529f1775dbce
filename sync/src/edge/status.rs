//! What the machine shows of itself.

use std::time::Duration;

use eventify_protocol::verdict::Mode;

use super::{GateCounts, Machine, Now, Status};

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) admitted: u64,
    pub(super) refused: u64,
}

impl Machine {
    /// What `/v1/status` and the stream show.
    #[must_use]
    pub fn status(&self, now: Now) -> Status {
        let facts = self.facts(now);
        let ruling = facts.ruling();
        Status {
            mode: self.display(ruling.mode),
            reason: ruling.reason,
            cache_age: facts.age,
            limit: facts.limit,
            remaining: (ruling.mode == Mode::Degraded).then(|| {
                let age = facts.age.unwrap_or(Duration::MAX);
                facts.limit.saturating_sub(age)
            }),
            epoch: self.replica.epoch(),
            position: self.replica.applied(),
            digest: self.replica.digest(),
            head: self.replica.head(),
            journal: self.journal.head(),
            unacknowledged: self.journal.unacknowledged(),
            core_time: self.time.bounds(now),
            gates: self.gate_counts(),
        }
    }

    /// The mode as staff see it: on the way back from `Degraded` or `Locked` it is `Resyncing`.
    pub(super) fn display(&self, ruled: Mode) -> Mode {
        let back = self.link.is_returning() && !self.is_revoked();
        match ruled {
            Mode::Degraded | Mode::Locked if back => Mode::Resyncing,
            Mode::Online | Mode::Degraded | Mode::Locked | Mode::Resyncing => ruled,
        }
    }

    fn gate_counts(&self) -> Vec<GateCounts> {
        let gates = self
            .replica
            .node(self.node)
            .map_or(&[][..], |own| own.gates.as_slice());
        gates
            .iter()
            .map(|gate| {
                let counts = self.counts.get(gate).copied().unwrap_or_default();
                let name = self.replica.gate(*gate).map(|entry| entry.name.clone());
                GateCounts {
                    gate: *gate,
                    name: name.unwrap_or_else(|| gate.to_string()),
                    admitted: counts.admitted,
                    refused: counts.refused,
                }
            })
            .collect()
    }
}
