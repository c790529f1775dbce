//! What can go wrong while the servers are started or used.

use std::path::PathBuf;
use std::process::ExitStatus;

#[derive(Debug, thiserror::Error)]
pub enum StackError {
    #[error("{server} was not ready after {seconds} s ({last}); its log {log} ends with:\n{tail}")]
    NotReady {
        server: &'static str,
        seconds: u64,
        last: String,
        log: PathBuf,
        tail: String,
    },
    #[error("{server} ended while starting ({status}); its log {log} ends with:\n{tail}")]
    Ended {
        server: &'static str,
        status: ExitStatus,
        log: PathBuf,
        tail: String,
    },
    #[error("{missing} is missing: {remedy}")]
    Missing {
        missing: String,
        remedy: &'static str,
    },
    #[error("{action}: {source}")]
    Io {
        action: String,
        source: std::io::Error,
    },
    #[error("{action} answered {status}: {body}")]
    Refused {
        action: String,
        status: u16,
        body: String,
    },
    #[error("the description of the running stack is unreadable: {0}")]
    Description(#[from] serde_json::Error),
    #[error("the template database's migration failed: {0}")]
    Migration(Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
    #[error("a certificate or key can't be read: {0}")]
    Pem(rustls::pki_types::pem::Error),
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

pub(crate) type Result<T> = std::result::Result<T, StackError>;

/// Gives an IO error the sentence that says what was being done.
pub(crate) trait During<T> {
    fn during(self, action: impl FnOnce() -> String) -> Result<T>;
}

impl<T> During<T> for std::io::Result<T> {
    fn during(self, action: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| StackError::Io {
            action: action(),
            source,
        })
    }
}
