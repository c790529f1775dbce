//! Requests to the core's fleet listener, of which the authority's fingerprint is pinned.

use std::time::Duration;

use eventify_protocol::{error::ErrorBody, hash::Hash32};
use serde::{Serialize, de::DeserializeOwned};

use super::authority;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Why the core gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// No trusted connection. Nothing was sent.
    #[error(
        "no trusted connection to the core at {core}: {reason}; nothing was sent. Check the address, \
         and that no other server answers there"
    )]
    Connection {
        /// The address.
        core: String,
        /// The chain of causes.
        reason: String,
    },
    #[error("the core refused ({code}): {message}")]
    Refused {
        /// Stable.
        code: String,
        /// For people.
        message: String,
    },
    #[error("the core's answer can't be used: {0}")]
    Answer(String),
}

/// The listener.
pub(super) struct Core<'a> {
    /// `https://…`
    pub(super) url: &'a str,
    /// SHA-256 over its authority's certificate.
    pub(super) authority: Hash32,
}

impl Core<'_> {
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        request: &(impl Serialize + Sync),
    ) -> Result<T, CoreError> {
        let unreachable = |error: reqwest::Error| CoreError::Connection {
            core: self.url.to_owned(),
            reason: causes(&error),
        };
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(authority::client_config(self.authority))
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .https_only(true)
            .build()
            .map_err(unreachable)?;
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let mut response = client
            .post(url)
            .json(request)
            .send()
            .await
            .map_err(unreachable)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&part);
            if body.len() > MAX_ANSWER_BYTES {
                return Err(CoreError::Answer(format!(
                    "it has more than {MAX_ANSWER_BYTES} bytes"
                )));
            }
        }
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|e| CoreError::Answer(e.to_string()));
        }
        Err(match serde_json::from_slice::<ErrorBody>(&body) {
            Ok(body) => CoreError::Refused {
                code: body.error.code,
                message: body.error.message,
            },
            Err(_) => CoreError::Answer(format!("HTTP status {status}")),
        })
    }
}

/// An error with its causes, for people.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
