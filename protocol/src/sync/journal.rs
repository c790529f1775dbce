//! The journal's rows: what a node decided, hash-chained (`ADMISSION` sections 1.6, 3.5 and 4).
//!
//! A row's hash is SHA-256 over its exact bytes, which name the hash before it. Rows travel and are
//! stored as those bytes, so that any reader can check the chain.

use minicbor::{Decode, Decoder, Encode};
use serde::{Deserialize, Serialize};

use crate::{
    hash::Hash32,
    ids::{
        BootId, GateId, IncarnationId, NodeId, PerformanceId, PersonId, ScanId, ScannerId,
        SearchId, TicketId,
    },
    lan::SearchBy,
    sync::{ActBy, ActName, Done, Epoch, GateChanged, Left, Overridden, Position, Undone},
    time::{BootTime, CoreInterval, CoreTime, WallTime},
    verdict::{DecidedBy, Mode, Verdict},
};

/// The end of a chain, as far as somebody holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct JournalHead {
    /// Which file.
    #[n(0)]
    pub incarnation: IncarnationId,
    /// The last row held; 0 if none.
    #[cbor(n(1), with = "super::number")]
    pub seq: u64,
    /// Its hash; zero if none.
    #[n(2)]
    pub hash: Hash32,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cbor(array)]
pub struct JournalRow {
    /// Which file.
    #[n(0)]
    pub incarnation: IncarnationId,
    /// From 1, without gaps.
    #[n(1)]
    pub seq: u64,
    /// Hash of the row before; zero in the first.
    #[n(2)]
    pub previous: Hash32,
    /// When.
    #[n(3)]
    pub at: Moment,
    /// What.
    #[n(4)]
    pub entry: JournalEntry,
}

/// A moment as a node can prove it. The wall clock is information only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cbor(array)]
pub struct Moment {
    /// The boot in which `boottime` counts.
    #[n(0)]
    pub boot: BootId,
    /// The node's `CLOCK_BOOTTIME`.
    #[n(1)]
    pub boottime: BootTime,
    /// The node's wall clock.
    #[n(2)]
    pub wall: WallTime,
    /// The span of core time that the node could prove; none before the core's first answer.
    #[n(3)]
    pub core: Option<CoreInterval>,
}

