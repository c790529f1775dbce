//! A snapshot: its chunks are collected in a plain file as they come, then a database is built from
//! them.
//!
//! The file holds the plan and the chunks' bytes, each after its length. It is not made durable: the
//! hash shows what a power cut has lost, and the pull begins again. After a restart of the process
//! alone it continues.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Read, Seek, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use eventify_protocol::sync::{Chunk, FeedEntry};
use eventify_sync::{
    digest,
    edge::{PartialSnapshot, SnapshotPlan},
};
use sha2::{Digest as _, Sha256};

use super::{
    StoreError,
    counts::Changes,
    encode,
    rows::{self, Head},
    schema,
};

/// Longest record: a chunk fits in a message.
const MAX_RECORD_BYTES: usize = eventify_protocol::sync::MAX_MESSAGE_BYTES;

/// A snapshot under way.
#[derive(Debug)]
pub(super) struct Pull {
    plan: SnapshotPlan,
    path: PathBuf,
    file: File,
    /// The first chunk that is missing.
    next: u32,
}

impl Pull {
    pub(super) fn begin(path: &Path, plan: SnapshotPlan) -> Result<Self, StoreError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        write_record(&mut file, &encode(&plan))?;
        Ok(Self {
            plan,
            path: path.to_owned(),
            file,
            next: 0,
        })
    }

    /// Continues a pull that was interrupted; none if there is no usable one.
    pub(super) fn resume(path: &Path) -> Option<Self> {
        let mut file = OpenOptions::new().read(true).write(true).open(path).ok()?;
        let mut reader = BufReader::new(&mut file);
        let header = read_record(&mut reader).ok()??;
        let plan: SnapshotPlan = minicbor::decode(&header).ok()?;
        let mut end = record_length(header.len());
        let mut next = 0;
        while let Ok(Some(record)) = read_record(&mut reader) {
            end += record_length(record.len());
            next += 1;
        }
        // What follows is the incomplete end of a write.
        file.set_len(end).ok()?;
        file.seek(SeekFrom::End(0)).ok()?;
        Some(Self {
            plan,
            path: path.to_owned(),
            file,
            next,
        })
    }

    pub(super) fn plan(&self) -> &SnapshotPlan {
        &self.plan
    }

    pub(super) fn partial(&self) -> PartialSnapshot {
        PartialSnapshot {
            snapshot: self.plan.snapshot,
            next: self.next,
        }
    }

    /// Appends the next chunk; one that is here already changes nothing.
    pub(super) fn append(&mut self, chunk: &Chunk) -> Result<(), StoreError> {
        if chunk.snapshot != self.plan.snapshot || chunk.index > self.next {
            return Err(StoreError::WrongChunk(chunk.index));
        }
        if chunk.index == self.next {
            write_record(&mut self.file, &chunk.bytes)?;
            self.next += 1;
        }
        Ok(())
    }

    /// Builds a database in `building` from the chunks. Returns its number of tickets.
    pub(super) fn build(&mut self, building: &Path) -> Result<u64, StoreError> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(&mut self.file);
        read_record(&mut reader)?;
        let mut connection = schema::open_builder(building)?;
        let transaction = connection.transaction()?;
        rows::drop_code_index(&transaction)?;
        let mut hash = Sha256::new();
        let mut digest = digest::EMPTY;
        let mut counts = Changes::default();
        let mut tickets = 0;
        let mut chunks = 0;
        while let Some(bytes) = read_record(&mut reader)? {
            hash.update(&bytes);
            chunks += 1;
            let entries: Vec<FeedEntry> = minicbor::decode(&bytes)?;
            for entry in entries {
                let key = &self.plan.digest_key;
                let before = (digest, key);
                let (after, is_ticket) = rows::insert(&transaction, before, &entry, &mut counts)?;
                digest = after;
                tickets += u64::from(is_ticket);
            }
        }
        if chunks != self.plan.chunks || hash.finalize()[..] != self.plan.hash.0[..] {
            return Err(StoreError::WrongContent);
        }
        let head = Head {
            epoch: self.plan.epoch,
            position: self.plan.position,
            digest,
            digest_key: self.plan.digest_key,
        };
        rows::update_head(&transaction, &head)?;
        rows::create_code_index(&transaction)?;
        counts.write(&transaction)?;
        transaction.commit()?;
        connection.close().map_err(|(_, error)| error)?;
        Ok(tickets)
    }

    /// Deletes the collected chunks.
    pub(super) fn delete(self) -> io::Result<()> {
        eventify_disk::files::remove(&self.path)
    }
}

fn record_length(bytes: usize) -> u64 {
    4 + bytes as u64
}

fn write_record(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut record = Vec::with_capacity(4 + bytes.len());
    record.extend_from_slice(&length.to_be_bytes());
    record.extend_from_slice(bytes);
    file.write_all(&record)
}

/// The next record; none at the end.
fn read_record(reader: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match reader.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    if length > MAX_RECORD_BYTES {
        return Err(io::Error::other("a record is too long"));
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}
