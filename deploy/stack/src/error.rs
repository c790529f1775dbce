//! Errors of starting and using the servers.

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
    #[error("{action} failed with status {status}: {body}")]
    Refused {
        action: String,
        status: u16,
        body: String,
    },
    #[error("cannot read the running stack's description: {0}")]
    Description(#[from] serde_json::Error),
    #[error("cannot migrate the template database: {0}")]
    Migration(Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
    #[error("cannot read a certificate or key: {0}")]
    Pem(rustls::pki_types::pem::Error),
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

pub(crate) type Result<T> = std::result::Result<T, StackError>;

/// Adds what was being done to an IO error.
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
