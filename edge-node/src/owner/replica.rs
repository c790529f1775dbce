//! The owner's side of the replica: its writer, its reader, and the recomputation of its digest.

use std::path::{Path, PathBuf};

use eventify_protocol::{
    ids::TicketId,
    sync::{JournalHead, Position, ScannedTicket, TicketEntry},
};
use eventify_sync::{
    edge::{Input, ReplicaOutput},
    token::TokenCheck,
};
use tokio::{sync::mpsc, task::spawn_blocking};

use crate::store::{Found, Notice, Reader, Recomputed, Replica, StoreError};

/// Writes that the writer has not reported yet; with more, the link is not read.
const MAX_BACKLOG: usize = 32;

/// The digest recomputed from a file's rows, or why it could not be.
pub(super) struct Recomputation {
    path: PathBuf,
    pub(super) result: Result<Option<Recomputed>, StoreError>,
}

/// The replica can't be read, and is being deleted: the machine is to be told.
#[derive(Debug)]
pub(super) struct ReadFailed;

pub(super) struct ReplicaFiles {
    writer: Replica,
    pub(super) notices: mpsc::UnboundedReceiver<Notice>,
    pub(super) recomputations: mpsc::Receiver<Recomputation>,
    pub(super) tickets: u64,
    reader: Reader,
    /// Notices that the writer has yet to send.
    backlog: usize,
    recomputed: mpsc::Sender<Recomputation>,
}

impl ReplicaFiles {
    pub(super) fn open(data_dir: &Path) -> Result<(Self, Found), StoreError> {
        let (notify, notices) = mpsc::unbounded_channel();
        // The receiver lives as long as the owner; a later notice is needed by nobody.
        let (writer, reader, found) =
            Replica::open(data_dir, move |notice| drop(notify.send(notice)))?;
        let (recomputed, recomputations) = mpsc::channel(1);
        let files = Self {
            writer,
            notices,
            recomputations,
            tickets: found.tickets,
            reader,
            backlog: 0,
            recomputed,
        };
        Ok((files, found))
    }

    /// Carries out an output; what is known at once is returned. The journal's end lies beside the
    /// proof, so that it is in more than one place.
    pub(super) fn perform(
        &mut self,
        output: ReplicaOutput,
        journal_end: Option<JournalHead>,
    ) -> Option<Input> {
        match output {
            ReplicaOutput::ReadTicket {
                scan,
                ticket,
                generation,
            } => {
                return Some(match self.reader.find_ticket(ticket) {
                    Ok((position, ticket)) => Input::TicketRead {
                        scan,
                        generation,
                        position,
                        ticket,
                    },
                    Err(error) => {
                        self.fail_read(&error);
                        Input::ReplicaFailed
                    }
                });
            }
            ReplicaOutput::Apply(delta) => {
                self.backlog += 1;
                self.writer.apply(delta);
            }
            ReplicaOutput::Adopt { epoch, digest_key } => self.writer.adopt(epoch, digest_key),
            ReplicaOutput::BeginSnapshot(plan) => {
                tracing::info!(
                    code = "snapshot.started",
                    position = plan.position.0,
                    chunks = plan.chunks,
                    "fetching a snapshot of the venue's feed"
                );
                self.writer.begin_snapshot(plan);
            }
            ReplicaOutput::StoreChunk(chunk) => self.writer.store_chunk(chunk),
            ReplicaOutput::FinishSnapshot { snapshot } => {
                tracing::info!(
                    code = "snapshot.fetched",
                    "the snapshot is complete; building a replica from it"
                );
                self.backlog += 1;
                self.writer.finish_snapshot(snapshot);
            }
            ReplicaOutput::Discard { reason } => {
                tracing::warn!(
                    code = "replica.discarded",
                    reason,
                    "the replica is deleted and fetched again"
                );
                self.discard();
            }
            ReplicaOutput::UpdateProof(proof) => self.writer.update_proof(proof, journal_end),
            ReplicaOutput::UpdateRevoked(revoked) => self.writer.update_revoked(revoked),
        }
        None
    }

    /// The ticket of a scan, as the replica has it.
    pub(super) fn find_scanned(
        &mut self,
        checked: &TokenCheck,
    ) -> Result<Option<ScannedTicket>, ReadFailed> {
        self.reader.find_scanned(checked).map_err(|error| {
            self.fail_read(&error);
            ReadFailed
        })
    }

    /// A ticket's row, and the replica's position.
    pub(super) fn find_ticket(
        &mut self,
        ticket: TicketId,
    ) -> Result<(Position, Option<TicketEntry>), ReadFailed> {
        self.reader.find_ticket(ticket).map_err(|error| {
            self.fail_read(&error);
            ReadFailed
        })
    }

    fn fail_read(&mut self, error: &StoreError) {
        tracing::error!(
            code = "replica.read_failed",
            %error,
            "the replica can't be read; it is deleted and fetched again"
        );
        self.discard();
    }

    fn discard(&mut self) {
        self.backlog += 1;
        self.writer.discard();
    }

    pub(super) fn notice_received(&mut self) {
        self.backlog = self.backlog.saturating_sub(1);
    }

    /// Whether the writer can be given more now.
    pub(super) fn keeps_up(&self) -> bool {
        self.backlog < MAX_BACKLOG
    }

    /// Another file is the replica from now on.
    pub(super) fn switch_to(&mut self, reader: Reader, tickets: u64) {
        self.reader = reader;
        self.tickets = tickets;
    }

    /// The file in use.
    pub(super) fn path(&self) -> &Path {
        self.reader.path()
    }

    /// Recomputes the digest, on a thread of its own with a reader of its own.
    pub(super) fn begin_recompute(&self) {
        let path = self.reader.path().to_owned();
        let done = self.recomputed.clone();
        spawn_blocking(move || {
            let result = Reader::open(&path).and_then(|reader| reader.recompute());
            // Without a receiver the node has stopped.
            drop(done.blocking_send(Recomputation { path, result }));
        });
    }

    /// Whether a digest is of the replica in use: another file may have taken its place meanwhile.
    pub(super) fn is_current(&self, recomputation: &Recomputation) -> bool {
        recomputation.path == self.reader.path()
    }
}
