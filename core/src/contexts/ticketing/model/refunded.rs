//! A guest was let in by a gate without connection, and the money goes back.

use std::collections::BTreeMap;

use eventify_contracts::ticketing::RefundedAdmitted;
use eventify_protocol::ids::ScanId;
use eventify_protocol::verdict::DecidedBy;
use eventify_sync::core::{AdmissionState, CheckIn, ConflictKind};

use super::conflicts::admission;
use super::scans::StoredScan;
use super::tickets::Ticket;

/// One entry of a ticket that is suspended or revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RefundedEntry {
    pub(crate) entry: CheckIn,
    order_unknown: bool,
}

impl RefundedEntry {
    /// The entry of a scan, if it is one of the ticket's.
    pub(crate) fn of(state: &AdmissionState, scan: ScanId) -> Option<Self> {
        Self::all(state).find(|it| it.entry.scan == scan)
    }

    /// The check-in first, then those beside it.
    fn all(state: &AdmissionState) -> impl Iterator<Item = Self> {
        let check_in = state.check_in.map(|entry| Self {
            entry,
            order_unknown: state.order_unknown(),
        });
        let others = state.conflicts.iter().map(|it| Self {
            entry: it.entry,
            order_unknown: it.kind == ConflictKind::OrderUnknown,
        });
        check_in.into_iter().chain(others)
    }
}

/// The first entry that a gate decided alone. What the core decided it knew when the refund was asked
/// for: who pays back then does so knowingly.
pub(crate) fn alone(
    state: &AdmissionState,
    scans: &BTreeMap<ScanId, StoredScan>,
) -> Option<RefundedEntry> {
    let by_edge = |it: &RefundedEntry| {
        let scan = scans.get(&it.entry.scan);
        it.entry.is_override() || scan.is_some_and(|scan| scan.decided_by == DecidedBy::Edge)
    };
    RefundedEntry::all(state).find(by_edge)
}

/// Somebody was admitted with a ticket that is suspended or revoked; `dissolved`: not any more.
pub(crate) fn refunded_admitted(
    ticket: &Ticket,
    found: &RefundedEntry,
    scan: Option<&StoredScan>,
    dissolved: bool,
) -> RefundedAdmitted {
    RefundedAdmitted {
        ticket_id: ticket.id,
        order_id: ticket.order_id,
        venue_id: ticket.venue_id,
        performance_id: ticket.performance_id,
        seat_label: ticket.seat_label.clone(),
        zone: ticket.zone.clone(),
        amount: ticket.unit_price,
        refund_id: ticket.refund,
        revoked: ticket.revoked.clone(),
        admission: admission(&found.entry, scan, found.order_unknown),
        dissolved,
    }
}
