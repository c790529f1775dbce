//! The node's status for the LAN API and its streams: the countdown each second, changes at once.

use std::{sync::Arc, time::Duration};

use eventify_protocol::{
    ids::{NodeId, VenueId},
    lan::{
        GateStatus, JournalFault, JournalStatus, NodeStatus, ReplicaStatus, ScanAnswer, StreamEvent,
    },
    time::CoreInterval,
};
use eventify_sync::edge::{GateCounts, Reason, ScanOutcome, Status};
use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};

use super::venue_clocks::VenueClocks;
use crate::SOFTWARE;

/// Changes within this time are published together.
const DELAY: Duration = Duration::from_millis(50);

/// Publishes the status.
pub(super) struct StatusBoard {
    node: NodeId,
    venue: VenueId,
    latest: watch::Sender<Arc<NodeStatus>>,
    stream: broadcast::Sender<StreamEvent>,
    published: Option<Status>,
    due: Option<Instant>,
    clocks: VenueClocks,
}

impl StatusBoard {
    pub(super) fn new(
        (node, venue): (NodeId, VenueId),
        latest: watch::Sender<Arc<NodeStatus>>,
        stream: broadcast::Sender<StreamEvent>,
        clocks: VenueClocks,
    ) -> Self {
        Self {
            node,
            venue,
            latest,
            stream,
            published: None,
            due: None,
            clocks,
        }
    }

    pub(super) fn schedule(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + DELAY);
    }

    pub(super) fn set_time_zone(&mut self, name: String) {
        if self.clocks.set(name) {
            self.schedule();
        }
    }

    /// When the next change is to be published.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn node_status(
        &self,
        status: &Status,
        stored: (u64, Option<JournalFault>),
    ) -> NodeStatus {
        let zone = self.clocks.zone();
        node_status((self.node, self.venue), status, stored, zone)
    }

    pub(super) fn publish(&mut self, status: Status, stored: (u64, Option<JournalFault>)) {
        self.due = None;
        let latest = Arc::new(self.node_status(&status, stored));
        self.latest.send_replace(latest);
        let before = self.published.as_ref();
        if self.stream.receiver_count() > 0 {
            // A listener that has just left is no error.
            drop(self.stream.send(mode_event(&status)));
            if before.is_none_or(|before| before.gates != status.gates) {
                drop(self.stream.send(counts_event(&status.gates)));
            }
        }
        if before.is_none_or(|before| (before.mode, before.reason) != (status.mode, status.reason))
        {
            tracing::info!(
                code = "node.mode_changed",
                mode = ?status.mode,
                reason = status.reason.map_or("", Reason::code),
                "the node's mode has changed"
            );
        }
        self.published = Some(status);
    }
}

pub(super) fn scan_answer(outcome: ScanOutcome) -> ScanAnswer {
    ScanAnswer {
        scan_id: outcome.scan,
        verdict: outcome.verdict,
        ticket: outcome.shown.ticket,
        first_gate_name: outcome.shown.first_gate_name,
        first_ago_ms: outcome.shown.first_ago.map(millis),
        read_again_ms: outcome.shown.read_again.map(millis),
        admitting_gates: outcome.shown.admitting_gates,
        mode: outcome.mode,
        cache_age_ms: outcome.cache_age.map(millis),
        max_cache_age_ms: millis(outcome.limit),
        decided_by: outcome.decided_by,
        repeated: outcome.repeated,
    }
}

pub(super) fn node_status(
    (node_id, venue_id): (NodeId, VenueId),
    status: &Status,
    (tickets, fault): (u64, Option<JournalFault>),
    time_zone: Option<&str>,
) -> NodeStatus {
    NodeStatus {
        node_id,
        venue_id,
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
            tickets,
        },
        journal: JournalStatus {
            head: status.journal,
            unacknowledged: status.unacknowledged,
            fault,
        },
        core_time: status.core_time.as_ref().map(CoreInterval::middle),
        gates: status.gates.iter().map(gate).collect(),
        performances: status.performances.clone(),
        procedure: status.procedure.clone(),
        time_zone: time_zone.map(str::to_owned),
    }
}

fn mode_event(status: &Status) -> StreamEvent {
    StreamEvent::Mode {
        mode: status.mode,
        reason: status.reason.map(reason),
        cache_age_ms: status.cache_age.map(millis),
        max_cache_age_ms: millis(status.limit),
        remaining_ms: status.remaining.map(millis),
        unacknowledged: status.unacknowledged,
    }
}

fn counts_event(gates: &[GateCounts]) -> StreamEvent {
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
        unreadable: counts.unreadable,
        left: counts.left,
    }
}

fn reason(reason: Reason) -> String {
    reason.code().to_owned()
}

/// Rounded up: a cache is never shown younger than it is.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
