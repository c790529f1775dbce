//! Copies the journal's log into its file, beside the writer.
//!
//! Left to itself the writer would do it all at once, every few thousand rows, and all scans of that
//! moment would wait. From here most of it is done already when the writer comes to it; the writer
//! alone can begin the log anew, so a small rest stays with it.

use std::{path::Path, sync::mpsc::Receiver};

use rusqlite::Connection;

use super::{JournalError, schema};
use crate::writer_thread::WriterThread;

/// Rows after which copying is worth a round.
const ROWS: usize = 1_000;

/// The thread's handle, and what was written since it was last asked.
pub(super) struct Checkpointer {
    thread: WriterThread<()>,
    rows: usize,
}

impl Checkpointer {
    pub(super) fn start(path: &Path) -> Result<Self, JournalError> {
        let connection = schema::open_beside(path)?;
        let thread = WriterThread::start("checkpoint", move |waiting| run(&connection, waiting))
            .map_err(JournalError::Thread)?;
        Ok(Self { thread, rows: 0 })
    }

    /// So many rows more are in the log.
    pub(super) fn written(&mut self, rows: usize) {
        self.rows += rows;
        if self.rows >= ROWS {
            self.rows = 0;
            self.thread.command(());
        }
    }
}

fn run(connection: &Connection, waiting: &Receiver<()>) {
    while waiting.recv().is_ok() {
        while waiting.try_recv().is_ok() {}
        let copied = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()));
        if let Err(error) = copied {
            // The writer does it then, and tells if the disk is failing.
            tracing::warn!(code = "checkpoint_failed", %error, "left to the writer");
        }
    }
}
