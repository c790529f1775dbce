//! What fleet tells the other contexts. Ticketing decides online scans with it and applies the
//! nodes' journals.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use eventify_protocol::ids::{GateId, IncarnationId, NodeId, PerformanceId, TicketId, VenueId};
use eventify_protocol::sync::{RowError, SealedRow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ticketing::TicketRange;

/// A gate was made or changed. The aggregate's version counts up with each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateUpdated {
    /// The gate.
    pub gate_id: GateId,
    /// Its venue.
    pub venue_id: VenueId,
    /// The name on the door.
    pub name: String,
    /// The performances admitted here; empty: all that the venue admits to.
    pub performances: Vec<PerformanceId>,
    /// The category codes admitted here; empty: all.
    pub categories: Vec<String>,
    /// Version of the gate; an older one says nothing.
    pub version: i32,
}

/// `performance.confirmed`: the venue admits to a foreign organiser's performance (ADMISSION 3.11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceConfirmed {
    /// Which.
    pub performance_id: PerformanceId,
    /// Where.
    pub venue_id: VenueId,
    /// Version of the performance that was confirmed: newer times want the venue's word again.
    pub version: i32,
    /// When.
    pub confirmed_at: DateTime<Utc>,
}

/// `performance.declined`: the venue does not admit to a foreign organiser's performance. It may still confirm it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceDeclined {
    /// Which.
    pub performance_id: PerformanceId,
    /// Where.
    pub venue_id: VenueId,
    /// Version of the performance that was declined: for newer times the venue is asked again.
    pub version: i32,
    /// When.
    pub declined_at: DateTime<Utc>,
}

/// What others need to know of a node, in each of its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeFacts {
    /// The node's instance.
    pub node_id: NodeId,
    /// Its venue.
    pub venue_id: VenueId,
    /// The venue's name for it.
    pub label: String,
    /// The gates that it may decide for.
    pub gates: Vec<GateId>,
    /// Revoked nodes decide nothing.
    pub revoked: bool,
    /// Version of the node; an older one says nothing.
    pub version: i32,
}

/// A node has got its certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeEnrolled {
    /// The aggregate.
    pub node_id: NodeId,
    /// The node.
    pub node: NodeFacts,
}

/// An enrolled node's label or gates were changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeUpdated {
    /// The aggregate.
    pub node_id: NodeId,
    /// The node.
    pub node: NodeFacts,
}

/// A node was revoked; its id is never used again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeRevoked {
    /// The aggregate.
    pub node_id: NodeId,
    /// The node.
    pub node: NodeFacts,
}

/// A node says that it works under another rule now (`Online`, `Degraded`, `Locked`, `Resyncing`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeModeChanged {
    /// The node.
    pub node_id: NodeId,
    /// Its venue.
    pub venue_id: VenueId,
    /// The rule before; none in its first report.
    pub from: Option<String>,
    /// The rule now.
    pub to: String,
    /// When the core heard of it.
    pub at: DateTime<Utc>,
}

/// Journal rows are stored and their chain is verified; ticketing applies them (ADMISSION 7) and
/// answers with `ticketing.journal.applied`, which names this batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JournalAccepted {
    /// These rows as one piece of work.
    pub batch_id: Uuid,
    /// Whose journal.
    pub node_id: NodeId,
    /// Its venue.
    pub venue_id: VenueId,
    /// Which file.
    pub incarnation: IncarnationId,
    /// Sequence number of the first row.
    pub from: u64,
    /// Sequence number of the last row.
    pub to: u64,
    /// The rows' exact bytes, base64, in order.
    pub rows: Vec<String>,
}

/// Why stored rows can't be read. They were verified before they were sent: a fault of ours.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableRows {
    /// Not base64.
    #[error("journal rows are not base64")]
    Encoding,
    /// Not a row.
    #[error(transparent)]
    Row(#[from] RowError),
}

impl JournalAccepted {
    /// The rows as an event carries them.
    #[must_use]
    pub fn encode<'a>(rows: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        rows.into_iter().map(|bytes| BASE64.encode(bytes)).collect()
    }

    /// The rows as they were written by the node.
    ///
    /// # Errors
    /// [`UnreadableRows`]: the event was damaged after it had been written.
    pub fn decode(&self) -> Result<Vec<SealedRow>, UnreadableRows> {
        let read = |text: &String| {
            let bytes = BASE64.decode(text).map_err(|_| UnreadableRows::Encoding)?;
            Ok(SealedRow::read(&bytes)?)
        };
        self.rows.iter().map(read).collect()
    }
}

/// The venue's feed adds up to something else than ticketing has stated of a range of tickets: fleet
/// asks for it ticket by ticket (ADMISSION 5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketsQuestioned {
    /// Whose feed.
    pub venue_id: VenueId,
    /// The tickets that are asked for.
    pub range: TicketRange,
}

/// The venue's feed holds these tickets otherwise than ticketing has stated, though it holds all
/// that was committed before the statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketsDoubted {
    /// Whose feed.
    pub venue_id: VenueId,
    /// The tickets.
    pub tickets: Vec<TicketDoubt>,
}

/// One ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketDoubt {
    /// Which.
    pub ticket_id: TicketId,
    /// What is doubted.
    pub doubt: Doubt,
    /// The version that the feed holds, if it holds one.
    pub held_version: Option<u64>,
}

/// How the feed differs from what was stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// The feed does not have the ticket.
    Missing,
    /// It has an older version.
    Older,
    /// It has this version with other contents.
    Altered,
    /// It has a newer version: one of since then, or one that never was.
    Newer,
    /// It has a ticket that was not stated: issued since then, or never.
    Unknown,
}

eventify_kernel::domain_events! { "fleet":
    GateUpdated: "gate.updated" as "fleet.gate.updated" of gate_id;
    PerformanceConfirmed: "performance.confirmed" as "fleet.performance.confirmed" of performance_id;
    PerformanceDeclined: "performance.declined" as "fleet.performance.declined" of performance_id;
    NodeEnrolled: "node.enrolled" as "fleet.node.enrolled" of node_id;
    NodeUpdated: "node.updated" as "fleet.node.updated" of node_id;
    NodeRevoked: "node.revoked" as "fleet.node.revoked" of node_id;
    NodeModeChanged: "node.mode_changed" as "fleet.node.mode_changed" of node_id;
    JournalAccepted: "fleet.journal.accepted" as "fleet.journal.accepted" of batch_id;
    TicketsQuestioned: "fleet.tickets.questioned" as "fleet.tickets.questioned" of venue_id;
    TicketsDoubted: "fleet.tickets.doubted" as "fleet.tickets.doubted" of venue_id;
}
