//! The interface between the machine and its shell: every fact that goes in, every effect that comes
//! out.
//!
//! The shell owns the connection, the two SQLite files and the LAN server. It carries outputs out in
//! order, those of the journal on one thread and those of the replica on another, and reports back
//! with the inputs that the outputs name. It decides nothing.

use std::fmt;

use eventify_protocol::{
    ids::{GateId, IncarnationId, MessageId, PersonId, ScanId, ScannerId, SnapshotId, TicketId},
    keys::KeySet,
    lan::JournalFault,
    sync::{
        Chunk, Config, Decision, Delta, Digest, DigestKey, Down, Epoch, JournalAck, JournalHead,
        Moment, PointError, Position, ScanVerdict, ScannedTicket, SealedRow, SnapshotGone,
        SyncPoint, TicketEntry, Up, Welcome,
    },
};

use super::{ActRequest, Alarm, Reply, RestoredReplica, SavedProof, SearchRecord, SnapshotPlan};
use crate::token::TokenCheck;

/// Identifies one waiting HTTP request; made by the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A scan from the LAN, with what the shell found for it.
#[derive(Clone)]
pub struct ScanRequest {
    pub request: RequestId,
    pub scan: ScanId,
    /// Proven by the request's signature.
    pub scanner: ScannerId,
    /// One of the scanner's gates.
    pub gate: GateId,
    /// Who is on shift at the scanner: for the row, nothing is decided by it.
    pub person: Option<PersonId>,
    /// The text as scanned, for the core; empty for a short code, which the core gets as its hash.
    pub token: String,
    /// A short code with the ticket that the replica has under it, if it has one.
    pub checked: TokenCheck,
    /// The ticket that the text names, as the replica has it.
    pub found: Option<ScannedTicket>,
    /// The journal's newest decision for this scan id, in any incarnation.
    pub previous: Option<Previous>,
}

/// A decision found in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    pub decision: Decision,
    pub at: Moment,
    /// A `Voided` row took it back.
    pub voided: bool,
    /// When a supervisor let the guest in although it refused.
    pub overridden: Option<Moment>,
    /// Its admission, or that by a supervisor, was undone: it lets in nobody again.
    pub undone: bool,
}

impl Previous {
    /// A repeat of the scan gets this verdict again, and no new row.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.decision.verdict.is_final() && !self.voided
    }
}

/// A message from the core, its signature checked where it has one.
#[derive(Clone, Debug)]
pub enum CoreMessage {
    /// Answers `Hello`.
    Welcome(Welcome),
    /// Answers `Ask`.
    Point(SyncPoint),
    /// Answers `Scan`.
    Verdict(ScanVerdict),
    /// Entries of the feed.
    Delta(Delta),
    /// Part of a snapshot.
    Chunk(Chunk),
    /// The rows of the journal that the core holds.
    JournalAck(JournalAck),
    /// Settings of this node.
    Config(Config),
    /// A snapshot that is no longer stored.
    SnapshotGone(SnapshotGone),
    /// What concerns the shell alone, which has taken it: nothing is decided by it.
    ForShell,
}

/// A fact.
#[derive(Clone, Debug)]
pub enum Input {
    /// The connection is open and the topics are subscribed.
    Connected,
    Disconnected,
    Message(CoreMessage),
    Scan(Box<ScanRequest>),
    /// Somebody is about to be shown guests → [`Reply::Search`], when the row is on disk.
    Search {
        request: RequestId,
        record: Box<SearchRecord>,
    },
    Act(Box<ActRequest>),
    /// Answers [`ReplicaOutput::ReadTicket`].
    TicketRead {
        scan: ScanId,
        /// As in the output.
        generation: u32,
        /// The replica's position in the same read transaction.
        position: Position,
        /// None if the replica does not have the ticket.
        ticket: Option<TicketEntry>,
    },
    /// Answers [`JournalOutput::Append`]: rows are on disk, fsync included.
    RowsWritten {
        incarnation: IncarnationId,
        /// The last of them.
        through: u64,
    },
    /// Answers [`JournalOutput::ReadRows`]: exact bytes of consecutive rows.
    RowsRead {
        incarnation: IncarnationId,
        /// As in the output.
        from: u64,
        /// As many whole rows as fit the requested size, at least one unless there is none.
        rows: Vec<SealedRow>,
    },
    /// Answers [`JournalOutput::BeginFile`]: the new file is on disk and in use.
    JournalOpened {
        head: JournalHead,
        /// All of its rows.
        rows: Vec<SealedRow>,
    },
    /// Answers [`ReplicaOutput::Apply`]: durable.
    DeltaApplied {
        position: Position,
        /// The digest after each entry, in order.
        digests: Vec<Digest>,
    },
    /// Answers [`ReplicaOutput::FinishSnapshot`]: the snapshot is the replica now.
    SnapshotReady {
        snapshot: SnapshotId,
        replica: RestoredReplica,
    },
    /// Answers [`ReplicaOutput::FinishSnapshot`]: hash or content was wrong, the snapshot is
    /// deleted. Also sent when its chunks can't be stored.
    SnapshotFailed {
        snapshot: SnapshotId,
    },
    /// The digest recomputed from the replica's rows, every 5 minutes (`ADMISSION` 5.5).
    DigestRecomputed {
        position: Position,
        digest: Digest,
    },
    /// The replica's file can't be read or written. The shell deletes it.
    ReplicaFailed,
    /// What the journal can still take, and why it takes nothing now: for `Health`. While it is held nothing
    /// waits for its rows, and nothing new is decided.
    Room {
        free_bytes: u64,
        fault: Option<JournalFault>,
    },
}

