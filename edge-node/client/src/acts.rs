//! What people do beside scanning: acts and searches.

use eventify_protocol::lan::{ActAnswer, ActRequest, SearchAnswer, SearchRequest};
use reqwest::Method;

use crate::{ClientError, Scanner, node::json};

impl Scanner {
    /// `POST /v1/acts`. [`Attempts`](crate::Attempts) says what to do after a failure.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn act(&self, act: &ActRequest) -> Result<ActAnswer, ClientError> {
        self.call(Method::POST, "/v1/acts", json(act)).await
    }

    /// `POST /v1/searches`.
    ///
    /// # Errors
    /// All but [`ClientError::Setup`].
    pub async fn search(&self, search: &SearchRequest) -> Result<SearchAnswer, ClientError> {
        self.call(Method::POST, "/v1/searches", json(search)).await
    }
}
