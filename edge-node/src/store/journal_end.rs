//! The journal's end as the replica's file knows it.

use std::path::Path;

use eventify_protocol::{hash::Hash32, ids::IncarnationId, sync::JournalHead};
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::{StoreError, from_sql, newest_path, schema, to_sql};

pub(super) fn update(connection: &Connection, end: &JournalHead) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO journal_end (only, incarnation, seq, hash) VALUES (1, ?, ?, ?)",
        )?
        .execute(params![
            end.incarnation.as_uuid().as_bytes(),
            to_sql(end.seq),
            end.hash.0,
        ])?;
    Ok(())
}

pub(super) fn find(connection: &Connection) -> Result<Option<JournalHead>, StoreError> {
    let found = connection.query_row(
        "SELECT incarnation, seq, hash FROM journal_end",
        (),
        |row| {
            Ok(JournalHead {
                incarnation: IncarnationId(Uuid::from_bytes(row.get(0)?)),
                seq: from_sql(row.get(1)?),
                hash: Hash32(row.get(2)?),
            })
        },
    );
    Ok(found.optional()?)
}

/// The journal's end by the newest replica, which is only read; none of one that can't be.
#[must_use]
pub fn journal_end(data_dir: &Path) -> Option<JournalHead> {
    let replica = schema::open_reader(&newest_path(data_dir)?);
    replica.and_then(|replica| find(&replica)).ok().flatten()
}

/// The journal begins anew.
///
/// # Errors
/// See [`StoreError`].
pub fn delete_journal_end(data_dir: &Path) -> Result<(), StoreError> {
    if let Some(path) = newest_path(data_dir) {
        schema::open_writer(&path)?.execute("DELETE FROM journal_end", ())?;
    }
    Ok(())
}
