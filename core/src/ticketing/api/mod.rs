//! The acts of ticketing: load → decide → one transaction.

pub(super) mod issuing;
pub(super) mod keys;
pub(super) mod tickets;

use eventify_protocol::ids::{OrderId, TicketId};

use super::model::{IssueError, Refused};
use crate::db::DbError;
use crate::failure::Failure;
use crate::keys::KeysError;

/// Why an act was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("there is no order {0}")]
    UnknownOrder(OrderId),
    #[error("the order has no tickets: {0}")]
    NotIssued(String),
    #[error("there is no ticket {0}")]
    UnknownTicket(TicketId),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("tickets can't be issued now: {0}")]
    Issue(#[from] IssueError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::retry(error)
    }
}
