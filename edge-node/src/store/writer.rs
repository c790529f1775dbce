//! The one writer: a thread that carries commands out in their order.

use std::sync::mpsc::Receiver;

use eventify_protocol::{
    ids::SnapshotId,
    sync::{Chunk, Delta, Digest, DigestKey, Epoch, Position},
};
use eventify_sync::edge::{RestoredReplica, SavedProof};
use rusqlite::{Connection, TransactionBehavior};

use super::{
    StoreError,
    files::Files,
    proof,
    reader::{self, Reader},
    rows,
    snapshot::{Pull, SnapshotPlan},
};

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Apply(Delta),
    Adopt(Epoch, DigestKey),
    BeginSnapshot(SnapshotPlan),
    StoreChunk(Chunk),
    FinishSnapshot(SnapshotId),
    Discard,
    SaveProof(SavedProof),
    SaveRevoked(bool),
}

/// What the writer says.
#[derive(Debug)]
pub enum Notice {
    /// A delta is on the disk.
    Applied {
        /// The new position.
        position: Position,
        /// The digest after each entry.
        digests: Vec<Digest>,
        /// Tickets now.
        tickets: u64,
        /// A key set that it brought.
        key_set: Option<Vec<u8>>,
    },
    /// A snapshot has taken the replica's place.
    SnapshotReady {
        /// Which one.
        snapshot: SnapshotId,
        /// What the replica is now.
        replica: RestoredReplica,
        /// Tickets now.
        tickets: u64,
        /// Reads it.
        reader: Reader,
    },
    /// A snapshot was not what it should be; nothing is left of it.
    SnapshotFailed {
        /// Which one.
        snapshot: SnapshotId,
    },
    /// The replica was thrown away, as asked.
    Emptied(Reader),
    /// The replica could not be read or written and was thrown away.
    Failed(StoreError, Reader),
    /// Not even an empty replica can be made. The writer is gone.
    Lost(StoreError),
}

