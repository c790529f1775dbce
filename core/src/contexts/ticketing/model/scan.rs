//! What the core holds of a scan, and what it looks at when it decides one.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{GateId, NodeId, ScanId, TicketId, VenueId};
use eventify_protocol::sync::{Epoch, GateEntry};
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::DecidedBy;
use eventify_sync::core::{CheckIn, Conflict, ScanRecord};
use uuid::Uuid;

use super::ticket::{Ticket, date};
use eventify_contracts::ticketing::Admission;

/// One scan id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    pub(crate) id: ScanId,
    pub(crate) record: ScanRecord,
    /// When the core gave its own verdict.
    pub(crate) own_at: Option<DateTime<Utc>>,
    pub(crate) ticket: Option<TicketId>,
    /// None for the REST API.
    pub(crate) node: Option<NodeId>,
    /// As the caller of the REST API names it.
    pub(crate) device: Option<String>,
    /// By whom what stands was decided.
    pub(crate) decided_by: DecidedBy,
    /// Feed position and truth of the sync point that a node decided by.
    pub(crate) point: Option<(i64, CoreTime)>,
    pub(crate) created_at: DateTime<Utc>,
}

/// A gate, with its venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) venue: VenueId,
    pub(crate) entry: GateEntry,
}

/// A node that was enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) venue: VenueId,
    pub(crate) gates: Vec<GateId>,
    pub(crate) revoked: bool,
}

/// All that a decision needs, read after the ticket's row lock was taken.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    /// The primary's clock.
    pub(crate) now: CoreTime,
    /// The database that it was read from.
    pub(crate) epoch: Epoch,
    /// Version of the key set in force.
    pub(crate) keys: Option<u64>,
    pub(crate) node: Option<Node>,
    pub(crate) gate: Option<Gate>,
    pub(crate) scan: Option<Scan>,
    pub(crate) ticket: Option<Ticket>,
    /// The conflicting entry of this scan.
    pub(crate) conflict: Option<Conflict>,
}

impl Sight {
    /// The gate, if it belongs to the ticket's venue and, where a node asks, to that node.
    pub(crate) fn gate_for(&self, id: GateId, asked_by_node: bool) -> Option<&GateEntry> {
        let gate = self.gate.as_ref()?;
        let of_ticket = self
            .ticket
            .as_ref()
            .is_none_or(|ticket| ticket.venue_id == gate.venue);
        let of_node = !asked_by_node || self.is_nodes_gate(id);
        (of_ticket && of_node).then_some(&gate.entry)
    }

    /// Whether the gate is one of the asking node's.
    pub(crate) fn is_nodes_gate(&self, id: GateId) -> bool {
        let (Some(gate), Some(node)) = (&self.gate, &self.node) else {
            return false;
        };
        node.venue == gate.venue && node.gates.contains(&id)
    }
}

/// A conflict as it was told last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownConflict {
    pub(crate) id: Uuid,
    pub(crate) ticket: TicketId,
    pub(crate) passage: i32,
    pub(crate) conflict: Conflict,
    pub(crate) first: Admission,
    pub(crate) second: Admission,
    pub(crate) version: i32,
}

/// An entry with what its scan says of it, as if it stood alone.
pub(crate) fn admission(entry: &CheckIn, scan: Option<&Scan>) -> Admission {
    let decided_by = scan.map_or(DecidedBy::Core, |scan| scan.decided_by);
    let point = scan.and_then(|scan| scan.point);
    Admission {
        scan_id: entry.scan,
        gate_id: entry.gate,
        node_id: entry.node,
        scanner_id: scan.map(|scan| scan.record.scanner),
        earliest: date(entry.at.earliest),
        latest: date(entry.at.latest),
        decided_by: match decided_by {
            DecidedBy::Core => "core".to_owned(),
            DecidedBy::Edge => "edge".to_owned(),
        },
        sync_position: point.and_then(|(position, _)| u64::try_from(position).ok()),
        sync_truth: point.map(|(_, truth)| date(truth)),
        order_unknown: false,
    }
}
