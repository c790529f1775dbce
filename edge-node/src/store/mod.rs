//! The replica: this node's copy of the venue's feed, in SQLite.
//!
//! One writer, a thread of its own; the owner of the state reads beside it, and so does the
//! recomputation of the digest. A snapshot is collected in a plain file, built as a database of its
//! own and swapped in, so that a million tickets never delay a verdict. Each replica is a file with a
//! number; the highest one is in use, the swap is a rename.
//!
//! Everything here can be fetched from the core: a file that is damaged is deleted. What the node
//! itself decided is in the journal.

mod counts;
mod files;
mod guests;
mod journal_end;
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
    ids::SnapshotId,
    sync::{Chunk, Delta, DigestKey, Epoch, JournalHead, Position},
};
pub use eventify_sync::edge::SnapshotPlan;
use eventify_sync::edge::{PartialSnapshot, RestoredReplica, SavedProof};

use rusqlite::Connection;

use crate::{held_file, writer_thread::WriterThread};

use files::Files;
use snapshot::Pull;
use writer::{Command, Writer};

pub use counts::TicketKind;
pub use journal_end::{delete_journal_end, journal_end};
pub(crate) use reader::key_set_of;
pub use reader::{Reader, Recomputed};
pub use writer::Notice;

/// Why the replica can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite, or the disk under it.
    #[error("replica: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("replica: the file is damaged or of a newer release: {0}")]
    Migration(#[from] rusqlite_migration::Error),
    /// A row or a chunk.
    #[error("replica: an entry can't be decoded: {0}")]
    Malformed(#[from] minicbor::decode::Error),
    #[error("replica: {0}")]
    Io(#[from] std::io::Error),
    /// The replica is not complete, or not at the position where the entries begin.
    #[error("replica: entries after position {} don't continue it", .0.0)]
    NotNext(Position),
    /// Not the next chunk, or of another snapshot.
    #[error("replica: chunk {0} is not the next one of the snapshot")]
    WrongChunk(u32),
    /// Rows were changed by something else than the writer.
    #[error("replica: its rows don't add up to its digest")]
    Damaged,
    #[error("replica: the snapshot's content does not have its hash")]
    WrongContent,
}

impl StoreError {
    /// Another program holds the file.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self, Self::Sqlite(error) if held_file::is_held(error))
    }
}

/// What was found at the start.
#[derive(Debug, Default)]
pub struct Found {
    /// None if it is not complete. Its digest was recomputed.
    pub replica: Option<RestoredReplica>,
    pub tickets: u64,
    pub proof: Option<SavedProof>,
    /// The journal's end when the proof was written.
    pub journal_end: Option<JournalHead>,
    /// Whether the core has revoked this node.
    pub revoked: bool,
    /// A snapshot whose pull was interrupted.
    pub partial: Option<PartialSnapshot>,
}

/// The writer's handle. Dropping it waits until the writer has finished its commands.
#[derive(Debug)]
pub struct Replica {
    writer: WriterThread<Command>,
}

impl Replica {
    /// Opens the newest replica, or creates an empty one, and starts the writer. A replica that can't
    /// be read is deleted. `notify` is called on the writer's thread.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(
        data_dir: &Path,
        notify: impl Fn(Notice) + Send + 'static,
    ) -> Result<(Self, Reader, Found), StoreError> {
        let mut files = Files::new(data_dir);
        let (mut connection, mut path) = files.open_newest()?;
        let (reader, mut found) = inspect(&connection, &path).or_else(|error| {
            if error.is_held() {
                return Err(error);
            }
            tracing::error!(
                code = "replica.damaged_at_start",
                %error,
                path = %path.display(),
                "the replica can't be used; it is deleted and fetched again"
            );
            (connection, path) = files.open_empty()?;
            inspect(&connection, &path)
        })?;
        let pull = Pull::resume(&files.pull_path());
        found.partial = pull.as_ref().map(Pull::partial);
        found.revoked = files.is_revoked();
        let writer = Writer::new(connection, files, pull, found.tickets);
        let writer = WriterThread::start("replica", move |waiting| writer.run(waiting, &notify))?;
        Ok((Self { writer }, reader, found))
    }

    /// Applies entries that continue the replica. `Applied` follows, or `Failed`.
    pub fn apply(&self, delta: Delta) {
        self.writer.command(Command::Apply(delta));
    }

    /// The same rows continue in another epoch.
    pub fn adopt(&self, epoch: Epoch, digest_key: DigestKey) {
        self.writer.command(Command::Adopt(epoch, digest_key));
    }

    /// Begins to collect a snapshot, or continues the same one.
    pub fn begin_snapshot(&self, plan: SnapshotPlan) {
        self.writer.command(Command::BeginSnapshot(plan));
    }

    /// Stores the next chunk.
    pub fn store_chunk(&self, chunk: Chunk) {
        self.writer.command(Command::StoreChunk(chunk));
    }

    /// Builds the replica and swaps it in. `SnapshotReady` follows, or `SnapshotFailed`.
    pub fn finish_snapshot(&self, snapshot: SnapshotId) {
        self.writer.command(Command::FinishSnapshot(snapshot));
    }

    /// Deletes the replica. `Emptied` follows.
    pub fn discard(&self) {
        self.writer.command(Command::Discard);
    }

    /// Stores a proof of the cache's age for a restart, and the journal's end at that time.
    pub fn update_proof(&self, proof: SavedProof, journal_end: Option<JournalHead>) {
        self.writer
            .command(Command::UpdateProof(proof, journal_end));
    }

    /// Stores whether the core has revoked this node.
    pub fn update_revoked(&self, revoked: bool) {
        self.writer.command(Command::UpdateRevoked(revoked));
    }
}

/// Reads a replica's file and recomputes its digest (`ADMISSION` 5.5).
fn inspect(connection: &Connection, path: &Path) -> Result<(Reader, Found), StoreError> {
    let reader = Reader::open(path)?;
    let recomputed = reader.recompute()?;
    if recomputed.is_some_and(|recomputed| recomputed.digest != recomputed.stored) {
        return Err(StoreError::Damaged);
    }
    let found = Found {
        replica: rows::find_replica(connection)?,
        tickets: recomputed.map_or(0, |recomputed| recomputed.tickets),
        proof: proof::find(connection)?,
        journal_end: journal_end::find(connection)?,
        ..Found::default()
    };
    Ok((reader, found))
}

/// The newest replica's file, for tools that read beside a running node.
#[must_use]
pub fn newest_path(data_dir: &Path) -> Option<PathBuf> {
    Files::new(data_dir).find_newest()
}

/// Whether the core has revoked this node, as last received.
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
