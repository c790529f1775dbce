//! What the machine tells people: verdicts, status, alarms.

use std::time::Duration;

use eventify_protocol::{
    ids::{GateId, ScanId},
    sync::{Digest, Epoch, JournalHead, Position},
    time::CoreInterval,
    verdict::{DecidedBy, Mode, Verdict},
};

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
