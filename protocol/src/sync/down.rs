//! From the core to an edge node.

use minicbor::{Decode, Encode, bytes::ByteVec};

use crate::{
    hash::Hash32,
    ids::{IncarnationId, MessageId, PerformanceId, ScanId, SessionId, SnapshotId, TicketId},
    sync::{
        DigestKey, Epoch, FeedEntry, HolderKeys, JournalHead, Position, ScannerOrders, StaffAnswer,
        TicketEntry,
    },
    time::CoreTime,
    token::{CategoryCode, TokenHash},
    verdict::Verdict,
};

/// A message to a node.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Down {
    /// Answer to `Hello`.
    #[n(0)]
    Welcome(#[n(0)] Welcome),
    /// Answer to `Ask`: a signed sync point (`SyncPoint::verify`).
    #[n(1)]
    Point(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// Answer to `Scan`.
    #[n(2)]
    Verdict(#[n(0)] ScanVerdict),
    /// New entries of the feed.
    #[n(3)]
    Delta(#[n(0)] Delta),
    /// A part of a snapshot.
    #[n(4)]
    Chunk(#[n(0)] Chunk),
    /// The core holds the journal up to here.
    #[n(5)]
    JournalAck(#[n(0)] JournalAck),
    /// Settings of this one node.
    #[n(6)]
    Config(#[n(0)] Config),
    /// Answer to a `Pull`: there is no such snapshot any more.
    #[n(7)]
    SnapshotGone(#[n(0)] SnapshotGone),
    /// Answer to `Staff`.
    #[n(8)]
    Staff(#[n(0)] StaffAnswer),
    /// The keys of holders that the node may have.
    #[n(9)]
    HolderKeys(#[n(0)] HolderKeys),
}

/// See [`Down::Welcome`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Welcome {
    /// The `Hello` that this answers.
    #[n(0)]
    pub answers: MessageId,
    /// Which database.
    #[n(1)]
    pub epoch: Epoch,
    /// The feed's head.
    #[n(2)]
    pub head: Position,
    /// The digest algorithm agreed.
    #[n(3)]
    pub algorithm: u8,
    /// The venue's digest key.
    #[n(4)]
    pub digest_key: DigestKey,
    /// How the node gets to the head.
    #[n(5)]
    pub plan: Plan,
    /// What the core has acknowledged of this node's journal, with all effects in the feed up to
    /// `head`; none if nothing.
    #[n(6)]
    pub journal: Option<JournalHead>,
}

/// How a node gets to the feed's head.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
pub enum Plan {
    /// Its replica can continue: deltas from `from` follow.
    #[n(0)]
    Delta {
        /// The replica's position.
        #[n(0)]
        from: Position,
    },
    /// It has to begin again: pull this snapshot, then deltas follow from its position.
    #[n(1)]
    Snapshot {
        /// Which snapshot.
        #[n(0)]
        id: SnapshotId,
        /// The feed position that it holds.
        #[n(1)]
        position: Position,
        /// Number of chunks.
        #[n(2)]
        chunks: u32,
        /// SHA-256 over all chunks' bytes in order.
        #[n(3)]
        hash: Hash32,
    },
}

/// See [`Down::Verdict`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ScanVerdict {
    /// The scan that this answers.
    #[n(0)]
    pub scan: ScanId,
    /// The core's verdict.
    #[n(1)]
    pub verdict: Verdict,
    /// When the core decided.
    #[n(2)]
    pub at: CoreTime,
    /// From which database: after a failover it may not know what it has acknowledged to this
    /// node, whose `Hello` has to come first.
    #[n(3)]
    pub epoch: Epoch,
    /// The message with the `Scan` that this answers: the same scan may be asked more than once,
    /// and only the newest question's answer counts.
    #[n(4)]
    pub answers: MessageId,
    /// The scanned ticket, if it is one of the node's venue: the node's replica may not have it yet.
    #[n(5)]
    pub ticket: Option<ScannedTicket>,
}

/// What a node needs of a scanned ticket beside the verdict: which one a short code stands for, and what
/// staff are shown of it. No personal data.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ScannedTicket {
    /// Which.
    #[n(0)]
    pub ticket: TicketId,
    /// Hash of the one token that admits.
    #[n(1)]
    pub token: TokenHash,
    /// The performance that it is for.
    #[n(2)]
    pub performance: PerformanceId,
    /// Category or zone code.
    #[n(3)]
    pub category: CategoryCode,
    /// Its seat or zone, as in [`TicketEntry::place`].
    #[n(4)]
    pub place: Option<String>,
}

impl ScannedTicket {
    /// Of a ticket's entry.
    #[must_use]
    pub fn of(ticket: TicketId, entry: &TicketEntry) -> Self {
        Self {
            ticket,
            token: entry.token,
            performance: entry.performance,
            category: entry.category,
            place: entry.place.clone(),
        }
    }
}

/// See [`Down::Delta`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Delta {
    /// Which database.
    #[n(0)]
    pub epoch: Epoch,
    /// The position before the first entry.
    #[n(1)]
    pub from: Position,
    /// The position of the last entry: `from` + number of entries.
    #[n(2)]
    pub to: Position,
    /// The entries at `from` + 1, …, `to`.
    #[n(3)]
    pub entries: Vec<FeedEntry>,
}

/// See [`Down::Chunk`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Chunk {
    /// Which snapshot.
    #[n(0)]
    pub snapshot: SnapshotId,
    /// Which part, from 0.
    #[n(1)]
    pub index: u32,
    /// Number of parts.
    #[n(2)]
    pub of: u32,
    /// CBOR array of `FeedEntry`s, whole in each chunk.
    #[n(3)]
    pub bytes: ByteVec,
}

/// See [`Down::SnapshotGone`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SnapshotGone {
    /// Which snapshot: none of its chunks will come.
    #[n(0)]
    pub snapshot: SnapshotId,
}

/// See [`Down::JournalAck`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct JournalAck {
    /// Which file.
    #[n(0)]
    pub incarnation: IncarnationId,
    /// The contiguous end that the core holds; 0 if nothing.
    #[cbor(n(1), with = "super::number")]
    pub seq: u64,
    /// The hash of that row: another one than the node's is a fork.
    #[n(2)]
    pub hash: Hash32,
    /// Feed position by which all effects of these rows are in the feed (`ADMISSION` 3.6).
    #[n(3)]
    pub position: Position,
    /// Which database's feed that position is of.
    #[n(4)]
    pub epoch: Epoch,
}

/// See [`Down::Config`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Config {
    /// Revoked: the node locks and stays locked.
    #[n(0)]
    pub revoked: bool,
    /// This run of the node is a second one beside another that lives: it stops.
    #[n(1)]
    pub duplicate: Option<SessionId>,
    /// About the scanners paired with this node. The first one of a connection says that this core
    /// takes reports about them: one that does not would end the connection of a node that sends any.
    #[n(2)]
    pub scanners: Option<ScannerOrders>,
    /// What the venue's clocks show, by its name in the tz database, beside orders; none: nothing is said of it.
    /// No entry of the feed: nobody decides by it.
    #[n(3)]
    pub time_zone: Option<String>,
}
