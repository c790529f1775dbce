//! Reading the replica, beside the writer.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use eventify_protocol::{
    ids::{GateId, TicketId},
    short_code::CodeTag,
    sync::{Digest, DigestKey, Epoch, FeedEntry, Position, ScannedTicket, TicketEntry, Value},
};
use eventify_sync::{
    digest,
    token::{SignedTicket, TokenCheck},
};
use rusqlite::Connection;
use uuid::Uuid;

use super::{StoreError, TicketKind, counts, from_sql, rows, schema};

/// A read-only connection to one replica's file, also while a newer one takes its place.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

/// A digest recomputed from the rows, in one read transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recomputed {
    pub position: Position,
    pub epoch: Epoch,
    pub digest: Digest,
    /// The digest that the replica has stored.
    pub stored: Digest,
    pub tickets: u64,
}

impl Reader {
    /// # Errors
    /// See [`StoreError`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            connection: schema::open_reader(path)?,
            path: path.to_owned(),
        })
    }

    /// The file that it reads.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A ticket and the replica's position; position 0 if the replica is not complete.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn find_ticket(
        &self,
        ticket: TicketId,
    ) -> Result<(Position, Option<TicketEntry>), StoreError> {
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
        let entry = bytes.map(rows::decode).transpose()?;
        Ok((position, entry.and_then(ticket_entry)))
    }

    /// What is read in it is of one moment.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn at_once<T>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        let found = read(self)?;
        drop(transaction);
        Ok(found)
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Everything but tickets and holders: gates, nodes, performances; nothing if the replica is not complete.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn list_small(&self) -> Result<Vec<FeedEntry>, StoreError> {
        self.at_once(Self::list_small_here)
    }

    /// The same within [`Self::at_once`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn list_small_here(&self) -> Result<Vec<FeedEntry>, StoreError> {
        let replica = rows::find_replica(&self.connection)?;
        Ok(replica.map_or_else(Vec::new, |replica| replica.small))
    }

    /// How many good tickets there are of each kind, with the admissions of this node that the replica may
    /// not show yet, and everything but the tickets, of one moment.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn count_tickets(
        &self,
        own: &[(TicketId, GateId)],
    ) -> Result<(BTreeMap<TicketKind, u64>, Vec<FeedEntry>), StoreError> {
        self.at_once(|reader| {
            let counts = counts::count(&reader.connection, own)?;
            Ok((counts, reader.list_small_here()?))
        })
    }

    /// The ticket that a scanned text names, or whose short code it is, as the replica has it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn find_scanned(&self, checked: &TokenCheck) -> Result<Option<ScannedTicket>, StoreError> {
        if let Some(code) = checked.code() {
            return self.find_by_code(code.tag());
        }
        let Some(ticket) = checked.claimed().map(SignedTicket::ticket) else {
            return Ok(None);
        };
        let (_, entry) = self.find_ticket(ticket)?;
        Ok(entry.map(|entry| ScannedTicket::of(ticket, &entry)))
    }

    /// None too if two tickets have it, which the core does not let be: nobody is let in by a guess.
    fn find_by_code(&self, code: CodeTag) -> Result<Option<ScannedTicket>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, bytes FROM tickets WHERE code = ? LIMIT 2")?;
        let mut found = statement.query([code.0])?;
        let Some(row) = found.next()? else {
            return Ok(None);
        };
        let ticket = TicketId(Uuid::from_bytes(row.get(0)?));
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let entry = ticket_entry(rows::decode(bytes)?);
        let is_only = found.next()?.is_none();
        Ok(entry
            .filter(|_| is_only)
            .map(|entry| ScannedTicket::of(ticket, &entry)))
    }

    /// Recomputes the digest from all rows; none if the replica is not complete.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn recompute(&self) -> Result<Option<Recomputed>, StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        let Some(head) = rows::find_head(&transaction)? else {
            return Ok(None);
        };
        let (digest, tickets) = digest_of_rows(&transaction, &head.digest_key)?;
        Ok(Some(Recomputed {
            position: head.position,
            epoch: head.epoch,
            digest,
            stored: head.digest,
            tickets,
        }))
    }
}

/// The digest of all rows, and the number of tickets.
pub(super) fn digest_of_rows(
    connection: &Connection,
    key: &DigestKey,
) -> Result<(Digest, u64), StoreError> {
    let mut digest = digest::EMPTY;
    let mut tickets = 0;
    for (table, count) in [("tickets", 1), ("holders", 0), ("small", 0)] {
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

/// The key set in an entry.
pub(crate) fn key_set_of(entry: &FeedEntry) -> Option<Vec<u8>> {
    match &entry.value {
        Some(Value::KeySet(bytes)) => Some(bytes.clone()),
        Some(
            Value::Policy(_)
            | Value::Node(_)
            | Value::Gate(_)
            | Value::Performance(_)
            | Value::Ticket(_)
            | Value::Person(_)
            | Value::Holder(_),
        )
        | None => None,
    }
}

pub(super) fn ticket_entry(entry: FeedEntry) -> Option<TicketEntry> {
    match entry.value {
        Some(Value::Ticket(ticket)) => Some(ticket),
        Some(
            Value::Policy(_)
            | Value::KeySet(_)
            | Value::Node(_)
            | Value::Gate(_)
            | Value::Performance(_)
            | Value::Person(_)
            | Value::Holder(_),
        )
        | None => None,
    }
}
