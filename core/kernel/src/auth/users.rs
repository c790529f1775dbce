//! From a verified token to the internal user id. Which context knows users is decided at the top.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{Principal, VerifiedClaims};
use crate::app::App;
use crate::db::{DbError, DbResult};

/// Finds the internal id of issuer and subject, and makes one at first sight.
pub type UserIdOf =
    dyn for<'a> Fn(&'a App, &'a str, &'a str) -> BoxFuture<'a, DbResult<Uuid>> + Send + Sync;

/// What the context that knows users registers. Without one every token is refused.
#[derive(Clone)]
pub struct ResolveUser(Arc<UserIdOf>);

impl ResolveUser {
    /// Resolves with this function.
    pub fn new(
        user_id_of: impl for<'a> Fn(&'a App, &'a str, &'a str) -> BoxFuture<'a, DbResult<Uuid>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(user_id_of))
    }

    /// The internal id of an issuer's user, who need not have been here.
    ///
    /// # Errors
    /// The database doesn't answer.
    pub async fn user_id(&self, app: &App, iss: &str, sub: &str) -> DbResult<Uuid> {
        (self.0)(app, iss, sub).await
    }

    /// The caller that a verified token identifies.
    ///
    /// # Errors
    /// The database doesn't answer.
    pub async fn principal(&self, app: &App, claims: VerifiedClaims) -> DbResult<Principal> {
        let user_id = self.user_id(app, &claims.iss, &claims.sub).await?;
        Ok(Principal {
            user_id,
            iss: claims.iss,
            sub: claims.sub,
            roles: claims.roles,
            scopes: claims.scopes,
            org_id: claims.org_id,
            client_id: claims.client_id,
            jti: claims.jti,
        })
    }
}

impl Default for ResolveUser {
    fn default() -> Self {
        let nobody = || DbError::impossible_row("no context resolves users");
        Self::new(move |_, _, _| Box::pin(async move { Err(nobody()) }))
    }
}

impl fmt::Debug for ResolveUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResolveUser")
    }
}
