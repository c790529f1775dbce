//! Why a consumer, job or task could not do its work, and whether trying again can help.

use crate::db::DbError;
use crate::event::Malformed;
use crate::supervision::Panicked;

/// What is to become of a message or job that failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Trying again can help. A message: after 30 s, 30 s, 2 m, 2 m, then the dead letter queue. A
    /// task: after 1, 2, 4 … 60 s. A job: at its next interval.
    #[error("{0}")]
    Retry(String),
    /// It can't: a message goes to the dead letter queue, a task is parked.
    #[error("{0}")]
    Park(String),
}

impl Failure {
    /// For `map_err`.
    pub fn retry(reason: impl std::fmt::Display) -> Self {
        Self::Retry(reason.to_string())
    }

    /// For `map_err`.
    pub fn park(reason: impl std::fmt::Display) -> Self {
        Self::Park(reason.to_string())
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self::Retry(error.to_string())
    }
}

impl From<Panicked> for Failure {
    fn from(error: Panicked) -> Self {
        Self::Retry(error.to_string())
    }
}

impl From<Malformed> for Failure {
    fn from(error: Malformed) -> Self {
        Self::Park(error.to_string())
    }
}
