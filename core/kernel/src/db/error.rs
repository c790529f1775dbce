//! Failed statements and connections, and whether trying again can help.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::sync::Arc;

use sqlx::error::DatabaseError;

/// A failed statement or connection. Never shown to a client. Cheap to clone: those who shared a
/// transaction share its failure.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct DbError(Arc<sqlx::Error>);

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        Self(Arc::new(error))
    }
}

/// What every store function answers.
pub type DbResult<T> = Result<T, DbError>;

impl DbError {
    /// A row that can't exist was read: the code or the data is wrong.
    #[must_use]
    pub fn impossible_row(what: impl std::fmt::Display) -> Self {
        sqlx::Error::Decode(what.to_string().into()).into()
    }

    /// Whether a constraint of this name refused the statement.
    #[must_use]
    pub fn violates(&self, constraint: &str) -> bool {
        self.0
            .as_database_error()
            .and_then(|error| error.constraint())
            .is_some_and(|name| name == constraint)
    }

    /// Whether the database is at fault, and not what was asked of it (SQLSTATE class 22, data
    /// exceptions): only then does a breaker count it.
    #[must_use]
    pub fn is_databases_fault(&self) -> bool {
        let code = code_of(&self.0);
        !code.is_some_and(|code| code.starts_with("22"))
    }

    /// Whether the server gave the statement up, for it took too long.
    pub(super) fn took_too_long(&self) -> bool {
        let error = self.0.as_database_error();
        error.is_some_and(|error| error.code().as_deref() == Some("57014"))
    }

    /// Whether all connections were in use for as long as this kind of work waits for one.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(&*self.0, sqlx::Error::PoolTimedOut) || self.is_crowded()
    }

    /// Whether those were the connections of anonymous requests: as it is meant to be in a rush.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        matches!(&*self.0, sqlx::Error::Io(error) if error.kind() == ErrorKind::ResourceBusy)
    }

    /// Whether trying again can help: deadlock, serialization failure, a lock or statement that took
    /// too long, lost connection, a server that stops or starts.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let code = code_of(&self.0);
        matches!(
            code.as_deref(),
            Some("40001" | "40P01" | "55P03" | "57014" | "25P03")
        ) || is_line(&self.0)
            || matches!(
                &*self.0,
                sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed
            )
    }
}

/// SQLSTATE, where the server says one.
pub(super) fn code_of(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(DatabaseError::code)
}

/// Whether it is the line, or a server that starts, stops or is full, and not what was asked.
pub(super) fn is_line(error: &sqlx::Error) -> bool {
    let code = code_of(error);
    matches!(
        error,
        // Hanging up at once is a protocol error to the library.
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_)
    ) || matches!(code.as_deref(), Some("57P01" | "57P02" | "57P03" | "53300"))
}
