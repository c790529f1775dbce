//! The seam between the machine and its shell: every fact that goes in, every act that comes out.
//!
//! The shell owns the pipe, the two SQLite files and the LAN server. It carries outputs out in the
//! order in which they come, journal outputs on one thread and replica outputs on another, and
//! reports back with the inputs named beside them. It decides nothing.

use std::fmt;

use eventify_protocol::{
    hash::Hash32,
    ids::{GateId, IncarnationId, MessageId, ScanId, ScannerId, SnapshotId, TicketId},
    keys::KeySet,
    sync::{
        Chunk, Config, Decision, Delta, Digest, DigestKey, Down, Epoch, JournalAck, JournalHead,
        Moment, PointError, Position, ScanVerdict, SealedRow, SyncPoint, TicketEntry, Up, Welcome,
    },
};

use super::{Alarm, Reply, RestoredReplica, SavedProof};
use crate::token::TokenCheck;

/// Names one waiting HTTP request; made by the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A scan as the LAN brought it, with what the shell looked up on the way.
#[derive(Clone)]
pub struct ScanRequest {
    /// Who waits.
    pub request: RequestId,
    /// The scan.
    pub scan: ScanId,
    /// The scanner, as its signature proved.
    pub scanner: ScannerId,
    /// Where; one of the scanner's gates.
    pub gate: GateId,
    /// The text as scanned; goes to the core.
    pub token: String,
    /// What the text turned out to be.
    pub checked: TokenCheck,
    /// The journal's newest decision for this scan id, in any incarnation.
    pub previous: Option<Previous>,
}

/// A decision found in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previous {
    /// The decision.
    pub decision: Decision,
    /// When it was made.
    pub at: Moment,
    /// A `Voided` row took it back.
    pub voided: bool,
}

/// A message from the core, with its signature checked where it has one.
#[derive(Clone, Debug)]
pub enum Received {
    /// Answer to `Hello`.
    Welcome(Welcome),
    /// Answer to `Ask`; its signature holds.
    Point(SyncPoint),
    /// Answer to `Scan`.
    Verdict(ScanVerdict),
    /// Entries of the feed.
    Delta(Delta),
    /// Part of a snapshot.
    Chunk(Chunk),
    /// The core holds the journal.
    JournalAck(JournalAck),
    /// Settings of this node.
    Config(Config),
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The pipe is open and the topics are subscribed.
    Connected,
    /// The pipe is gone.
    Disconnected,
    /// A message of the core came; see [`Received::check`].
    Message(Received),
    /// A scan came.
    Scan(Box<ScanRequest>),
    /// Answer to [`Output::Lookup`].
    Found {
        /// The scan that it was for.
        scan: ScanId,
        /// As in the lookup.
        generation: u32,
        /// The replica's position in the same read transaction.
        position: Position,
        /// The ticket, if the replica has it.
        ticket: Option<TicketEntry>,
    },
    /// Rows of [`Output::Append`] are on disk, fsync included.
    Persisted {
        /// Which file.
        incarnation: IncarnationId,
        /// All up to here.
        through: u64,
    },
    /// Answer to [`Output::ReadRows`]: exact bytes of consecutive rows.
    Rows {
        /// Which file.
        incarnation: IncarnationId,
        /// Sequence number of the first; as asked.
        from: u64,
        /// As many whole rows as fit the asked size, at least one unless there is none.
        rows: Vec<SealedRow>,
    },
    /// Answer to [`Output::NewJournal`]: the new file is on disk and is the one appended to.
    JournalOpened {
        /// Its end.
        head: JournalHead,
        /// All of its rows.
        rows: Vec<SealedRow>,
    },
    /// Answer to [`Output::Apply`]: durable.
    Applied {
        /// The new position.
        position: Position,
        /// The digest after each entry, in order.
        digests: Vec<Digest>,
    },
    /// Answer to [`Output::FinishSnapshot`]: swapped in.
    SnapshotReady {
        /// Which one.
        snapshot: SnapshotId,
        /// The replica that it became.
        replica: RestoredReplica,
    },
    /// Answer to [`Output::FinishSnapshot`]: hash or content was wrong; nothing is left of it. Also
    /// unasked, when its chunks can't be kept.
    SnapshotFailed {
        /// Which one.
        snapshot: SnapshotId,
    },
    /// The digest recomputed from the replica's rows: every 5 minutes (`ADMISSION` 5.5).
    Recomputed {
        /// At this position.
        position: Position,
        /// The digest.
        digest: Digest,
    },
    /// The replica's file can't be read or written. The shell throws it away.
    ReplicaFailed,
    /// Free space, as last seen; goes into `Health`.
    Disk {
        /// Bytes.
        free_bytes: u64,
    },
}

