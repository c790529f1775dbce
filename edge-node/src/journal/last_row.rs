//! The journal's last row, kept apart from the journal: what the journal lacks of it is lost, and
//! nobody decides on less without a person's word (`ADMISSION` 4.5).
//!
//! The file is replaced as a whole, at most twice a second, behind the verdicts: it may name a row of
//! a moment ago, never one that was not on disk.

use std::{
    io,
    path::{Path, PathBuf},
};

use eventify_disk::files;
use eventify_protocol::sync::JournalHead;
use serde::{Deserialize, Serialize};

use super::JournalError;
use crate::writer_thread::{Queue, WriterThread};

const FILE: &str = "last-row.json";

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastRow {
    /// Written by this node.
    pub own: JournalHead,
    /// Held by the core, and not in the journal: the node has stopped for it.
    pub core: Option<JournalHead>,
}

/// Writes the file on a thread of its own.
#[derive(Debug)]
pub struct LastRowKeeper {
    thread: WriterThread<LastRow>,
    written: JournalHead,
    /// Something was written since the last tick.
    is_paused: bool,
}

impl LastRow {
    #[must_use]
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE)
    }

    /// None before the first start.
    ///
    /// # Errors
    /// [`JournalError::LastRow`] if the file can't be read.
    pub fn load(data_dir: &Path) -> Result<Option<Self>, JournalError> {
        let path = Self::path(data_dir);
        let failed = |error| JournalError::LastRow {
            path: path.clone(),
            error,
        };
        match files::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| failed(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Replaces the file, durably.
    ///
    /// # Errors
    /// [`JournalError::LastRow`].
    pub fn save(&self, data_dir: &Path) -> Result<(), JournalError> {
        let path = Self::path(data_dir);
        let bytes = serde_json::to_vec(self).expect("ids and numbers are JSON");
        files::replace(&path, &bytes).map_err(|error| JournalError::LastRow { path, error })
    }
}

impl LastRowKeeper {
    pub(crate) fn start(data_dir: &Path, own: JournalHead) -> Result<Self, JournalError> {
        let folder = data_dir.to_owned();
        let thread = WriterThread::start("last-row", move |waiting| run(&folder, waiting));
        Ok(Self {
            thread: thread.map_err(JournalError::Thread)?,
            written: own,
            is_paused: false,
        })
    }

    /// The journal is on disk up to here.
    pub(crate) fn persisted(&mut self, own: JournalHead) {
        if !self.is_paused {
            self.is_paused = true;
            self.write(own);
        }
    }

    /// Once a second.
    pub(crate) fn tick(&mut self, own: JournalHead) {
        self.is_paused = false;
        self.write(own);
    }

    fn write(&mut self, own: JournalHead) {
        if self.written != own {
            self.written = own;
            self.thread.command(LastRow { own, core: None });
        }
    }

    /// The core holds a row that the journal does not have. The node ends.
    pub(crate) fn behind(&self, own: JournalHead, core: JournalHead) {
        let core = Some(core);
        self.thread.command(LastRow { own, core });
    }
}

fn run(data_dir: &Path, waiting: &Queue<LastRow>) {
    while let Ok(mut newest) = waiting.recv() {
        while let Ok(next) = waiting.try_recv() {
            newest = next;
        }
        if let Err(error) = newest.save(data_dir) {
            tracing::warn!(
                code = "journal.last_row_failed",
                %error,
                "the journal's last row can't be kept apart from it; a loss would not be noticed here"
            );
        }
    }
}
