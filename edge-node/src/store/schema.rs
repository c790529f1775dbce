//! Opening a replica's file.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

use super::StoreError;

/// Kept in memory by each connection. Finding one of a million tickets by its index reads four pages.
const CACHE_KIB: i32 = 4_096;
/// How long others may hold the file before the writer says so, and tries again.
const PATIENCE: Duration = Duration::from_secs(1);
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const STATEMENTS: usize = 16;

/// For the writer: a commit is on the disk when it returns.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    prepare(&mut connection)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// For a file that is not in use yet: it is made durable as a whole when it is finished.
pub(super) fn open_builder(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    prepare(&mut connection)?;
    Ok(connection)
}

/// For readers beside the writer.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    set_limits(&connection)?;
    Ok(connection)
}

fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    set_limits(connection)?;
    Migrations::new(vec![
        M::up(include_str!("schema.sql")),
        M::up(include_str!("journal_end.sql")),
        M::up(include_str!("second_form.sql")),
        M::up(include_str!("third_form.sql")),
        M::up(include_str!("fourth_form.sql")),
        M::up(include_str!("counts.sql")),
        M::up(include_str!("holders.sql")),
    ])
    .to_latest(connection)?;
    Ok(())
}

fn set_limits(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}
