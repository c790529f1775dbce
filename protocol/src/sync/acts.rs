//! What people did at a gate beside scanning, as rows of the journal (`ADMISSION` 3.13 to 3.15): each names
//! who did it, where and why. The row's moment says when.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{ActId, GateId, PerformanceId, PersonId, ScanId, ScannerId, TicketId},
    lan::Reason,
    verdict::Mode,
};

/// Acts that need a reason of one person at one node within an hour, where the venue has set nothing.
pub const DEFAULT_ACTS_PER_HOUR: u32 = 30;

/// The most that a venue can set: whoever does more than that decides nothing any more.
pub const MAX_ACTS_PER_HOUR: u32 = 200;

/// What an act is called, in the requests of scanners and in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ActName {
    Override,
    Undo,
    Exit,
    ChangeGate,
}

/// An act as its row tells it.
#[derive(Clone, Copy, Debug)]
pub struct Done<'row> {
    pub by: &'row ActBy,
    pub name: ActName,
    /// The scan that it was about; of an exit that of the entry.
    pub scan: Option<ScanId>,
    pub ticket: Option<TicketId>,
}

/// Who did something, where, and why.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cbor(array)]
pub struct ActBy {
    /// Made by the scanner; an act with an id that is here already is answered and not done again.
    #[n(0)]
    pub act: ActId,
    /// Who.
    #[n(1)]
    pub person: PersonId,
    /// At which scanner.
    #[n(2)]
    pub scanner: ScannerId,
    /// At which gate; of a change of gate the new one.
    #[n(3)]
    pub gate: GateId,
    /// In which mode: never `Locked`.
    #[n(4)]
    pub mode: Mode,
    /// Why; an exit has none.
    #[n(5)]
    pub reason: Option<Reason>,
}

/// A supervisor let in whom a scan had refused.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cbor(array)]
pub struct Overridden {
    /// Who and why.
    #[n(0)]
    pub by: ActBy,
    /// The scan, which has refused as `AlreadyUsed` or `NotYet`; the entry bears its id.
    #[n(1)]
    pub scan: ScanId,
    /// Of which ticket.
    #[n(2)]
    pub ticket: TicketId,
    /// Its performance.
    #[n(3)]
    pub performance: PerformanceId,
    /// Age of the cache that still had the ticket as good; none if nothing could be said of it.
    #[n(4)]
    pub cache_age_ms: Option<u64>,
}

/// Whom a scan had let in did not go in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cbor(array)]
pub struct Undone {
    /// Who and why.
    #[n(0)]
    pub by: ActBy,
    /// The scan that was shown `Admit`, or was overridden.
    #[n(1)]
    pub scan: ScanId,
    /// Of which ticket.
    #[n(2)]
    pub ticket: TicketId,
    /// Its performance.
    #[n(3)]
    pub performance: PerformanceId,
}

/// A guest left and may come back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cbor(array)]
pub struct Left {
    /// Who scanned.
    #[n(0)]
    pub by: ActBy,
    /// With which ticket.
    #[n(1)]
    pub ticket: TicketId,
    /// For which performance.
    #[n(2)]
    pub performance: PerformanceId,
    /// The entry that is over, as the node knew it.
    #[n(3)]
    pub entry: ScanId,
}

/// A scanner goes on at another gate, which `by` names.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cbor(array)]
pub struct GateChanged {
    /// Who and why.
    #[n(0)]
    pub by: ActBy,
    /// The gate before, if its shift had one.
    #[n(1)]
    pub from: Option<GateId>,
}
