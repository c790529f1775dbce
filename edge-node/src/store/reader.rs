//! Reading the replica, beside the writer.

use std::path::{Path, PathBuf};

use eventify_protocol::{
    ids::TicketId,
    sync::{Digest, DigestKey, Epoch, FeedEntry, Position, Subject, TicketEntry, Value},
};
use eventify_sync::{digest, edge::RestoredReplica};
use rusqlite::{Connection, OptionalExtension as _};

use super::{StoreError, from_sql, rows, schema};

/// A connection that reads one replica's file, also while a newer one takes its place.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

/// A digest counted from the rows, in one read transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recomputed {
    /// At this position,
    pub position: Position,
    /// of this database.
    pub epoch: Epoch,
    /// What the rows add up to.
    pub digest: Digest,
    /// What the replica believes that they add up to.
    pub stored: Digest,
    /// How many of them are tickets.
    pub tickets: u64,
}

impl Reader {
    /// Opens a replica to read.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            connection: schema::open_reader(path)?,
            path: path.to_owned(),
        })
    }

    /// Which file it reads.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A ticket, and the position that it is as of; position 0 if the replica is not complete.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn lookup(&self, ticket: TicketId) -> Result<(Position, Option<TicketEntry>), StoreError> {
        // One statement is one read transaction.
        let mut statement = self.connection.prepare_cached(
            "SELECT position, (SELECT bytes FROM tickets WHERE id = ?) FROM replica WHERE only = 1",
        )?;
        let mut rows = statement.query([ticket.as_uuid().as_bytes()])?;
        let Some(row) = rows.next()? else {
            return Ok((Position(0), None));
        };
        let position = Position(from_sql(row.get(0)?));
        let bytes = row
            .get_ref(1)?
            .as_blob_or_null()
            .map_err(rusqlite::Error::from)?;
        let entry = bytes.map(rows::read).transpose()?;
        Ok((position, entry.and_then(ticket_entry)))
    }

    /// Counts the digest from all rows; none if the replica is not complete.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn recompute(&self) -> Result<Option<Recomputed>, StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        let Some(head) = rows::load_head(&transaction)? else {
            return Ok(None);
        };
        let (digest, tickets) = count(&transaction, &head.digest_key)?;
        Ok(Some(Recomputed {
            position: head.position,
            epoch: head.epoch,
            digest,
            stored: head.digest,
            tickets,
        }))
    }

    /// What the machine starts from: the replica as it was counted.
    pub(super) fn restored(&self, counted: &Recomputed) -> Result<RestoredReplica, StoreError> {
        let head =
            rows::load_head(&self.connection)?.ok_or(StoreError::NotNext(counted.position))?;
        Ok(RestoredReplica {
            epoch: head.epoch,
            position: head.position,
            digest: counted.digest,
            digest_key: head.digest_key,
            small: small(&self.connection)?,
        })
    }

    /// The signed key set of the feed, if there is one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn key_set(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let key = super::encode(&Subject::KeySet);
        let bytes: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT bytes FROM small WHERE subject = ?")?
            .query_row([key], |row| row.get(0))
            .optional()?;
        Ok(bytes
            .map(|bytes| rows::read(&bytes))
            .transpose()?
            .and_then(|entry| key_set_of(&entry)))
    }
}

/// The digest of all rows, and how many are tickets.
pub(super) fn count(connection: &Connection, key: &DigestKey) -> Result<(Digest, u64), StoreError> {
    let mut digest = digest::EMPTY;
    let mut tickets = 0;
    for (table, count) in [("tickets", 1), ("small", 0)] {
        let mut statement = connection.prepare(&format!("SELECT bytes FROM {table}"))?;
        let mut all = statement.query(())?;
        while let Some(row) = all.next()? {
            let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            digest = digest::add(digest, digest::row_hash(key, bytes));
            tickets += count;
        }
    }
    Ok((digest, tickets))
}

/// All entries that are not tickets.
pub(super) fn small(connection: &Connection) -> Result<Vec<FeedEntry>, StoreError> {
    let mut statement = connection.prepare("SELECT bytes FROM small ORDER BY subject")?;
    let mut all = statement.query(())?;
    let mut entries = Vec::new();
    while let Some(row) = all.next()? {
        entries.push(rows::read(
            row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?,
        )?);
    }
    Ok(entries)
}

/// The key set that an entry brings.
pub(crate) fn key_set_of(entry: &FeedEntry) -> Option<Vec<u8>> {
    match &entry.value {
        Some(Value::KeySet(bytes)) => Some(bytes.clone()),
        Some(
            Value::Policy(_)
            | Value::Node(_)
            | Value::Gate(_)
            | Value::Performance(_)
            | Value::Ticket(_),
        )
        | None => None,
    }
}

fn ticket_entry(entry: FeedEntry) -> Option<TicketEntry> {
    match entry.value {
        Some(Value::Ticket(ticket)) => Some(ticket),
        Some(
            Value::Policy(_)
            | Value::KeySet(_)
            | Value::Node(_)
            | Value::Gate(_)
            | Value::Performance(_),
        )
        | None => None,
    }
}
