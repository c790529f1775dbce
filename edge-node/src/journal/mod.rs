//! The journal: what this node decided, hash-chained, durable before a verdict is shown
//! (`ADMISSION` sections 3.5 and 4).
//!
//! One SQLite file with one writer, a thread of its own. It takes all rows that are waiting, writes
//! them in one transaction, and sends `Persisted` only when the disk has them: under load one `fsync`
//! serves many scans. If a write fails, it sends `Failed` and ends; the node then ends before any
//! verdict of that batch leaves. While another program holds the file it waits. Readers work beside it.
//!
//! A repeated scan is answered from here, and admissions are read here before the replica. Rows are
//! never changed; retention removes old acknowledged rows from the chain's beginning and keeps the
//! hash that the first remaining row follows.

mod acts;
mod checkpointer;
mod export;
mod last_row;
mod loss;
mod reader;
mod restore;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    fs,
    path::{Path, PathBuf},
};

use eventify_protocol::{
    hash::Hash32,
    ids::ScanId,
    sync::{Epoch, JournalAck, JournalEntry, JournalRow, RowError, SealedRow},
    time::CoreTime,
};

use rusqlite::Connection;

use crate::{config::JournalConfig, held_file, writer_thread::WriterThread};

pub use export::{ExportError, Exported, export};
pub use last_row::{LastRow, LastRowKeeper};
pub use loss::{Loss, RestartError, Restarted, find_loss, restart};
pub use reader::{Chain, Reader};
pub use writer::Notice;

use checkpointer::Checkpointer;
use writer::{Command, Writer};

const FILE: &str = "journal.sqlite";
/// The log beside the file is copied into it at half of that, unless another program reads the file.
const USUAL_LOG_BYTES: u64 = 32 << 20;

/// Why the journal can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// SQLite, or the disk under it.
    #[error("journal: {0}")]
    Sqlite(rusqlite::Error),
    #[error(
        "journal: another program holds the file ({0}): a backup, a virus scanner, a database browser? \
         Close it; `eventify-edge doctor` names it"
    )]
    Held(rusqlite::Error),
    #[error("journal: the file is damaged ({0}). {KEEP_AND_GO_ON}")]
    Damaged(rusqlite::Error),
    /// A row that is known to exist is not there.
    #[error("journal: {0}; guests who were let in may be among them. {KEEP_AND_GO_ON}")]
    Behind(Loss),
    /// What is kept of the journal's end apart from it.
    #[error("{}: {error}; `eventify-edge restart-journal` writes it anew", path.display())]
    LastRow {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("journal: the file is damaged or of a newer release: {0}")]
    Migration(rusqlite_migration::Error),
    #[error("journal: a row can't be decoded: {0}")]
    Row(#[from] RowError),
    #[error("journal: row {seq} doesn't follow the end of its chain")]
    NotNext { seq: u64 },
    #[error("journal: the writer's thread can't be started: {0}")]
    Thread(std::io::Error),
}

/// What to do about a journal that is damaged or lacks rows.
const KEEP_AND_GO_ON: &str = "If a good copy is at hand (the old card, a backup of after the last \
     row), put it back. Otherwise save what can be read with `eventify-edge export-journal --out \
     FILE`, then `eventify-edge restart-journal` puts the file aside and goes on without the rest: \
     the core is told what is lost, and the gate stays closed until the core has said whom it let in";

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Self::Damaged(error)
            }
            _ if held_file::is_held(&error) => Self::Held(error),
            Some(_) | None => Self::Sqlite(error),
        }
    }
}

impl From<rusqlite_migration::Error> for JournalError {
    fn from(error: rusqlite_migration::Error) -> Self {
        if let rusqlite_migration::Error::RusqliteError { err, .. } = error {
            err.into()
        } else {
            Self::Migration(error)
        }
    }
}

impl JournalError {
    /// Rows are lost or can't be read: starting again does not help.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        matches!(
            self,
            Self::Damaged(_) | Self::Behind(_) | Self::LastRow { .. }
        )
    }

    /// Another program holds the file.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }

    /// There is no space left, on the disk or under the limit.
    fn is_disk_full(&self) -> bool {
        matches!(self, Self::Sqlite(error)
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }
}

/// The journal's file in a data directory.
#[must_use]
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// The writer's handle. Dropping it waits until the writer has finished its commands.
#[derive(Debug)]
pub struct Journal {
    writer: WriterThread<Command>,
    path: PathBuf,
}

