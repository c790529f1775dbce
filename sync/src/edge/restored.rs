//! What the shell finds on disk when it starts, and the machine continues from.

use std::time::Duration;

use eventify_protocol::{
    ids::{BootId, NodeId, SnapshotId, VenueId},
    sync::{Digest, DigestKey, Epoch, FeedEntry, JournalHead, Position, SealedRow},
    time::{BootTime, CoreTime, WallTime},
};

/// The two clocks of a node, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// `CLOCK_BOOTTIME`.
    pub boottime: BootTime,
    /// `CLOCK_REALTIME`.
    pub wall: WallTime,
}

#[derive(Clone, Debug)]
pub struct Restored {
    pub node: NodeId,
    pub venue: VenueId,
    /// The kernel's boot id.
    pub boot: BootId,
    /// Version of the software, for `Hello` and `Health`.
    pub software: String,
    /// The configured limit of the cache age; anything above `MAX_CACHE_AGE` counts as that.
    pub configured_limit: Duration,
    /// 32 random bytes from the operating system, new at each start: nonces, message ids and
    /// incarnations are drawn from them.
    pub entropy: [u8; 32],
    /// The journal. The shell makes the first file itself, with an `Opened` row.
    pub journal: RestoredJournal,
    /// None if it is not complete.
    pub replica: Option<RestoredReplica>,
    /// A snapshot whose pull was interrupted.
    pub partial: Option<PartialSnapshot>,
    /// The last [`super::ReplicaOutput::UpdateProof`].
    pub proof: Option<SavedProof>,
    /// The last [`super::ReplicaOutput::UpdateRevoked`].
    pub revoked: bool,
}

/// The journal as found on disk.
#[derive(Clone, Debug)]
pub struct RestoredJournal {
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
    pub row: SealedRow,
    /// Feed position of its acknowledgement, if it was acknowledged in the replica's epoch.
    pub acknowledged: Option<Position>,
}

/// A complete replica.
#[derive(Clone, Debug)]
pub struct RestoredReplica {
    /// The database that it follows.
    pub epoch: Epoch,
    pub position: Position,
    /// Recomputed from its rows at the start.
    pub digest: Digest,
    pub digest_key: DigestKey,
    /// All its entries that are not tickets.
    pub small: Vec<FeedEntry>,
}

/// A snapshot under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialSnapshot {
    pub snapshot: SnapshotId,
    /// The first chunk that is missing.
    pub next: u32,
}

/// The newest proof of the cache's age, for a restart in the same boot (`ADMISSION` 1.5, 1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedProof {
    /// The boot in which the question was asked.
    pub boot: BootId,
    /// When the question was sent.
    pub asked: Now,
    /// When the answer came.
    pub answered: BootTime,
    /// Of the sync point.
    pub epoch: Epoch,
    /// Where the replica had the point's digest.
    pub position: Position,
    /// T.
    pub truth: CoreTime,
    /// C; also the floor.
    pub core: CoreTime,
}
