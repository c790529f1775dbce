//! What ticketing does: load, decide, one transaction.

pub(super) mod codes;
pub(super) mod issuing;
pub(super) mod journals;
pub(super) mod keys;
pub(super) mod scans;
pub(super) mod statements;
pub(super) mod tickets;

use chrono::TimeDelta;
use eventify_kernel::db::DbError;
use eventify_kernel::failure::Failure;
use eventify_kernel::keys::KeysError;
use eventify_protocol::ids::{OrderId, TicketId};
use eventify_protocol::sync::RowError;
use eventify_sync::core::admission::ScanIdReused;

use super::model::{IssueError, Refused, ScanError};

/// Why an act was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("there is no order {0}")]
    UnknownOrder(OrderId),
    #[error("the order has no tickets: {0}")]
    NotIssued(String),
    #[error("there is no ticket {0}")]
    UnknownTicket(TicketId),
    #[error(
        "a ticket gets new codes {} times a day at most; the newest are good",
        tickets::REISSUES_A_DAY
    )]
    ReissuedTooOften(TimeDelta),
    #[error(transparent)]
    Scan(#[from] ScanError),
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
    #[error("the transaction was interrupted")]
    Interrupted,
}

impl From<ScanIdReused> for Error {
    fn from(error: ScanIdReused) -> Self {
        Self::Scan(error.into())
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
