//! Feed entries as rows, and what they do to the digest.

use eventify_protocol::{
    hash::Hash32,
    ids::TicketId,
    short_code::CodeTag,
    sync::{Digest, DigestKey, Epoch, FeedEntry, Position, Subject, Value},
};
use eventify_sync::{digest, edge::RestoredReplica};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{StoreError, counts::Changes, encode, from_sql, to_sql};

/// How far a complete replica is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) epoch: Epoch,
    pub(super) position: Position,
    pub(super) digest: Digest,
    pub(super) digest_key: DigestKey,
}

pub(super) fn find_head(connection: &Connection) -> Result<Option<Head>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT epoch, position, digest, digest_key FROM replica WHERE only = 1")?;
    let mut rows = statement.query(())?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Head {
        epoch: minicbor::decode(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?,
        position: Position(from_sql(row.get(1)?)),
        digest: Digest(Hash32(row.get(2)?)),
        digest_key: DigestKey(Hash32(row.get(3)?)),
    }))
}

pub(super) fn update_head(connection: &Connection, head: &Head) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO replica (only, epoch, position, digest, digest_key)
             VALUES (1, ?, ?, ?, ?)",
        )?
        .execute(params![
            encode(&head.epoch),
            to_sql(head.position.0),
            head.digest.0.0,
            head.digest_key.0.0,
        ])?;
    Ok(())
}

/// The replica as the machine needs it; none if it is not complete.
pub(super) fn find_replica(connection: &Connection) -> Result<Option<RestoredReplica>, StoreError> {
    let Some(head) = find_head(connection)? else {
        return Ok(None);
    };
    let mut statement = connection.prepare("SELECT bytes FROM small ORDER BY subject")?;
    let mut rows = statement.query(())?;
    let mut small = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        small.push(decode(bytes)?);
    }
    Ok(Some(RestoredReplica {
        epoch: head.epoch,
        position: head.position,
        digest: head.digest,
        digest_key: head.digest_key,
        small,
    }))
}

/// Updates an entry's subject, unless the stored entry is as new. Returns the digest after it and the
/// growth of the number of tickets.
pub(super) fn apply(
    connection: &Connection,
    (digest, key): (Digest, &DigestKey),
    entry: &FeedEntry,
    counts: &mut Changes,
) -> Result<(Digest, i64), StoreError> {
    let row_key = RowKey::of(&entry.subject);
    let old = row_key.find(connection)?;
    if let Some(old) = &old {
        let old = decode(old)?;
        if old.version >= entry.version {
            return Ok((digest, 0));
        }
        counts.delete(&old);
    }
    counts.insert(entry);
    match &entry.value {
        Some(value) => row_key.update(connection, &entry.to_bytes(), code_of(value))?,
        None => row_key.delete(connection)?,
    }
    let after = digest::replace(digest, key, old.as_deref(), entry);
    let growth = i64::from(entry.value.is_some()) - i64::from(old.is_some());
    Ok((after, if row_key.is_ticket() { growth } else { 0 }))
}

/// Inserts a row that is not there yet. Returns the digest after it and whether it is a ticket.
pub(super) fn insert(
    connection: &Connection,
    (digest, key): (Digest, &DigestKey),
    entry: &FeedEntry,
    counts: &mut Changes,
) -> Result<(Digest, bool), StoreError> {
    counts.insert(entry);
    let row_key = RowKey::of(&entry.subject);
    let bytes = entry.to_bytes();
    row_key.insert(connection, &bytes, entry.value.as_ref().and_then(code_of))?;
    Ok((
        digest::add(digest, digest::row_hash(key, &bytes)),
        row_key.is_ticket(),
    ))
}

/// Without the index of short codes, while the rows of a snapshot are inserted: their codes come in no
/// order, and it is made faster at the end of all.
pub(super) fn drop_code_index(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.execute_batch("DROP INDEX tickets_by_code")?)
}

/// As the schema makes it.
pub(super) fn create_code_index(connection: &Connection) -> Result<(), StoreError> {
    let create = "CREATE INDEX tickets_by_code ON tickets (code) WHERE code IS NOT NULL";
    Ok(connection.execute_batch(create)?)
}

