use std::{error::Error, io, time::Duration};

use eventify_protocol::error::ErrorDetail;

use crate::tls::WRONG_KEY;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// TLS or HTTP can't be set up on this machine.
    #[error("the client can't be set up")]
    Setup(#[source] Box<dyn Error + Send + Sync>),
    /// Another machine answers at the node's address, or the node was enrolled again. Nothing was
    /// sent; pair again at the node.
    #[error("the node's key is not the one of the pairing; pair this scanner again")]
    WrongKey,
    /// No complete answer came in time. The node may have received the request: send it again as it
    /// is, a scan with the same scan id.
    #[error("no answer from the node")]
    NoAnswer(#[source] reqwest::Error),
    /// The node answered with an error.
    #[error(transparent)]
    Refused(Refusal),
    /// The answer is not of this API: client and node do not fit together.
    #[error("an answer with status {status} that is not of this API: {reason}")]
    Malformed {
        /// HTTP status.
        status: u16,
        /// What is wrong with it.
        reason: String,
    },
}

/// An error that the node answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node refused with {status} {}: {}", error.code, error.message)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Code for programs, message for people, and the id of the request in the node's log.
    pub error: ErrorDetail,
    /// When to send the request again, from the `Retry-After` header.
    pub retry_after: Option<Duration>,
}

impl ClientError {
    /// The node's answer, if it refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        if let Self::Refused(refusal) = self {
            Some(refusal)
        } else {
            None
        }
    }

    pub(crate) fn setup(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Setup(Box::new(error))
    }
}

/// Of sending a request or of reading its answer.
impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        if is_wrong_key(&error) {
            Self::WrongKey
        } else {
            Self::NoAnswer(error)
        }
    }
}

fn is_wrong_key(error: &(dyn Error + 'static)) -> bool {
    if error.downcast_ref() == Some(&WRONG_KEY) {
        return true;
    }
    // An I/O error that was made from another error does not have it among its sources.
    let inner = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match inner {
        Some(inner) => is_wrong_key(inner),
        None => error.source().is_some_and(is_wrong_key),
    }
}
