//! What the shell finds on disk when it starts, and the machine goes on from.

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