/// What is to be done, in this order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send, wrapped in an envelope with this id. Scans overtake everything else that waits;
    /// `Scan`, `Ask`, `Health` at QoS 0, the rest at QoS 1. Without a pipe: dropped.
    Send {
        /// The envelope's id.
        id: MessageId,
        /// The message.
        message: Up,
    },
    /// Read a ticket and the position in one transaction → [`Input::Found`].
    Lookup {
        /// For which scan.
        scan: ScanId,
        /// The ticket.
        ticket: TicketId,
        /// To be named in the answer.
        generation: u32,
    },
    /// Append to the journal, grouped with others → [`Input::Persisted`]. If it can't be written,
    /// the process ends before any verdict of that group leaves.
    Append(SealedRow),
    /// Answer a waiting request. The row is on disk.
    Answer {
        /// Who waits.
        request: RequestId,
        /// What is said.
        reply: Reply,
    },
    /// Read journal rows that are on disk → [`Input::Rows`].
    ReadRows {
        /// Which file.
        incarnation: IncarnationId,
        /// First sequence number.
        from: u64,
        /// Last one at most.
        through: u64,
        /// At most so many bytes, but at least one row.
        max_bytes: usize,
    },
    /// Mark rows up to the acknowledgement's `seq` as delivered, and none beyond (a failover can
    /// have lost some); on disk in its own time.
    Acknowledged(JournalAck),
    /// Begin a new journal file after a fork; the old one is kept. Its first row is `Opened`, then
    /// all the rows of the old one: see [`super::carry_over`]. So the file in use alone tells all
    /// that this disk knows, whatever a core has lost of the others → [`Input::JournalOpened`].
    NewJournal {
        /// The new file's identity.
        incarnation: IncarnationId,
        /// The chain that the core holds.
        succeeds: JournalHead,
        /// For the `Opened` row.
        at: Moment,
    },
    /// Apply entries and the new head in one transaction → [`Input::Applied`]. An entry whose
    /// version is not above the held one's changes nothing; see [`crate::digest`].
    Apply(Delta),
    /// The replica goes on in another epoch as it stands: store it.
    Adopt {
        /// The new epoch.
        epoch: Epoch,
        /// The digest key.
        digest_key: DigestKey,
    },
    /// Begin a third file for a snapshot; throw away any other that was begun.
    BeginSnapshot {
        /// Which one.
        snapshot: SnapshotId,
        /// Of which database.
        epoch: Epoch,
        /// Of which position.
        position: Position,
        /// Number of chunks.
        chunks: u32,
        /// Hash over all chunks' bytes.
        hash: Hash32,
        /// Key for the digest.
        digest_key: DigestKey,
    },
    /// Store the next chunk; they come in order.
    StoreChunk(Chunk),
    /// Check the hash, count the digest, swap → [`Input::SnapshotReady`] or
    /// [`Input::SnapshotFailed`], whatever else fails: none is begun while a report is owed.
    FinishSnapshot {
        /// Which one.
        snapshot: SnapshotId,
    },
    /// Throw the replica away; a snapshot on its way stays.
    DropReplica {
        /// For the log.
        why: &'static str,
    },
    /// Keep this for a restart; not before the position that it names is durable.
    SaveProof(SavedProof),
    /// Keep across restarts whether the core has revoked this node.
    SaveRevoked(bool),
    /// Somebody has to know.
    Alarm(Alarm),
    /// Mode, reason or counts have changed: see [`super::Machine::status`].
    Changed,
}

impl Received {
    /// Takes a message from its envelope; a sync point is believed only by its signature.
    ///
    /// # Errors
    /// [`PointError`] if a sync point is none.
    pub fn check(message: Down, keys: &KeySet) -> Result<Self, PointError> {
        Ok(match message {
            Down::Welcome(welcome) => Self::Welcome(welcome),
            Down::Point(bytes) => Self::Point(SyncPoint::verify(&bytes, keys)?),
            Down::Verdict(verdict) => Self::Verdict(verdict),
            Down::Delta(delta) => Self::Delta(delta),
            Down::Chunk(chunk) => Self::Chunk(chunk),
            Down::JournalAck(ack) => Self::JournalAck(ack),
            Down::Config(config) => Self::Config(config),
        })
    }
}

impl fmt::Debug for ScanRequest {
    /// Without the token's text: whoever has it can use the ticket.
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
