//! The machine's words as the LAN API says them.

use std::time::Duration;

use eventify_protocol::{
    ids::{NodeId, VenueId},
    lan::{GateStatus, JournalStatus, NodeStatus, ReplicaStatus, ScanAnswer, StreamEvent},
    time::{CoreInterval, CoreTime},
};
use eventify_sync::edge::{Answer, GateCounts, Reason, Status};

use crate::SOFTWARE;

/// What the machine's status does not know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) node: NodeId,
    pub(super) venue: VenueId,
    pub(super) tickets: u64,
}

pub(super) fn scan_answer(answer: Answer) -> ScanAnswer {
    ScanAnswer {
        scan_id: answer.scan,
        verdict: answer.verdict,
        first_gate_name: answer.first_gate_name,
        mode: answer.mode,
        cache_age_ms: answer.cache_age.map(millis),
        max_cache_age_ms: millis(answer.limit),
        decided_by: answer.decided_by,
        repeated: answer.repeated,
    }
}

pub(super) fn node_status(status: &Status, facts: &Facts) -> NodeStatus {
    NodeStatus {
        node_id: facts.node,
        venue_id: facts.venue,
        software: SOFTWARE.to_owned(),
        mode: status.mode,
        reason: status.reason.map(reason),
        cache_age_ms: status.cache_age.map(millis),
        max_cache_age_ms: millis(status.limit),
        replica: ReplicaStatus {
            epoch: status.epoch,
            position: status.position,
            head: status.head,
            digest: status.digest,
            tickets: facts.tickets,
        },
        journal: JournalStatus {
            head: status.journal,
            unacknowledged: status.unacknowledged,
        },
        core_time: status.core_time.as_ref().map(middle),
        gates: status.gates.iter().map(gate).collect(),
    }
}

pub(super) fn mode_event(status: &Status) -> StreamEvent {
    StreamEvent::Mode {
        mode: status.mode,
        reason: status.reason.map(reason),
        cache_age_ms: status.cache_age.map(millis),
        max_cache_age_ms: millis(status.limit),
        remaining_ms: status.remaining.map(millis),
        unacknowledged: status.unacknowledged,
    }
}

pub(super) fn counts_event(gates: &[GateCounts]) -> StreamEvent {
    StreamEvent::Counts {
        gates: gates.iter().map(gate).collect(),
    }
}

fn gate(counts: &GateCounts) -> GateStatus {
    GateStatus {
        gate_id: counts.gate,
        name: counts.name.clone(),
        admitted: counts.admitted,
        refused: counts.refused,
    }
}

fn reason(reason: Reason) -> String {
    reason.code().to_owned()
}

/// Age rounded up: a cache is never shown younger than it is.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn middle(interval: &CoreInterval) -> CoreTime {
    interval
        .earliest
        .plus(interval.latest.since(interval.earliest) / 2)
}
