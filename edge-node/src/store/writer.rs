//! The one writer: a thread that executes commands in their order.

use std::path::{Path, PathBuf};

use eventify_protocol::{
    ids::SnapshotId,
    sync::{Chunk, Delta, Digest, DigestKey, Epoch, JournalHead, Position},
};
use eventify_sync::edge::{Machine, RestoredReplica, SavedProof, SnapshotPlan};
use rusqlite::{Connection, TransactionBehavior};

use crate::{held_file, writer_thread::Queue};

use super::{
    StoreError,
    counts::Changes,
    files::Files,
    journal_end, proof,
    reader::{self, Reader},
    rows,
    snapshot::Pull,
};

#[derive(Debug)]
pub(super) enum Command {
    Apply(Delta),
    Adopt(Epoch, DigestKey),
    BeginSnapshot(SnapshotPlan),
    StoreChunk(Chunk),
    FinishSnapshot(SnapshotId),
    Discard,
    UpdateProof(SavedProof, Option<JournalHead>),
    UpdateRevoked(bool),
}

/// A report of the writer.
#[derive(Debug)]
pub enum Notice {
    /// A delta is on the disk.
    Applied {
        position: Position,
        /// The digest after each entry.
        digests: Vec<Digest>,
        tickets: u64,
        /// A key set among the entries.
        key_set: Option<Vec<u8>>,
        /// Somebody who works at the venue, or what it wants of staff, is among the entries.
        concerns_staff: bool,
    },
    /// A snapshot has taken the replica's place.
    SnapshotReady {
        snapshot: SnapshotId,
        replica: RestoredReplica,
        tickets: u64,
        reader: Reader,
    },
    /// A snapshot could not be stored or had wrong content; it is deleted.
    SnapshotFailed { snapshot: SnapshotId },
    /// The replica was deleted, as commanded.
    Emptied(Reader),
    /// The replica could not be read or written and was deleted.
    Failed(StoreError, Reader),
    /// Not even an empty replica can be made. The writer has ended.
    Lost(StoreError),
}

/// The replica is not lost by that, and what was given waits.
fn log_held(path: &Path) {
    let by = held_file::named(&held_file::suspects(path, &[]));
    tracing::error!(
        code = "replica.held",
        by,
        "another program holds the replica's file: what the core sends waits until the file is free"
    );
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

    pub(super) fn run(mut self, waiting: &Queue<Command>, notify: &impl Fn(Notice)) {
        while let Ok(command) = waiting.recv() {
            let finishing = if let Command::FinishSnapshot(snapshot) = &command {
                Some(*snapshot)
            } else {
                None
            };
            let path = self
                .connection
                .path()
                .map(PathBuf::from)
                .unwrap_or_default();
            let held = || log_held(&path);
            let executed = waiting.until_free(StoreError::is_held, held, || self.execute(&command));
            match executed {
                Ok(Some(notice)) => notify(notice),
                Ok(None) => {}
                Err(error) => match self.empty() {
                    Ok(reader) => {
                        notify(Notice::Failed(error, reader));
                        // The command that finished it waits for its own report.
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

    fn execute(&mut self, command: &Command) -> Result<Option<Notice>, StoreError> {
        match command {
            Command::Apply(delta) => return self.apply(delta).map(Some),
            Command::Adopt(epoch, digest_key) => {
                return self.adopt(*epoch, *digest_key).map(|()| None);
            }
            Command::BeginSnapshot(plan) => {
                let begun = self.begin_snapshot(*plan);
                return Ok(self.give_up_on_error(plan.snapshot, begun));
            }
            Command::StoreChunk(chunk) => {
                let stored = self.store_chunk(chunk);
                return Ok(self.give_up_on_error(chunk.snapshot, stored));
            }
            Command::FinishSnapshot(snapshot) => return self.finish_snapshot(*snapshot).map(Some),
            Command::Discard => return self.empty().map(Notice::Emptied).map(Some),
            Command::UpdateProof(saved, end) => {
                proof::update(&self.connection, saved)?;
                if let Some(end) = end {
                    journal_end::update(&self.connection, end)?;
                }
            }
            Command::UpdateRevoked(revoked) => self.files.update_revoked(*revoked)?,
        }
        Ok(None)
    }

    fn apply(&mut self, delta: &Delta) -> Result<Notice, StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let head = rows::find_head(&transaction)?;
        let mut head = head
            .filter(|head| head.epoch == delta.epoch && head.position == delta.from)
            .ok_or(StoreError::NotNext(delta.from))?;
        let mut digests = Vec::with_capacity(delta.entries.len());
        let mut growth = 0;
        let mut key_set = None;
        let mut concerns_staff = false;
        let mut counts = Changes::default();
        for entry in &delta.entries {
            let before = (head.digest, &head.digest_key);
            let (digest, grown) = rows::apply(&transaction, before, entry, &mut counts)?;
            head.digest = digest;
            digests.push(digest);
            growth += grown;
            key_set = reader::key_set_of(entry).or(key_set);
            concerns_staff |= Machine::concerns_staff(&entry.subject);
        }
        head.position = delta.to;
        rows::update_head(&transaction, &head)?;
        counts.write(&transaction)?;
        transaction.commit()?;
        self.tickets = self.tickets.saturating_add_signed(growth);
        Ok(Notice::Applied {
            position: delta.to,
            digests,
            tickets: self.tickets,
            key_set,
            concerns_staff,
        })
    }

    fn adopt(&mut self, epoch: Epoch, digest_key: DigestKey) -> Result<(), StoreError> {
        let head = rows::find_head(&self.connection)?.ok_or(StoreError::NotNext(Position(0)))?;
        let digest = if head.digest_key == digest_key {
            head.digest
        } else {
            reader::digest_of_rows(&self.connection, &digest_key)?.0
        };
        rows::update_head(
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
            Some(pull) => pull.append(chunk),
            // A chunk of a snapshot that was given up.
            None => Ok(()),
        }
    }

    /// A snapshot that can't be stored is given up; the replica stays as it is.
    fn give_up_on_error(
        &mut self,
        snapshot: SnapshotId,
        result: Result<(), StoreError>,
    ) -> Option<Notice> {
        let error = result.err()?;
        tracing::warn!(
            code = "snapshot.store_failed",
            %error,
            "a part of the snapshot can't be stored; the snapshot is deleted and fetched again"
        );
        if let Some(pull) = self.pull.take()
            && let Err(error) = pull.delete()
        {
            // The next one overwrites it.
            tracing::warn!(
                code = "snapshot.delete_failed",
                %error,
                "the snapshot's file can't be deleted"
            );
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
        pull.delete()?;
        let tickets = match built {
            Ok(tickets) => tickets,
            Err(error) => {
                tracing::warn!(
                    code = "snapshot.build_failed",
                    %error,
                    "no replica can be built from the snapshot; it is deleted and fetched again"
                );
                eventify_disk::files::remove(&building)?;
                return Ok(Notice::SnapshotFailed { snapshot });
            }
        };
        let path = self.files.swap_in()?;
        self.connection = super::schema::open_writer(&path)?;
        self.files.delete_others(&path)?;
        self.tickets = tickets;
        let replica = rows::find_replica(&self.connection)?.ok_or(StoreError::WrongContent)?;
        Ok(Notice::SnapshotReady {
            snapshot,
            replica,
            tickets,
            reader: Reader::open(&path)?,
        })
    }

    /// A snapshot under way stays: it has a file of its own.
    fn empty(&mut self) -> Result<Reader, StoreError> {
        let (connection, path) = self.files.open_empty()?;
        self.connection = connection;
        self.tickets = 0;
        Reader::open(&path)
    }
}
