//! Copies the journal's write-ahead log into its file, beside the writer.
//!
//! Without this the writer would copy everything at once, every few thousand rows, and all scans of
//! that moment would wait. Only the writer can restart the log, so a small part stays with it.

use std::path::Path;

use rusqlite::Connection;

use super::{JournalError, schema};
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
        let thread = WriterThread::start("checkpoint", move |waiting| run(&connection, waiting))
            .map_err(JournalError::Thread)?;
        Ok(Self { thread, rows: 0 })
    }

    pub(super) fn rows_written(&mut self, rows: usize) {
        self.rows += rows;
        if self.rows >= ROWS {
            self.rows = 0;
            self.thread.command(());
        }
    }
}

fn run(connection: &Connection, waiting: &Queue<()>) {
    while waiting.recv().is_ok() {
        while waiting.try_recv().is_ok() {}
        let copied = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()));
        if let Err(error) = copied {
            // The writer does it then, and reports a failing disk.
            tracing::warn!(
                code = "journal.checkpoint_failed",
                %error,
                "the journal's log could not be copied into its file; the writer will do it"
            );
        }
    }
}
