//! What ticketing publishes. Whatever changes a ticket carries its [`TicketFacts`], from which the
//! venues' feed is written.

use chrono::{DateTime, Utc};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{
    BucketId, CheckInId, GateId, IncarnationId, NodeId, OrderId, PerformanceId, ScanId, ScannerId,
    SeatId, TicketId, VenueId,
};
use eventify_protocol::token::CategoryCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A ticket as gates need it, after the change that is told. No personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketFacts {
    /// Which ticket.
    pub ticket_id: TicketId,
    /// Raised by every change; an older one never overwrites a newer.
    pub version: i32,
    /// Where it admits.
    pub venue_id: VenueId,
    /// To what it admits.
    pub performance_id: PerformanceId,
    /// The seat, if it is a numbered one.
    pub seat_id: Option<SeatId>,
    /// Its label, `A-12`.
    pub seat_label: Option<String>,
    /// The zone, if it is a place in one.
    pub bucket_id: Option<BucketId>,
    /// Category or zone code, as in the token.
    pub category: CategoryCode,
    /// SHA-256 of the one token that admits, hexadecimal.
    #[schemars(with = "String")]
    pub token_hash: Hash32,
    /// Admitted from, Unix seconds.
    pub not_before: i64,
    /// Admitted until, Unix seconds.
    pub expiry: i64,
    /// Whether it can still be used.
    pub state: TicketState,
}

/// Whether a ticket can still be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum TicketState {
    /// Not used yet, or its holder has left again.
    Valid,
    /// Refunded, cancelled or replaced.
    Revoked,
    /// Used, by the check-in of this scan.
    Used {
        /// The scan.
        scan_id: ScanId,
        /// Its gate.
        gate_id: GateId,
        /// Its time.
        at: DateTime<Utc>,
        /// Whether a journal has confirmed what was shown.
        confirmed: bool,
    },
}

/// `ticket.issued`: all tickets of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketIssued {
    /// The order.
    pub order_id: OrderId,
    /// Whose tickets they are.
    pub customer_id: Uuid,
    /// The tickets.
    pub tickets: Vec<TicketFacts>,
}

/// `ticket.issue.failed`: for good; the order is to be refunded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketIssueFailed {
    /// The order.
    pub order_id: OrderId,
    /// Stable code.
    pub reason: String,
}

/// `ticket.checked_in`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketCheckedIn {
    /// The check-in.
    pub check_in_id: CheckInId,
    /// Which ticket.
    pub ticket_id: TicketId,
    /// When.
    pub checked_in_at: DateTime<Utc>,
    /// The scanner, or the device that used the REST API.
    pub device_id: String,
    /// The ticket from now on.
    pub ticket: TicketFacts,
}

/// `ticket.check_in.changed`: confirmed, freed again, moved to another scan, or replaced by one
/// that was earlier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketCheckInChanged {
    /// Which ticket.
    pub ticket_id: TicketId,
    /// The ticket from now on.
    pub ticket: TicketFacts,
}

/// `ticket.revoked`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketRevoked {
    /// Which ticket.
    pub ticket_id: TicketId,
    /// Of which order.
    pub order_id: OrderId,
    /// `refund`, `fraud`, `event_cancelled`, …
    pub reason: String,
    /// The ticket from now on.
    pub ticket: TicketFacts,
}

/// `ticketing.keys.changed`: a new signed key set is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeysChanged {
    /// One for the whole system.
    pub key_set_id: Uuid,
    /// Version of the set.
    pub version: u64,
    /// The set, signed by the root key: base64url without padding.
    pub signed: String,
}

/// `ticketing.journal.applied`: what became of a batch of journal rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JournalApplied {
    /// Whose journal.
    pub node_id: NodeId,
    /// Which file.
    pub incarnation: IncarnationId,
    /// First row of the batch.
    pub from: u64,
    /// Last row of the batch.
    pub through: u64,
    /// One outcome for each row that is a decision.
    pub outcomes: Vec<RowOutcome>,
    /// Every ticket that was changed, as it is from now on.
    pub tickets: Vec<TicketFacts>,
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RowOutcome {
    /// The row.
    pub seq: u64,
    /// The report's class, `eventify_sync::core::reconcile`.
    pub class: String,
    /// The conflict that it caused, if it did.
    pub conflict_id: Option<Uuid>,
}

/// `checkin.conflict`: one ticket, one passage, two admissions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckInConflict {
    /// This conflict.
    pub conflict_id: Uuid,
    /// Which ticket.
    pub ticket_id: TicketId,
    /// Whether it can't be said who was first.
    pub order_unknown: bool,
    /// The admission that stands as the check-in.
    pub first: Admission,
    /// The other.
    pub second: Admission,
    /// It is none any more: one of both was never shown.
    #[serde(default)]
    pub dissolved: bool,
}

/// One admission, wherever it was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Admission {
    /// The scan.
    pub scan_id: ScanId,
    /// The gate.
    pub gate_id: GateId,
    /// The node; none for the REST API.
    pub node_id: Option<NodeId>,
    /// The scanner.
    pub scanner_id: Option<ScannerId>,
    /// Not before, in core time.
    pub earliest: DateTime<Utc>,
    /// Not after.
    pub latest: DateTime<Utc>,
    /// `core` or `edge`.
    pub decided_by: String,
    /// Feed position of the sync point that the node decided by.
    pub sync_position: Option<u64>,
    /// Time of truth of that sync point.
    pub sync_truth: Option<DateTime<Utc>>,
}

crate::domain_events! {
    TicketIssued: "ticket.issued" of order_id feeds venues;
    TicketIssueFailed: "ticket.issue.failed" of order_id;
    TicketCheckedIn: "ticket.checked_in" of ticket_id feeds venues;
    TicketCheckInChanged: "ticket.check_in.changed" of ticket_id feeds venues;
    TicketRevoked: "ticket.revoked" of ticket_id feeds venues;
    KeysChanged: "ticketing.keys.changed" of key_set_id feeds venues;
    JournalApplied: "ticketing.journal.applied" of node_id feeds venues;
    CheckInConflict: "checkin.conflict" of ticket_id;
}
