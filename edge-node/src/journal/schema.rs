//! Opening the journal's file.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use super::{JournalError, to_sql};

/// Pages after which the log is copied into the file: 16 MiB.
const CHECKPOINT_PAGES: u32 = 4_096;
const CACHE_KIB: i32 = 2_048;
/// How long others may hold the file before the writer says so, and tries again.
const PATIENCE: Duration = Duration::from_secs(1);
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements that are kept.
const STATEMENTS: usize = 16;

/// For the writer: every commit is on the disk when it returns.
pub(super) fn open_writer(path: &Path, max_bytes: u64) -> Result<Connection, JournalError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let migrations = [include_str!("schema.sql"), include_str!("acts.sql")];
    Migrations::new(migrations.into_iter().map(M::up).collect()).to_latest(&mut connection)?;
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    connection.pragma_update(None, "max_page_count", to_sql(max_bytes) / page)?;
    Ok(connection)
}

/// For copying the log into the file, beside the writer.
pub(super) fn open_checkpointer(path: &Path) -> Result<Connection, JournalError> {
    let connection = Connection::open(path)?;
    // It works while nobody else does, and waits for nobody.
    connection.busy_timeout(Duration::ZERO)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// For readers beside the writer.
pub(super) fn open_reader(path: &Path) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}