/// What a row records. Sales come with their own variants.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[cbor(flat)]
pub enum JournalEntry {
    /// The first row of a file.
    #[n(0)]
    Opened {
        /// Whose journal.
        #[n(0)]
        node: NodeId,
        /// The chain that this one goes on from after a fork or a lost disk.
        #[n(1)]
        succeeds: Option<JournalHead>,
        /// Somebody went on without rows that were known to exist: the last of them. What this file
        /// does not carry and the core does not hold is lost (`ADMISSION` 4.5).
        #[n(2)]
        after_loss: Option<JournalHead>,
    },
    /// A scan was decided and is about to be shown.
    #[n(1)]
    Decision(#[n(0)] Decision),
    /// The decision in row `row` was never shown as it stands: while it was written the cache had aged past
    /// the limit, and `ResyncRequired` was shown instead, or another program held the journal, and
    /// `NodeFault` was (`ADMISSION` 3.5).
    #[n(2)]
    Voided {
        /// The row's sequence number in this incarnation.
        #[n(0)]
        row: u64,
        /// Its scan.
        #[n(1)]
        scan: ScanId,
        /// When it was made, as far as the node could prove: what a row shows that is certainly later was
        /// decided anew. None in rows of a release before.
        #[n(2)]
        decided_at: Option<CoreInterval>,
    },
    /// A scan was shown the same refusal again and again, which is not final and which its decision
    /// above has already: one row for all of them (`ADMISSION` 4.6).
    #[n(3)]
    RefusedAgain {
        /// The scan.
        #[n(0)]
        scan: ScanId,
        /// How often, beside the decision itself.
        #[n(1)]
        times: u64,
        /// The first of them.
        #[n(2)]
        first: Moment,
        /// The last of them.
        #[n(3)]
        last: Moment,
    },
    /// Texts that are no tickets were scanned: one row for all of a scanner at a gate in a while. They have
    /// no rows of their own (`ADMISSION` 4.8).
    #[n(4)]
    Unreadable {
        /// Who scanned.
        #[n(0)]
        scanner: ScannerId,
        /// Where.
        #[n(1)]
        gate: GateId,
        /// In which mode they were shown `Unreadable`.
        #[n(2)]
        mode: Mode,
        /// How many, repeats included.
        #[n(3)]
        times: u64,
        /// The first of them.
        #[n(4)]
        first: Moment,
        /// The last of them.
        #[n(5)]
        last: Moment,
    },
    /// See [`Overridden`].
    #[n(5)]
    Overridden(#[n(0)] Overridden),
    /// See [`Undone`].
    #[n(6)]
    Undone(#[n(0)] Undone),
    /// See [`Left`].
    #[n(7)]
    Left(#[n(0)] Left),
    /// See [`GateChanged`].
    #[n(8)]
    GateChanged(#[n(0)] GateChanged),
    /// Somebody looked for guests, and was shown some, or none (`ADMISSION` 11).
    #[n(9)]
    Searched(#[n(0)] Searched),
}

/// Who was shown whom. Neither names nor the text that was looked for, which is one: rows stay for ever.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cbor(array)]
pub struct Searched {
    /// The search.
    #[n(0)]
    pub search: SearchId,
    /// Who searched.
    #[n(1)]
    pub person: PersonId,
    /// With which scanner.
    #[n(2)]
    pub scanner: ScannerId,
    /// Where.
    #[n(3)]
    pub gate: GateId,
    /// By what.
    #[n(4)]
    pub by: SearchBy,
    /// Among the guests of which performance; none: of all around then.
    #[n(5)]
    pub performance: Option<PerformanceId>,
    /// The tickets that were shown, at most [`MAX_MATCHES`](crate::lan::MAX_MATCHES).
    #[n(6)]
    pub tickets: Vec<TicketId>,
    /// There were more, which were not shown.
    #[n(7)]
    pub more: bool,
    /// In which mode.
    #[n(8)]
    pub mode: Mode,
}

/// One verdict, with all that explains it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cbor(array)]
pub struct Decision {
    /// The scan.
    #[n(0)]
    pub scan: ScanId,
    /// Who scanned.
    #[n(1)]
    pub scanner: ScannerId,
    /// Where.
    #[n(2)]
    pub gate: GateId,
    /// Hash of the token's bytes; of the text as scanned if it could not be read.
    #[n(3)]
    pub token: Hash32,
    /// The ticket, if the token was good; as it claims, if it names a key that the node does not have.
    #[n(4)]
    pub ticket: Option<TicketId>,
    /// Its performance.
    #[n(5)]
    pub performance: Option<PerformanceId>,
    /// What was shown.
    #[n(6)]
    pub verdict: Verdict,
    /// In which mode.
    #[n(7)]
    pub mode: Mode,
    /// Who decided.
    #[n(8)]
    pub decided_by: DecidedBy,
    /// Age of the cache at the decision; none if nothing could be said of it.
    #[n(9)]
    pub cache_age_ms: Option<u64>,
    /// The sync point that the age counts from.
    #[n(10)]
    pub point: Option<PointRef>,
    /// Earlier scans of this ticket for which this node showed no `Admit` and never will
    /// (`ADMISSION` 3.4).
    #[n(11)]
    pub replaces: Vec<ScanId>,
    /// The deadline of this node's last question to the core about this scan, whose answer was not
    /// shown: an entry that the core made for it before then is nobody's (`ADMISSION` 3.4). None if
    /// the core was not asked, as far as the node remembers.
    #[n(12)]
    pub asked_until: Option<CoreTime>,
    /// Who was on shift at the scanner; none if nobody was, and in rows of a release before.
    #[n(13)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
}

/// Which sync point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct PointRef {
    /// Its epoch.
    #[n(0)]
    pub epoch: Epoch,
    /// Its feed position.
    #[n(1)]
    pub position: Position,
    /// Its time of truth.
    #[n(2)]
    pub truth: CoreTime,
}

/// A row with its bytes and hash, which belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRow {
    row: JournalRow,
    bytes: Vec<u8>,
    hash: Hash32,
}

/// Why bytes are no row.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// Not the CBOR of a row.
    #[error("malformed journal row: {0}")]
    Malformed(#[from] minicbor::decode::Error),
    /// Not the one encoding that a row has, or something follows it.
    #[error("journal row is not in its canonical encoding")]
    NotCanonical,
}

impl SealedRow {
    /// Encodes and hashes a row.
    #[must_use]
    pub fn seal(row: JournalRow) -> Self {
        let bytes = minicbor::to_vec(&row).expect("writing to a Vec can't fail");
        let hash = Hash32::of(&bytes);
        Self { row, bytes, hash }
    }

    /// Reads a row from its bytes.
    ///
    /// # Errors
    /// See [`RowError`].
    pub fn read(bytes: &[u8]) -> Result<Self, RowError> {
        let row: JournalRow = Decoder::new(bytes).decode()?;
        let sealed = Self::seal(row);
        if sealed.bytes == bytes {
            Ok(sealed)
        } else {
            Err(RowError::NotCanonical)
        }
    }

    /// The row.
    #[must_use]
    pub fn row(&self) -> &JournalRow {
        &self.row
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        self.hash
    }

    /// The head of a chain that ends with this row.
    #[must_use]
    pub fn head(&self) -> JournalHead {
        JournalHead {
            incarnation: self.row.incarnation,
            seq: self.row.seq,
            hash: self.hash,
        }
    }
}

impl JournalEntry {
    /// Who did it, if it is an act.
    #[must_use]
    pub fn act(&self) -> Option<&ActBy> {
        self.done().map(|done| done.by)
    }

    /// What was done, if it is an act.
    #[must_use]
    pub fn done(&self) -> Option<Done<'_>> {
        let (by, name, scan, ticket) = match self {
            Self::Overridden(row) => (&row.by, ActName::Override, Some(row.scan), Some(row.ticket)),
            Self::Undone(row) => (&row.by, ActName::Undo, Some(row.scan), Some(row.ticket)),
            Self::Left(row) => (&row.by, ActName::Exit, Some(row.entry), Some(row.ticket)),
            Self::GateChanged(row) => (&row.by, ActName::ChangeGate, None, None),
            Self::Opened { .. }
            | Self::Decision(_)
            | Self::Voided { .. }
            | Self::RefusedAgain { .. }
            | Self::Unreadable { .. }
            | Self::Searched(_) => return None,
        };
        Some(Done {
            by,
            name,
            scan,
            ticket,
        })
    }
}

impl JournalHead {
    /// A file without rows.
    #[must_use]
    pub fn empty(incarnation: IncarnationId) -> Self {
        Self {
            incarnation,
            seq: 0,
            hash: Hash32::ZERO,
        }
    }

    /// Whether a row is the next of this chain.
    #[must_use]
    pub fn is_followed_by(&self, row: &JournalRow) -> bool {
        row.incarnation == self.incarnation && row.seq == self.seq + 1 && row.previous == self.hash
    }
}
