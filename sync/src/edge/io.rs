//! The seam between the machine and its shell: every fact that goes in, every act that comes out.
//!
//! The shell owns the pipe, the two SQLite files and the LAN server. It carries outputs out in the
//! order in which they come, journal outputs on one thread and replica outputs on another, and
//! reports back with the inputs named beside them. It decides nothing.

use std::{fmt, time::Duration};

use eventify_protocol::{
    hash::Hash32,
    ids::{
        BootId, GateId, IncarnationId, MessageId, NodeId, ScanId, ScannerId, SnapshotId, TicketId,
        VenueId,
    },
    keys::KeySet,
    sync::{
        Chunk, Config, Decision, Delta, Digest, DigestKey, Down, Epoch, FeedEntry, JournalAck,
        JournalHead, Moment, PointError, Position, ScanVerdict, SealedRow, SyncPoint, TicketEntry,
        Up, Welcome,
    },
    time::{BootTime, CoreInterval, CoreTime, WallTime},
    verdict::{DecidedBy, Mode, Verdict},
};

use crate::token::TokenCheck;

/// The two clocks of a node, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// `CLOCK_BOOTTIME`.
    pub boottime: BootTime,
    /// `CLOCK_REALTIME`.
    pub wall: WallTime,
}

/// What the shell found when it started.
#[derive(Clone, Debug)]
pub struct Restored {
    /// This node.
    pub node: NodeId,
    /// Its venue.
    pub venue: VenueId,
    /// The kernel's boot id.
    pub boot: BootId,
    /// Version of the software, for `Hello` and `Health`.
    pub software: String,
    /// Configuration's own limit of the cache age; anything above `MAX_CACHE_AGE` counts as that.
    pub configured_limit: Duration,
    /// 32 random bytes from the operating system, new at each start: nonces, message ids and
    /// incarnations are drawn from them.
    pub entropy: [u8; 32],
    /// The journal. The shell makes the first file itself, with an `Opened` row.
    pub journal: RestoredJournal,
    /// The replica, if one is complete. The digest was recomputed from the rows just now.
    pub replica: Option<RestoredReplica>,
    /// A snapshot whose pull was broken off.
    pub partial: Option<PartialSnapshot>,
    /// What [`Output::SaveProof`] saved last.
    pub proof: Option<SavedProof>,
    /// What [`Output::SaveRevoked`] saved last.
    pub revoked: bool,
}

/// The journal as found on disk.
#[derive(Clone, Debug)]
pub struct RestoredJournal {
    /// Its end.
    pub head: JournalHead,
    /// Last sequence number that the core acknowledged; 0 if none.
    pub acknowledged: u64,
    /// In order of `seq`: every row that is unacknowledged, or whose acknowledged position the
    /// replica has not passed, or that was acknowledged in another epoch than the replica's.
    pub rows: Vec<RestoredRow>,
}

/// A row that still matters.
#[derive(Clone, Debug)]
pub struct RestoredRow {
    /// The row.
    pub row: SealedRow,
    /// Feed position of its acknowledgement, if it was acknowledged in the replica's epoch.
    pub acknowledged: Option<Position>,
}

/// A complete replica.
#[derive(Clone, Debug)]
pub struct RestoredReplica {
    /// Which database it follows.
    pub epoch: Epoch,
    /// Its position.
    pub position: Position,
    /// Its digest, recomputed from its rows.
    pub digest: Digest,
    /// The key of that digest.
    pub digest_key: DigestKey,
    /// All its entries that are not tickets.
    pub small: Vec<FeedEntry>,
}

/// A snapshot on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialSnapshot {
    /// Which one.
    pub snapshot: SnapshotId,
    /// The first chunk that is missing.
    pub next: u32,
}

/// What the newest proof said, for a restart in the same boot (`ADMISSION` 1.5, 1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedProof {
    /// The boot in which the question was asked.
    pub boot: BootId,
    /// Both clocks when the question was sent.
    pub asked: Now,
    /// Boottime when the answer was taken.
    pub answered: BootTime,
    /// The point's epoch.
    pub epoch: Epoch,
    /// The point's feed position, where the replica's digest agreed with it.
    pub position: Position,
    /// T.
    pub truth: CoreTime,
    /// C; also the floor.
    pub core: CoreTime,
}

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
    /// Answer to [`Output::FinishSnapshot`]: hash or content was wrong; nothing is left of it.
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
    /// the old file's rows from `carry_from` on: see [`super::carry_over`] →
    /// [`Input::JournalOpened`].
    NewJournal {
        /// The new file's identity.
        incarnation: IncarnationId,
        /// The chain that the core holds.
        succeeds: JournalHead,
        /// First row of the old file that the core may not have.
        carry_from: u64,
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
    /// [`Input::SnapshotFailed`].
    FinishSnapshot {
        /// Which one.
        snapshot: SnapshotId,
    },
    /// Throw the replica away, and any snapshot begun.
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

/// What a waiting request is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A verdict.
    Verdict(Answer),
    /// The scan id was used before, by another scanner, gate or token. Nothing has changed.
    ScanIdReused,
    /// Too many scans wait; this one was not looked at.
    Overloaded,
}

