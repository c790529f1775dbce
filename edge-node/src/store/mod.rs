//! The replica: this node's copy of the venue's feed, in SQLite.
//!
//! One writer, a thread of its own; the owner of the state reads beside it, and so does whoever
//! counts the digest anew. A snapshot is collected in a plain file, built as a database of its own
//! and swapped in, so that taking a million tickets never holds up a verdict. Each replica is a file
//! with a number; the highest one counts, the swap is a rename.
//!
//! Nothing here is the node's own knowledge: whatever is lost or doubtful is thrown away and fetched
//! anew. What the node itself decided is the journal's.

mod files;
mod proof;
mod reader;
mod rows;
mod schema;
mod snapshot;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};

use eventify_protocol::{
    hash::Hash32,
    ids::SnapshotId,
    sync::{Chunk, Delta, DigestKey, Epoch, Position},
};
use eventify_sync::edge::{PartialSnapshot, RestoredReplica, SavedProof};

use rusqlite::Connection;

use crate::writer_thread::WriterThread;

use files::Files;
use writer::{Command, Writer};

pub(crate) use reader::key_set_of;
pub use reader::{Reader, Recomputed};
pub use snapshot::SnapshotPlan;
pub use writer::Notice;

/// Why the replica can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite, or the disk under it.
    #[error("replica: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file is of a newer release, or damaged.
    #[error("replica: {0}")]
    Migration(#[from] rusqlite_migration::Error),
    /// A row or a chunk that is none.
    #[error("replica: {0}")]
    Malformed(#[from] minicbor::decode::Error),
    /// A file can't be handled.
    #[error("replica: {0}")]
    Io(#[from] std::io::Error),
    /// Something was to be applied to a replica that is not complete, or doesn't end where it joins.
    #[error("replica: a delta from position {0:?} doesn't join on")]
    NotNext(Position),
    /// A chunk that isn't the next one, or of another snapshot.
    #[error("replica: chunk {0} is not the one that is missing")]
    WrongChunk(u32),
    /// Rows were changed behind the writer's back.
    #[error("replica: its rows don't add up to its digest")]
    Damaged,
    /// What was pulled is not what its hash says.
    #[error("replica: the snapshot's content is not what its hash says")]
    WrongContent,
}

/// What was found at the start.
#[derive(Debug)]
pub struct Found {
    /// The replica, if it is complete, its digest counted anew.
    pub replica: Option<RestoredReplica>,
    /// Tickets in it.
    pub tickets: u64,
    /// The newest proof of time.
    pub proof: Option<SavedProof>,
    /// Whether the core has revoked this node.
    pub revoked: bool,
    /// A snapshot whose pull was broken off.
    pub partial: Option<PartialSnapshot>,
    /// Reads the replica.
    pub reader: Reader,
}

/// The writer's handle. Dropping it waits until the writer has finished what it was given.
#[derive(Debug)]
pub struct Replica {
    writer: WriterThread<Command>,
}

impl Replica {
    /// Opens the newest replica, or begins an empty one, and starts the writer. A replica that can't
    /// be read is thrown away. `notify` is called on the writer's thread.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(
        data_dir: &Path,
        notify: impl Fn(Notice) + Send + 'static,
    ) -> Result<(Self, Found), StoreError> {
        let mut files = Files::new(data_dir);
        let (mut connection, mut path) = files.open_newest()?;
        let held = look(&connection, &path).or_else(|error| {
            tracing::error!(code = "replica_damaged", %error, "thrown away, fetched anew");
            (connection, path) = files.open_empty()?;
            look(&connection, &path)
        })?;
        let snapshot = snapshot::Pull::resume(&files.pull_path());
        let found = Found {
            replica: held.replica,
            tickets: held.tickets,
            proof: held.proof,
            revoked: files.is_revoked(),
            partial: snapshot.as_ref().map(snapshot::Pull::partial),
            reader: held.reader,
        };
        let writer = Writer::new(connection, files, snapshot, found.tickets);
        let writer = WriterThread::start("replica", move |waiting| writer.run(waiting, &notify))?;
        Ok((Self { writer }, found))
    }

    /// Applies entries that join on. `Applied` follows, or `Failed`.
    pub fn apply(&self, delta: Delta) {
        self.writer.command(Command::Apply(delta));
    }

    /// Goes on in another epoch with the same rows.
    pub fn adopt(&self, epoch: Epoch, digest_key: DigestKey) {
        self.writer.command(Command::Adopt(epoch, digest_key));
    }

    /// Begins to collect a snapshot, or goes on with the same one.
    pub fn begin_snapshot(&self, plan: SnapshotPlan) {
        self.writer.command(Command::BeginSnapshot(plan));
    }

    /// Keeps the next chunk.
    pub fn store_chunk(&self, chunk: Chunk) {
        self.writer.command(Command::StoreChunk(chunk));
    }

    /// Builds the replica and swaps it in. `SnapshotReady` follows, or `SnapshotFailed`.
    pub fn finish_snapshot(&self, snapshot: SnapshotId) {
        self.writer.command(Command::FinishSnapshot(snapshot));
    }

    /// Throws the replica away. `Emptied` follows.
    pub fn discard(&self) {
        self.writer.command(Command::Discard);
    }

    /// Keeps a proof of time for a restart.
    pub fn save_proof(&self, proof: SavedProof) {
        self.writer.command(Command::SaveProof(proof));
    }

    /// Keeps whether the core has revoked this node.
    pub fn save_revoked(&self, revoked: bool) {
        self.writer.command(Command::SaveRevoked(revoked));
    }
}

/// What a replica's file holds.
struct Held {
    replica: Option<RestoredReplica>,
    tickets: u64,
    proof: Option<SavedProof>,
    reader: Reader,
}

/// Reads a replica's file; its digest is counted anew (`ADMISSION` 5.5).
fn look(connection: &Connection, path: &Path) -> Result<Held, StoreError> {
    let reader = Reader::open(path)?;
    let counted = reader.recompute()?;
    if counted.is_some_and(|counted| counted.digest != counted.stored) {
        return Err(StoreError::Damaged);
    }
    let replica = counted
        .as_ref()
        .map(|counted| reader.restored(counted))
        .transpose()?;
    Ok(Held {
        replica,
        tickets: counted.map_or(0, |counted| counted.tickets),
        proof: proof::load(connection)?,
        reader,
    })
}

/// The newest replica's file, for tools that read beside a running node.
#[must_use]
pub fn newest_path(data_dir: &Path) -> Option<PathBuf> {
    Files::new(data_dir).newest()
}

/// Whether the core has revoked this node, as last heard.
#[must_use]
pub fn is_revoked(data_dir: &Path) -> bool {
    Files::new(data_dir).is_revoked()
}

fn to_sql(number: u64) -> i64 {
    i64::try_from(number).expect("positions and times since boot stay below 2^63")
}

fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn encode<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to a Vec can't fail")
}

fn hash(bytes: [u8; 32]) -> Hash32 {
    Hash32(bytes)
}
