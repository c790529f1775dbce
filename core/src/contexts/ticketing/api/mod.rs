//! The acts of ticketing: load → decide → one transaction.

pub(super) mod admission;
pub(super) mod issuing;
pub(super) mod journal;
pub(super) mod keys;
pub(super) mod statements;
pub(super) mod tickets;

use eventify_protocol::ids::{NodeId, OrderId, TicketId};
use eventify_protocol::sync::RowError;
use eventify_sync::core::admission::ScanIdReused;

pub use admission::ScanBatches;

use super::model::{IssueError, Refused};
use eventify_kernel::db::DbError;
use eventify_kernel::failure::Failure;
use eventify_kernel::keys::KeysError;

/// Why an act was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("there is no order {0}")]
    UnknownOrder(OrderId),
    #[error("the order has no tickets: {0}")]
    NotIssued(String),
    #[error("there is no ticket {0}")]
    UnknownTicket(TicketId),
    #[error("there is no such ticket")]
    NoSuchTicket,
    #[error("node {0} is not known")]
    UnknownNode(NodeId),
    #[error("node {0} is revoked")]
    RevokedNode(NodeId),
    #[error(transparent)]
    ScanIdReused(#[from] ScanIdReused),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("tickets can't be issued now: {0}")]
    Issue(#[from] IssueError),
    #[error("a journal row was damaged after it had been verified: {0}")]
    Row(#[from] RowError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("the work on it broke off")]
    Interrupted,
}

impl Error {
    /// The database's failure, if that is what it is: others would meet it too.
    fn lost_database(&self) -> Option<DbError> {
        let Self::Db(error) = self else { return None };
        error.is_transient().then(|| error.clone())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if matches!(error, Error::Row(_)) {
            return Self::park(error);
        }
        Self::retry(error)
    }
}