/// An effect, grouped by who carries it out.
#[derive(Clone, Debug)]
pub enum Output {
    /// To the core, in an envelope with this id. `Scan` and `Ask` go before all other messages;
    /// `Scan`, `Ask`, `Health` at QoS 0, the rest at QoS 1. Dropped without a connection.
    Send { id: MessageId, message: Up },
    /// To the waiting request. The row of a verdict is on disk.
    Reply { request: RequestId, reply: Reply },
    /// To the journal.
    Journal(JournalOutput),
    /// To the replica.
    Replica(ReplicaOutput),
    /// To venue IT.
    Alarm(Alarm),
    /// The process is to end, with words for venue IT, and not to start again by itself.
    Stop(Stop),
    /// To status displays: mode, reason or counts have changed, see [`super::Machine::status`].
    StatusChanged,
}

/// Why a node must not go on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The core holds rows that this disk does not have: an old disk was put back, or a copy of it
    /// runs elsewhere. A person decides what becomes of them (`ADMISSION` 4.5).
    JournalBehind { core: JournalHead, own: JournalHead },
    /// Another process with this identity lives, and is the elder one (`ADMISSION` 4.7).
    Duplicate,
}

/// What the journal's file is to do.
#[derive(Clone, Debug)]
pub enum JournalOutput {
    /// Append, grouped with other rows → [`Input::RowsWritten`]. If it can't be written, the process
    /// ends before any verdict of that group leaves.
    Append(Box<SealedRow>),
    /// Read rows that are on disk → [`Input::RowsRead`].
    ReadRows {
        incarnation: IncarnationId,
        from: u64,
        /// Last row at most.
        through: u64,
        /// At most so many bytes, but at least one row.
        max_bytes: usize,
    },
    /// Mark rows up to the acknowledgement's `seq` as delivered, and none beyond: a failover can have
    /// lost some. Needs no fsync.
    MarkAcknowledged(JournalAck),
    /// Begin a new file after a fork; the old one is kept. Its first row is `Opened`, then all rows
    /// of the old file follow, see [`super::carry_over`]: the file in use alone holds everything that
    /// this disk knows, whatever a core has lost of the others → [`Input::JournalOpened`].
    BeginFile {
        incarnation: IncarnationId,
        /// The chain that the core holds.
        succeeds: JournalHead,
        /// For the `Opened` row.
        at: Moment,
    },
}

/// What the replica's files are to do.
#[derive(Clone, Debug)]
pub enum ReplicaOutput {
    /// Read a ticket and the position in one transaction → [`Input::TicketRead`].
    ReadTicket {
        scan: ScanId,
        ticket: TicketId,
        /// To be repeated in the answer.
        generation: u32,
    },
    /// Apply entries and the new head in one transaction → [`Input::DeltaApplied`]. An entry whose
    /// version is not above the stored one changes nothing, see [`crate::digest`].
    Apply(Delta),
    /// The same rows continue in another epoch: store it.
    Adopt { epoch: Epoch, digest_key: DigestKey },
    /// Begin a third file for a snapshot; delete any other that was begun.
    BeginSnapshot(SnapshotPlan),
    /// Store the next chunk; they come in order.
    StoreChunk(Chunk),
    /// Check the hash, count the digest, swap → [`Input::SnapshotReady`] or
    /// [`Input::SnapshotFailed`], whatever else fails: no other is begun before the answer.
    FinishSnapshot { snapshot: SnapshotId },
    /// Delete the replica; a snapshot under way stays.
    Discard { reason: &'static str },
    /// Store for a restart, not before the position that it names is durable.
    UpdateProof(SavedProof),
    /// Store for a restart whether the core has revoked this node.
    UpdateRevoked(bool),
}

impl CoreMessage {
    /// Takes a message from its envelope and verifies a sync point's signature.
    ///
    /// # Errors
    /// [`PointError`] if the sync point can't be verified.
    pub fn verify(message: Down, keys: &KeySet) -> Result<Self, PointError> {
        Ok(match message {
            Down::Welcome(welcome) => Self::Welcome(welcome),
            Down::Point(bytes) => Self::Point(SyncPoint::verify(&bytes, keys)?),
            Down::Verdict(verdict) => Self::Verdict(verdict),
            Down::Delta(delta) => Self::Delta(delta),
            Down::Chunk(chunk) => Self::Chunk(chunk),
            Down::JournalAck(ack) => Self::JournalAck(ack),
            Down::Config(config) => Self::Config(config),
            Down::SnapshotGone(gone) => Self::SnapshotGone(gone),
            Down::Staff(_) => Self::ForShell,
            Down::HolderKeys(_) => Self::ForShell,
        })
    }
}

impl From<JournalOutput> for Output {
    fn from(output: JournalOutput) -> Self {
        Self::Journal(output)
    }
}

impl From<ReplicaOutput> for Output {
    fn from(output: ReplicaOutput) -> Self {
        Self::Replica(output)
    }
}

impl fmt::Debug for ScanRequest {
    /// Without the token's text: its bearer can use the ticket.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanRequest")
            .field("request", &self.request)
            .field("scan", &self.scan)
            .field("gate", &self.gate)
            .field("checked", &self.checked)
            .field("previous", &self.previous)
            .finish_non_exhaustive()
    }
}