/// A verdict with what the screen and the scanner's own clock need (`ADMISSION` 3.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The scan.
    pub scan: ScanId,
    /// The verdict.
    pub verdict: Verdict,
    /// Name of the first entry's gate, beside `AlreadyUsed`, if the replica knows it.
    pub first_gate_name: Option<String>,
    /// In which mode it was decided.
    pub mode: Mode,
    /// Age of what it was decided from, now: for a repeat, the age at the decision and the time
    /// since. None if nothing can be said.
    pub cache_age: Option<Duration>,
    /// The limit in force.
    pub limit: Duration,
    /// By whom.
    pub decided_by: DecidedBy,
    /// It was given to the same scan before.
    pub repeated: bool,
}

/// What venue IT has to know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The replica's digest is not the core's at the same position.
    DigestMismatch {
        /// Where.
        position: Position,
    },
    /// The replica's rows don't add up to their own digest.
    ReplicaDamaged,
    /// A snapshot's content was not what its hash says.
    SnapshotRefused,
    /// The core's journal head is not in this node's chain.
    JournalFork {
        /// What the core holds.
        core: JournalHead,
        /// What this node holds.
        own: JournalHead,
    },
    /// The two clocks went apart, or the wall clock is behind the floor.
    ClockNotTrusted,
    /// The core speaks another database.
    EpochChanged {
        /// Before.
        from: Epoch,
        /// Now.
        to: Epoch,
    },
    /// The core named a digest algorithm that this release does not know.
    UnknownDigestAlgorithm(u8),
    /// The core revoked this node.
    Revoked,
    /// A decision was taken back after its fsync: the disk is too slow or the age was at its end.
    Voided(ScanId),
}

/// Why a node is not `Online`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// `Locked`: the core has revoked this node.
    Revoked,
    /// `Locked`: degraded check-in is switched off for this venue.
    DegradedOff,
    /// `Locked`: there is no complete replica.
    NoReplica,
    /// `Locked`: the clock can't be trusted until the core has answered.
    ClockNotTrusted,
    /// `Locked`: no sync point was agreed since the start or the last snapshot.
    NoProof,
    /// `Locked`: the cache is older than the limit.
    CacheTooOld,
    /// `Locked`: an admission made alone has gone unacknowledged for too long.
    Unacknowledged,
    /// `Degraded`: the core does not answer.
    CoreSilent,
    /// The core answers, its acknowledgement of own decisions is awaited.
    CatchingUp,
}

/// What `/v1/status` and the stream show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What staff see; `Resyncing` while the core is back and decisions are not yet acknowledged.
    pub mode: Mode,
    /// Why it is not `Online`.
    pub reason: Option<Reason>,
    /// Age of the cache.
    pub cache_age: Option<Duration>,
    /// The limit in force; zero is off.
    pub limit: Duration,
    /// What is left until `Locked`, if the core stays silent; none when `Online` or `Locked`.
    pub remaining: Option<Duration>,
    /// Epoch of the replica.
    pub epoch: Option<Epoch>,
    /// Position of the replica.
    pub position: Position,
    /// Digest of the replica.
    pub digest: Option<Digest>,
    /// The feed's head, as last heard.
    pub head: Position,
    /// The journal's end.
    pub journal: JournalHead,
    /// Rows that the core has not acknowledged.
    pub unacknowledged: u64,
    /// Core time as this node can bound it.
    pub core_time: Option<CoreInterval>,
    /// The gates that this node may decide for.
    pub gates: Vec<GateCounts>,
}

/// What happened at a gate since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateCounts {
    /// The gate.
    pub gate: GateId,
    /// Its name; its id as text while the replica does not know it.
    pub name: String,
    /// Guests admitted.
    pub admitted: u64,
    /// Scans refused.
    pub refused: u64,
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

impl Reason {
    /// Stable code for status, stream and logs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::DegradedOff => "degraded_off",
            Self::NoReplica => "no_replica",
            Self::ClockNotTrusted => "clock_not_trusted",
            Self::NoProof => "no_sync_point",
            Self::CacheTooOld => "cache_too_old",
            Self::Unacknowledged => "unacknowledged_admissions",
            Self::CoreSilent => "core_silent",
            Self::CatchingUp => "catching_up",
        }
    }
}

impl Alarm {
    /// Stable code for logs and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::DigestMismatch { .. } => "digest_mismatch",
            Self::ReplicaDamaged => "replica_damaged",
            Self::SnapshotRefused => "snapshot_refused",
            Self::JournalFork { .. } => "journal_fork",
            Self::ClockNotTrusted => "clock_not_trusted",
            Self::EpochChanged { .. } => "epoch_changed",
            Self::UnknownDigestAlgorithm(_) => "digest_algorithm_unknown",
            Self::Revoked => "node_revoked",
            Self::Voided(_) => "decision_voided",
        }
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
