//! Copies the journal's write-ahead log into its file, beside the writer.
//!
//! Without this the writer would copy everything at once, every few thousand rows, and all scans of
//! that moment would wait. Only the writer can restart the log, so a small part stays with it. A log that grew
//! while another program read the file is cut off when that program is gone: the writer would use it again, and
//! never make it smaller.

use std::path::Path;

use rusqlite::Connection;

use super::{JournalError, grown_bytes, schema};
use crate::writer_thread::{Queue, WriterThread};

/// Rows after which the log is copied.
const ROWS: usize = 1_000;

/// The thread's handle, and the rows since it was last woken.
pub(super) struct Checkpointer {
    thread: WriterThread<()>,
    rows: usize,
}

impl Checkpointer {
    pub(super) fn start(path: &Path) -> Result<Self, JournalError> {
        let connection = schema::open_checkpointer(path)?;
        let path = path.to_owned();
        let run = move |waiting: &Queue<()>| run((&connection, &path), waiting);
        let thread = WriterThread::start("checkpoint", run).map_err(JournalError::Thread)?;
        Ok(Self { thread, rows: 0 })
    }

    pub(super) fn rows_written(&mut self, rows: usize) {
        self.rows += rows;
        if self.rows >= ROWS {
            self.copy();
        }
    }

    /// Copies the log now.
    pub(super) fn copy(&mut self) {
        self.rows = 0;
        self.thread.command(());
    }
}

fn run((connection, path): (&Connection, &Path), waiting: &Queue<()>) {
    while waiting.recv().is_ok() {
        while waiting.try_recv().is_ok() {}
        if let Err(error) = copy(connection, path) {
            // The writer does it then, and reports a failing disk.
            tracing::warn!(
                code = "journal.checkpoint_failed",
                %error,
                "the journal's log could not be copied into its file; the writer will do it"
            );
        }
    }
}

/// Nobody is waited for: what can't be copied yet is copied the next time.
fn copy(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    let checkpoint = |pragma| connection.query_row(pragma, (), |_| Ok(()));
    checkpoint("PRAGMA wal_checkpoint(PASSIVE)")?;
    if grown_bytes(path) > 0 {
        checkpoint("PRAGMA wal_checkpoint(TRUNCATE)")?;
    }
    Ok(())
}