impl Journal {
    /// Opens the file, creates it if there is none, and starts the writer. `notify` is called on the
    /// writer's thread.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn open(
        data_dir: &Path,
        limits: JournalConfig,
        notify: impl Fn(Notice) + Send + 'static,
    ) -> Result<Self, JournalError> {
        let path = path(data_dir);
        let connection = schema::open_writer(&path, limits.max_bytes)?;
        let checkpointer = Checkpointer::start(&path)?;
        let writer = Writer::new(connection, checkpointer, limits)?;
        let writer = WriterThread::start("journal", move |waiting| writer.run(waiting, &notify))
            .map_err(JournalError::Thread)?;
        Ok(Self { writer, path })
    }

    /// Appends rows, in the chain's order. `Persisted` follows, or `Failed`.
    pub fn append(&self, rows: Vec<SealedRow>) {
        self.writer.command(Command::Append(rows));
    }

    /// Marks what the core holds, and no more. No notice follows.
    pub fn mark_acknowledged(&self, ack: JournalAck) {
        self.writer.command(Command::MarkAcknowledged(ack));
    }

    /// Removes acknowledged rows that were decided certainly before `before`.
    pub fn retire(&self, before: CoreTime) {
        self.writer.command(Command::Retire(before));
    }

    /// Has a log cut off that has grown while another program read the file, as soon as that is possible.
    pub fn tend_log(&self) {
        if grown_bytes(&self.path) > 0 {
            self.writer.command(Command::CopyLog);
        }
    }

    /// A reader of its own, for the calling thread.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn reader(&self) -> Result<Reader, JournalError> {
        Reader::open(&self.path)
    }
}

/// The scan that a row is about.
fn scan_of(row: &JournalRow) -> Option<ScanId> {
    match &row.entry {
        JournalEntry::Opened { .. }
        | JournalEntry::Unreadable { .. }
        | JournalEntry::Searched(_)
        | JournalEntry::Left(_)
        | JournalEntry::GateChanged(_) => None,
        JournalEntry::Decision(decision) => Some(decision.scan),
        JournalEntry::Overridden(act) => Some(act.scan),
        JournalEntry::Undone(act) => Some(act.scan),
        JournalEntry::Voided { scan, .. } | JournalEntry::RefusedAgain { scan, .. } => Some(*scan),
    }
}

fn encode_epoch(epoch: &Epoch) -> Vec<u8> {
    minicbor::to_vec(epoch).expect("writing to a Vec can't fail")
}

fn decode_hash(bytes: &[u8]) -> Result<Hash32, JournalError> {
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| {
        rusqlite::Error::InvalidColumnType(0, "hash".to_owned(), rusqlite::types::Type::Blob)
    })?;
    Ok(Hash32(bytes))
}

fn to_sql(number: u64) -> i64 {
    i64::try_from(number).expect("sequence numbers and positions stay below 2^63")
}

fn from_sql(number: i64) -> u64 {
    u64::try_from(number).expect("checked by the schema: never negative")
}

/// Bytes that can still be written: the smaller of what the limit and the disk leave; 0 if that is
/// unknown.
fn space(connection: &Connection, limits: &JournalConfig) -> u64 {
    let Some(path) = connection.path().map(Path::new) else {
        return 0;
    };
    let used = used_bytes(connection).map(|used| used.saturating_add(grown_bytes(path)));
    let within_limit = used.map_or(0, |used| limits.max_bytes.saturating_sub(used));
    within_limit.min(free_bytes(path))
}

/// Size of the log beside a journal's file: it grows for as long as another program reads the file, and
/// counts towards the limit then.
#[must_use]
pub fn log_bytes(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).map_or(0, |metadata| metadata.len())
}

/// By how much the log is larger than it ever is by itself: while another program reads the file, nothing of it
/// can be used again.
#[must_use]
pub fn grown_bytes(path: &Path) -> u64 {
    log_bytes(path).saturating_sub(USUAL_LOG_BYTES)
}

/// Size of the file without the pages that retired rows have left: new rows use them again.
fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    let (pages, free) = (pragma("page_count")?, pragma("freelist_count")?);
    let page: i64 = pragma("page_size")?;
    Ok(from_sql((pages - free) * page))
}

/// Free space for this process on the disk of a file; 0 if that is unknown.
#[must_use]
pub fn free_bytes(path: &Path) -> u64 {
    rustix::fs::statvfs(path).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}
