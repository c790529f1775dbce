//! Two admissions in one passage of a ticket, as people hear of them.

use eventify_contracts::ticketing::{Admission, CheckInConflict};
use eventify_protocol::ids::TicketId;
use eventify_protocol::verdict::DecidedBy;
use eventify_sync::core::{CheckIn, Conflict, ConflictKind};
use uuid::Uuid;

use super::scans::StoredScan;
use super::tickets::date;

/// A conflict as it was last published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublishedConflict {
    pub(crate) id: Uuid,
    pub(crate) ticket: TicketId,
    pub(crate) passage: i32,
    pub(crate) conflict: Conflict,
    pub(crate) first: Admission,
    pub(crate) second: Admission,
    pub(crate) version: i32,
}

impl PublishedConflict {
    pub(super) fn next_version(self) -> Self {
        Self {
            version: self.version + 1,
            ..self
        }
    }

    /// `dissolved`: it is no conflict any more.
    pub(crate) fn event(&self, dissolved: bool) -> CheckInConflict {
        CheckInConflict {
            conflict_id: self.id,
            ticket_id: self.ticket,
            order_unknown: self.conflict.kind == ConflictKind::OrderUnknown,
            first: self.first.clone(),
            second: self.second.clone(),
            dissolved,
        }
    }
}

/// An entry with the details of its scan.
pub(super) fn admission(
    entry: &CheckIn,
    scan: Option<&StoredScan>,
    order_unknown: bool,
) -> Admission {
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
        order_unknown,
    }
}