/// By which a ticket's short code is found.
fn code_of(value: &Value) -> Option<CodeTag> {
    match value {
        Value::Ticket(ticket) => ticket.code,
        Value::Policy(_)
        | Value::KeySet(_)
        | Value::Node(_)
        | Value::Gate(_)
        | Value::Performance(_)
        | Value::Person(_)
        | Value::Holder(_) => None,
    }
}

/// A subject's table and key.
enum RowKey {
    Ticket([u8; 16]),
    /// Of a ticket.
    Holder([u8; 16]),
    Small(Vec<u8>),
}

impl RowKey {
    fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Ticket(ticket) => Self::Ticket(*ticket.as_uuid().as_bytes()),
            Subject::Holder(ticket) => Self::Holder(*ticket.as_uuid().as_bytes()),
            Subject::Policy
            | Subject::KeySet
            | Subject::Node(_)
            | Subject::Gate(_)
            | Subject::Performance(_)
            | Subject::Person(_) => Self::Small(encode(subject)),
        }
    }

    fn is_ticket(&self) -> bool {
        matches!(self, Self::Ticket(_))
    }

    fn key(&self) -> &[u8] {
        match self {
            Self::Ticket(id) | Self::Holder(id) => id,
            Self::Small(subject) => subject,
        }
    }

    fn find(&self, connection: &Connection) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = match self {
            Self::Ticket(_) => "SELECT bytes FROM tickets WHERE id = ?",
            Self::Holder(_) => "SELECT bytes FROM holders WHERE id = ?",
            Self::Small(_) => "SELECT bytes FROM small WHERE subject = ?",
        };
        let mut statement = connection.prepare_cached(sql)?;
        Ok(statement
            .query_row([self.key()], |row| row.get(0))
            .optional()?)
    }

    fn update(
        &self,
        connection: &Connection,
        bytes: &[u8],
        code: Option<CodeTag>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Ticket(id) => connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO tickets (id, bytes, code) VALUES (?, ?, ?)",
                )?
                .execute(params![id, bytes, code.map(|code| code.0)])?,
            Self::Holder(id) => connection
                .prepare_cached("INSERT OR REPLACE INTO holders (id, bytes) VALUES (?, ?)")?
                .execute(params![id, bytes])?,
            Self::Small(subject) => connection
                .prepare_cached("INSERT OR REPLACE INTO small (subject, bytes) VALUES (?, ?)")?
                .execute(params![subject, bytes])?,
        };
        Ok(())
    }

    fn insert(
        &self,
        connection: &Connection,
        bytes: &[u8],
        code: Option<CodeTag>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Ticket(id) => connection
                .prepare_cached("INSERT INTO tickets (id, bytes, code) VALUES (?, ?, ?)")?
                .execute(params![id, bytes, code.map(|code| code.0)])?,
            Self::Holder(id) => connection
                .prepare_cached("INSERT INTO holders (id, bytes) VALUES (?, ?)")?
                .execute(params![id, bytes])?,
            Self::Small(subject) => connection
                .prepare_cached("INSERT INTO small (subject, bytes) VALUES (?, ?)")?
                .execute(params![subject, bytes])?,
        };
        Ok(())
    }

    fn delete(&self, connection: &Connection) -> Result<(), StoreError> {
        let sql = match self {
            Self::Ticket(_) => "DELETE FROM tickets WHERE id = ?",
            Self::Holder(_) => "DELETE FROM holders WHERE id = ?",
            Self::Small(_) => "DELETE FROM small WHERE subject = ?",
        };
        connection.prepare_cached(sql)?.execute([self.key()])?;
        Ok(())
    }
}

/// A ticket's row.
pub(super) fn find_ticket(
    connection: &Connection,
    ticket: TicketId,
) -> Result<Option<Vec<u8>>, StoreError> {
    RowKey::of(&Subject::Ticket(ticket)).find(connection)
}

/// A row's bytes as an entry; its hash for the digest is over the bytes themselves.
pub(super) fn decode(bytes: &[u8]) -> Result<FeedEntry, StoreError> {
    Ok(minicbor::decode(bytes)?)
}
