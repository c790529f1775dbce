//! The owner's side of the replica: its writer, its reader, and the count of its digest.

use std::path::{Path, PathBuf};

use eventify_protocol::ids::TicketId;
use eventify_protocol::sync::{Position, TicketEntry};
use tokio::{sync::mpsc, task::spawn_blocking};

use crate::store::{Found, Notice, Reader, Recomputed, Replica, StoreError};

/// Acts on the replica under way; then the link is read no further.
const MAX_BACKLOG: usize = 32;

/// A digest counted anew, or why it could not be.
pub(super) struct Counted {
    /// Of which file.
    path: PathBuf,
    pub(super) outcome: Result<Option<Recomputed>, StoreError>,
}

/// See the module.
pub(super) struct Cache {
    pub(super) replica: Replica,
    pub(super) notices: mpsc::UnboundedReceiver<Notice>,
    pub(super) counted: mpsc::Receiver<Counted>,
    pub(super) tickets: u64,
    reader: Reader,
    /// Notices that the writer still owes.
    backlog: usize,
    count_to: mpsc::Sender<Counted>,
}

/// What the machine restores from it.
pub(super) struct Restored {
    pub(super) replica: Option<eventify_sync::edge::RestoredReplica>,
    pub(super) proof: Option<eventify_sync::edge::SavedProof>,
    pub(super) partial: Option<eventify_sync::edge::PartialSnapshot>,
    pub(super) revoked: bool,
}

impl Cache {
    pub(super) fn open(data_dir: &Path) -> Result<(Self, Restored), StoreError> {
        let (say, notices) = mpsc::unbounded_channel();
        // The receiver lives as long as the owner; a notice after that is nobody's business.
        let (replica, found) = Replica::open(data_dir, move |notice| drop(say.send(notice)))?;
        let Found {
            replica: held,
            tickets,
            proof,
            revoked,
            partial,
            reader,
        } = found;
        let (count_to, counted) = mpsc::channel(1);
        let cache = Self {
            replica,
            notices,
            counted,
            tickets,
            reader,
            backlog: 0,
            count_to,
        };
        Ok((
            cache,
            Restored {
                replica: held,
                proof,
                partial,
                revoked,
            },
        ))
    }

    /// The writer owes a notice for what it was just asked.
    pub(super) fn expect_notice(&mut self) {
        self.backlog += 1;
    }

    pub(super) fn took_notice(&mut self) {
        self.backlog = self.backlog.saturating_sub(1);
    }

    /// Whether more can be asked of the writer now.
    pub(super) fn keeps_up(&self) -> bool {
        self.backlog < MAX_BACKLOG
    }

    /// From now on another file is the replica.
    pub(super) fn turn_to(&mut self, reader: Reader, tickets: u64) {
        self.reader = reader;
        self.tickets = tickets;
    }

    pub(super) fn lookup(
        &self,
        ticket: TicketId,
    ) -> Result<(Position, Option<TicketEntry>), StoreError> {
        self.reader.lookup(ticket)
    }

    pub(super) fn discard(&mut self) {
        self.expect_notice();
        self.replica.discard();
    }

    /// Counts the digest anew, on a thread of its own with a reader of its own.
    pub(super) fn begin_count(&self) {
        let path = self.reader.path().to_owned();
        let done = self.count_to.clone();
        spawn_blocking(move || {
            let outcome = Reader::open(&path).and_then(|reader| reader.recompute());
            // A count that nobody waits for any more is of a node that has stopped.
            drop(done.blocking_send(Counted { path, outcome }));
        });
    }

    /// Whether a count says something of the replica in use: another file may have taken its place
    /// meanwhile.
    pub(super) fn is_of_this(&self, counted: &Counted) -> bool {
        counted.path == self.reader.path()
    }
}