pub(super) struct Writer {
    connection: Connection,
    files: Files,
    pull: Option<Pull>,
    tickets: u64,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        files: Files,
        pull: Option<Pull>,
        tickets: u64,
    ) -> Self {
        Self {
            connection,
            files,
            pull,
            tickets,
        }
    }

    pub(super) fn run(mut self, waiting: &Receiver<Command>, notify: &impl Fn(Notice)) {
        while let Ok(command) = waiting.recv() {
            let finishing = if let Command::FinishSnapshot(snapshot) = &command {
                Some(*snapshot)
            } else {
                None
            };
            match self.carry_out(command) {
                Ok(Some(notice)) => notify(notice),
                Ok(None) => {}
                Err(error) => match self.empty() {
                    Ok(reader) => {
                        notify(Notice::Failed(error, reader));
                        // Whoever had it finished waits for its own report.
                        if let Some(snapshot) = finishing {
                            notify(Notice::SnapshotFailed { snapshot });
                        }
                    }
                    Err(error) => {
                        notify(Notice::Lost(error));
                        return;
                    }
                },
            }
        }
    }

    fn carry_out(&mut self, command: Command) -> Result<Option<Notice>, StoreError> {
        match command {
            Command::Apply(delta) => return self.apply(&delta).map(Some),
            Command::Adopt(epoch, digest_key) => {
                return self.adopt(epoch, digest_key).map(|()| None);
            }
            Command::BeginSnapshot(plan) => {
                let begun = self.begin_snapshot(plan);
                return Ok(self.collected(plan.snapshot, begun));
            }
            Command::StoreChunk(chunk) => {
                let stored = self.store_chunk(&chunk);
                return Ok(self.collected(chunk.snapshot, stored));
            }
            Command::FinishSnapshot(snapshot) => return self.finish_snapshot(snapshot).map(Some),
            Command::Discard => return self.empty().map(Notice::Emptied).map(Some),
            Command::SaveProof(saved) => proof::save(&self.connection, &saved)?,
            Command::SaveRevoked(revoked) => self.files.set_revoked(revoked)?,
        }
        Ok(None)
    }

    fn apply(&mut self, delta: &Delta) -> Result<Notice, StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let head = rows::load_head(&transaction)?;
        let mut head = head
            .filter(|head| head.epoch == delta.epoch && head.position == delta.from)
            .ok_or(StoreError::NotNext(delta.from))?;
        let mut digests = Vec::with_capacity(delta.entries.len());
        let mut growth = 0;
        let mut key_set = None;
        for entry in &delta.entries {
            let (digest, grown) = rows::apply(&transaction, head.digest, &head.digest_key, entry)?;
            head.digest = digest;
            digests.push(digest);
            growth += grown;
            key_set = reader::key_set_of(entry).or(key_set);
        }
        head.position = delta.to;
        rows::save_head(&transaction, &head)?;
        transaction.commit()?;
        self.tickets = self.tickets.saturating_add_signed(growth);
        Ok(Notice::Applied {
            position: delta.to,
            digests,
            tickets: self.tickets,
            key_set,
        })
    }

    fn adopt(&mut self, epoch: Epoch, digest_key: DigestKey) -> Result<(), StoreError> {
        let head = rows::load_head(&self.connection)?.ok_or(StoreError::NotNext(Position(0)))?;
        let digest = if head.digest_key == digest_key {
            head.digest
        } else {
            reader::count(&self.connection, &digest_key)?.0
        };
        rows::save_head(
            &self.connection,
            &rows::Head {
                epoch,
                digest_key,
                digest,
                ..head
            },
        )
    }

    fn begin_snapshot(&mut self, plan: SnapshotPlan) -> Result<(), StoreError> {
        if self.pull.as_ref().is_none_or(|pull| *pull.plan() != plan) {
            self.pull = Some(Pull::begin(&self.files.pull_path(), plan)?);
        }
        Ok(())
    }

    fn store_chunk(&mut self, chunk: &Chunk) -> Result<(), StoreError> {
        let awaited = |pull: &&mut Pull| pull.plan().snapshot == chunk.snapshot;
        match self.pull.as_mut().filter(awaited) {
            Some(pull) => pull.store(chunk),
            // Of one that was given up.
            None => Ok(()),
        }
    }

    /// A snapshot that can't be collected is given up; the replica is none the worse for it.
    fn collected(
        &mut self,
        snapshot: SnapshotId,
        outcome: Result<(), StoreError>,
    ) -> Option<Notice> {
        let error = outcome.err()?;
        tracing::warn!(code = "snapshot_failed", %error, "snapshot thrown away");
        if let Some(pull) = self.pull.take()
            && let Err(error) = pull.forget()
        {
            // The next one is begun over it.
            tracing::warn!(code = "snapshot_left", %error, "its file stays");
        }
        Some(Notice::SnapshotFailed { snapshot })
    }

    fn finish_snapshot(&mut self, snapshot: SnapshotId) -> Result<Notice, StoreError> {
        let awaited = |pull: &mut Pull| pull.plan().snapshot == snapshot;
        let Some(mut pull) = self.pull.take_if(awaited) else {
            return Ok(Notice::SnapshotFailed { snapshot });
        };
        let building = self.files.building_path();
        let built = pull.build(&building);
        pull.forget()?;
        let tickets = match built {
            Ok(tickets) => tickets,
            Err(error) => {
                tracing::warn!(code = "snapshot_failed", %error, "snapshot thrown away");
                super::files::remove(&building)?;
                return Ok(Notice::SnapshotFailed { snapshot });
            }
        };
        let path = self.files.swap_in_building()?;
        self.connection = super::schema::open_writer(&path)?;
        self.files.remove_older_than(&path)?;
        self.tickets = tickets;
        let head = rows::load_head(&self.connection)?.ok_or(StoreError::WrongContent)?;
        let replica = RestoredReplica {
            epoch: head.epoch,
            position: head.position,
            digest: head.digest,
            digest_key: head.digest_key,
            small: reader::small(&self.connection)?,
        };
        Ok(Notice::SnapshotReady {
            snapshot,
            replica,
            tickets,
            reader: Reader::open(&path)?,
        })
    }

    /// A snapshot on its way lies in a file of its own and stays.
    fn empty(&mut self) -> Result<Reader, StoreError> {
        let (connection, path) = self.files.open_empty()?;
        self.connection = connection;
        self.tickets = 0;
        Reader::open(&path)
    }
}
