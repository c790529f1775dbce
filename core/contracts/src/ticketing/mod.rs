//! What ticketing publishes. Whatever changes a ticket carries its [`TicketFacts`], from which the
//! venues' feed is written.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{
    BucketId, CheckInId, GateId, IncarnationId, NodeId, OrderId, PerformanceId, ScanId, ScannerId,
    SeatId, TicketId, VenueId,
};
use eventify_protocol::short_code::CodeTag;
use eventify_protocol::sync::{
    self, FeedEntry, Subject, TicketEntry, UsedBy, Value, short_seat, short_zone,
};
use eventify_protocol::time::CoreTime;
use eventify_protocol::token::{CategoryCode, TokenHash};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

mod refunds;
mod statements;
#[cfg(test)]
mod tests;

pub use refunds::{
    Guest, KeptBack, NotGood, NotSuspended, RefundedAdmitted, TicketsReinstated, TicketsSuspended,
};
pub use statements::{
    StatedTicket, TicketRange, TicketSum, TicketsRestated, TicketsStated, UnknownTicket,
};

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
    /// The zone's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// By which gates find its short code; none while it has no code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_tag: Option<CodeTag>,
    /// Category or zone code, as in the token.
    pub category: CategoryCode,
    /// SHA-256 of the one token that admits, hexadecimal.
    #[schemars(with = "String")]
    pub token_hash: Hash32,
    /// The token's outer bound, Unix seconds; when the ticket admits is its performance's.
    pub not_before: i64,
    /// The token's outer bound, Unix seconds.
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
    /// Being refunded: good for nobody, and perhaps good again.
    Suspended,
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
    /// Why a supervisor let in outside of the performance's times, in the supervisor's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The gate decided alone, and its journal told it later. The venue's feed has the ticket from
    /// `ticketing.journal.applied`, for which the gate waits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_journal: bool,
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
    /// Why its place is not sold again before somebody releases it; none: it is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_back: Option<KeptBack>,
    /// Who was admitted with it, if somebody was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Guest>,
    /// Since when gates may have admitted to its performance; none: they don't yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates_since: Option<DateTime<Utc>>,
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
    /// Every ticket that was changed or let somebody in, as it is from now on.
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
    /// Whether it can't be said which of both was first. Then it stands on both.
    pub order_unknown: bool,
    /// The admission that stands as the check-in.
    pub first: Admission,
    /// The other.
    pub second: Admission,
    /// It is none any more: one of both was never shown, or the other one stands as the check-in.
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
    /// It can't be said whether this was the first of its passage. Never on one admission alone.
    #[serde(default)]
    pub order_unknown: bool,
}

/// `ticketing.scan.suspected`: a scan that is not what it says, or at a gate that is not the node's.
/// Nobody was let in by it; fleet raises the alarm (ADMISSION 6.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScanSuspected {
    /// This suspicion.
    pub suspicion_id: Uuid,
    /// The node that the broker let send it, as far as the routing key names one.
    pub node_id: Option<NodeId>,
    /// The gate that it named, where that is what was wrong.
    pub gate_id: Option<GateId>,
    /// Stable code, the alarm's.
    pub code: String,
}

/// `ticketing.tickets.coded`: tickets of before there were short codes have one now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketsCoded {
    /// Of which venue.
    pub venue_id: VenueId,
    /// The tickets from now on.
    pub tickets: Vec<TicketFacts>,
}

impl TicketFacts {
    /// Its seat or zone, as people at a gate read it.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        let seat = self.seat_label.as_deref().map(short_seat);
        seat.or(self.zone.as_deref().map(short_zone))
    }

    /// As an entry of the venue's feed. One without a short code is a row of the second form, as the
    /// release before wrote it: both come with the ticket's next version, and until then nothing differs.
    #[must_use]
    pub fn entry(&self) -> FeedEntry {
        let state = match &self.state {
            TicketState::Valid => sync::TicketState::Valid,
            TicketState::Suspended => sync::TicketState::Suspended,
            TicketState::Revoked => sync::TicketState::Revoked,
            TicketState::Used {
                scan_id,
                gate_id,
                at,
                confirmed,
            } => sync::TicketState::Used(UsedBy {
                scan: *scan_id,
                gate: *gate_id,
                at: CoreTime::from(*at),
                confirmed: *confirmed,
            }),
        };
        let value = TicketEntry {
            token: TokenHash(self.token_hash),
            performance: self.performance_id,
            category: self.category,
            state,
            place: self.code_tag.and_then(|_| self.place()),
            code: self.code_tag,
        };
        FeedEntry {
            subject: Subject::Ticket(self.ticket_id),
            version: u64::try_from(self.version).unwrap_or_default(),
            value: Some(Value::Ticket(value)),
        }
    }
}

/// The venues whose feeds these tickets stand in.
fn venues_of(tickets: &[TicketFacts]) -> BTreeSet<VenueId> {
    tickets.iter().map(|ticket| ticket.venue_id).collect()
}

macro_rules! venues_of_tickets {
    ($($event:ident,)+) => {
        $(impl $event {
            fn venues(&self) -> BTreeSet<VenueId> {
                venues_of(&self.tickets)
            }
        })+
    };
}

macro_rules! venue_of_ticket {
    ($($event:ident,)+) => {
        $(impl $event {
            fn venues(&self) -> [VenueId; 1] {
                [self.ticket.venue_id]
            }
        })+
    };
}

venues_of_tickets! { TicketIssued, TicketsSuspended, TicketsReinstated, TicketsCoded, JournalApplied, }
venue_of_ticket! { TicketCheckedIn, TicketCheckInChanged, TicketRevoked, }

impl TicketsRestated {
    fn venues(&self) -> BTreeSet<VenueId> {
        let mut venues = venues_of(&self.tickets);
        venues.insert(self.venue_id);
        venues
    }
}

eventify_kernel::domain_events! { "ticketing":
    TicketIssued: "ticket.issued" as "ticket.issued" of order_id, tracked by venues;
    TicketIssueFailed: "ticket.issue.failed" as "ticket.issue.failed" of order_id;
    TicketCheckedIn: "ticket.checked_in" as "ticket.checked_in" of ticket_id, tracked by venues;
    TicketCheckInChanged: "ticket.check_in.changed" as "ticket.check_in.changed" of ticket_id, tracked by venues;
    TicketsSuspended: "ticket.suspended" as "ticket.suspended" of order_id, tracked by venues;
    TicketsReinstated: "ticket.reinstated" as "ticket.reinstated" of order_id, tracked by venues;
    TicketRevoked: "ticket.revoked" as "ticket.revoked" of ticket_id, tracked by venues;
    KeysChanged: "ticketing.keys.changed" as "ticketing.keys.changed" of key_set_id, tracked;
    JournalApplied: "ticketing.journal.applied" as "ticketing.journal.applied" of node_id, tracked by venues;
    CheckInConflict: "checkin.conflict" as "ticketing.checkin.conflict" of ticket_id;
    RefundedAdmitted: "ticketing.refunded.admitted" as "ticketing.refunded.admitted" of ticket_id;
    ScanSuspected: "ticketing.scan.suspected" as "ticketing.scan.suspected" of suspicion_id;
    TicketsCoded: "ticketing.tickets.coded" as "ticketing.tickets.coded" of venue_id, tracked by venues;
    TicketsStated: "ticketing.tickets.stated" as "ticketing.tickets.stated" of venue_id;
    TicketsRestated: "ticketing.tickets.restated" as "ticketing.tickets.restated" of venue_id, tracked by venues;
}
