//! What the machine reports: replies to scans, the node's status, alarms.

use std::time::Duration;

use eventify_protocol::{
    ids::{GateId, ScanId, TicketId},
    lan::GatePerformance,
    sync::{Digest, Epoch, JournalHead, Position},
    time::CoreInterval,
    verdict::{DecidedBy, FirstEntry, Mode, Verdict},
};

use super::{ActOutcome, ActRefusal, Machine, NoSearch, Now, SearchRecorded, shown::Shown};

/// The reply to a waiting request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Verdict(Box<ScanOutcome>),
    /// The scan id was used before, by another scanner, gate or token, or its admission was undone.
    /// Nothing has changed.
    ScanIdReused,
    /// Too many scans wait, or this one could not be decided in time. Nothing was written.
    Overloaded,
    /// The row of a search is on disk, or there is none and nobody is shown anything.
    Search(Result<SearchRecorded, NoSearch>),
    Act(Box<ActOutcome>),
    /// Nothing was done.
    ActRefused(ActRefusal),
}

/// A verdict with what the screen and the scanner's own clock need (`ADMISSION` 3.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanOutcome {
    pub scan: ScanId,
    pub verdict: Verdict,
    /// What staff are told beside it.
    pub shown: Shown,
    /// When it was decided.
    pub mode: Mode,
    /// Age of the data behind the decision, now: for a repeat, the age at the decision plus the time
    /// since. None if it can't be bounded.
    pub cache_age: Option<Duration>,
    /// The limit in force.
    pub limit: Duration,
    pub decided_by: DecidedBy,
    /// The same scan had this verdict before.
    pub repeated: bool,
}

/// What venue IT has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// The replica's digest is not the core's at this position.
    DigestMismatch { position: Position },
    /// The replica's rows don't add up to their own digest.
    ReplicaDamaged,
    /// A snapshot's content does not have its hash.
    SnapshotRefused,
    /// The core's journal head is not in this node's chain.
    JournalFork { core: JournalHead, own: JournalHead },
    /// The two clocks went apart, or the wall clock is behind the floor.
    ClockNotTrusted,
    /// The core answers from another database.
    EpochChanged { from: Epoch, to: Epoch },
    /// The core uses a digest algorithm that this release does not have.
    UnknownDigestAlgorithm(u8),
    /// The core has revoked this node.
    Revoked,
    /// A decision was taken back after its fsync: the disk is too slow, or the cache was about to
    /// become too old.
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
    /// `Locked`: rows of the journal are lost, and the core has yet to say whom they let in.
    RowsLost,
    /// `Locked`: the clocks can't be trusted until the core has answered.
    ClockNotTrusted,
    /// `Locked`: no sync point has matched since the start or the last snapshot.
    NoProof,
    /// `Locked`: the cache is older than the limit.
    CacheTooOld,
    /// `Locked`: an admission made alone has gone unacknowledged for too long.
    Unacknowledged,
    /// `Degraded`: the core does not answer.
    CoreSilent,
    /// The core answers but has not yet acknowledged this node's own decisions.
    CatchingUp,
}

/// What `/v1/status` and the stream show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// `Resyncing` while the core is back and decisions are not yet acknowledged.
    pub mode: Mode,
    /// Why it is not `Online`.
    pub reason: Option<Reason>,
    pub cache_age: Option<Duration>,
    /// The limit in force; zero is off.
    pub limit: Duration,
    /// Time until `Locked` if the core stays silent; none when `Online` or `Locked`.
    pub remaining: Option<Duration>,
    /// Of the replica, like position and digest.
    pub epoch: Option<Epoch>,
    pub position: Position,
    pub digest: Option<Digest>,
    /// The feed's head as last received.
    pub head: Position,
    pub journal: JournalHead,
    /// Rows that the core has not acknowledged.
    pub unacknowledged: u64,
    /// Bounds of the core's clock.
    pub core_time: Option<CoreInterval>,
    /// The gates that this node may decide for.
    pub gates: Vec<GateCounts>,
    /// What they admit to around now.
    pub performances: Vec<GatePerformance>,
    /// What staff do while nobody decides, by the venue's word.
    pub procedure: Vec<String>,
}

/// What happened at a gate since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateCounts {
    pub gate: GateId,
    /// Its id as text while the replica does not have the name.
    pub name: String,
    pub admitted: u64,
    pub refused: u64,
    /// Of those refused, texts that are no tickets.
    pub unreadable: u64,
    /// Guests who left with a scan.
    pub left: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) admitted: u64,
    pub(super) refused: u64,
    pub(super) unreadable: u64,
    pub(super) left: u64,
}

impl Reason {
    /// Stable code for status, stream and logs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::DegradedOff => "degraded_off",
            Self::NoReplica => "no_replica",
            Self::RowsLost => "journal_rows_lost",
            Self::ClockNotTrusted => "clock_not_trusted",
            Self::NoProof => "no_sync_point",
            Self::CacheTooOld => "cache_too_old",
            Self::Unacknowledged => "unacknowledged_admissions",
            Self::CoreSilent => "core_silent",
            Self::CatchingUp => "catching_up",
        }
    }
}

impl Machine {
    /// What `/v1/status` and the stream show.
    #[must_use]
    pub fn status(&self, now: Now) -> Status {
        let state = self.node_state(now);
        let ruling = state.ruling();
        Status {
            mode: self.display(ruling.mode),
            reason: ruling.reason,
            cache_age: state.age,
            limit: state.limit,
            remaining: (ruling.mode == Mode::Degraded).then(|| {
                let age = state.age.unwrap_or(Duration::MAX);
                state.limit.saturating_sub(age)
            }),
            epoch: self.replica.epoch(),
            position: self.replica.applied(),
            digest: self.replica.digest(),
            head: self.replica.head(),
            journal: self.journal.head(),
            unacknowledged: self.journal.unacknowledged(),
            core_time: self.time.bounds(now),
            gates: self.gate_counts(),
            performances: self.performances_around(now),
            procedure: self.replica.procedure().to_vec(),
        }
    }

    /// The admissions of this node that the replica may not show yet (`ADMISSION` 3.6).
    pub fn own_admissions(&self) -> impl Iterator<Item = (TicketId, FirstEntry)> {
        let all = self.overlay.iter();
        all.map(|(ticket, admission)| (ticket, admission.first_entry()))
    }

    /// The mode as staff see it: on the way back from `Degraded` or `Locked` it is `Resyncing`.
    pub(super) fn display(&self, ruled: Mode) -> Mode {
        let is_back = self.connectivity.is_returning() && !self.is_revoked();
        match ruled {
            Mode::Degraded | Mode::Locked if is_back => Mode::Resyncing,
            Mode::Online | Mode::Degraded | Mode::Locked | Mode::Resyncing => ruled,
        }
    }

    fn gate_counts(&self) -> Vec<GateCounts> {
        let node = self.replica.node(self.node);
        let gates = node.into_iter().flat_map(|node| &node.gates).copied();
        gates
            .map(|gate| {
                let counts = self.counts.get(&gate).copied().unwrap_or_default();
                let entry = self.replica.gate(gate);
                GateCounts {
                    gate,
                    name: entry.map_or_else(|| gate.to_string(), |entry| entry.name.clone()),
                    admitted: counts.admitted,
                    refused: counts.refused,
                    unreadable: counts.unreadable,
                    left: counts.left,
                }
            })
            .collect()
    }
}
