//! From a verified token to the internal ids. Which context knows users is decided at the top.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{Principal, VerifiedClaims};
use crate::app::App;
use crate::db::{DbError, DbResult};

/// What the context that knows users does for each verified token.
pub trait KnowsUsers: Send + Sync {
    /// The internal id of an issuer's user, made at first sight.
    fn user_id<'a>(
        &'a self,
        app: &'a App,
        iss: &'a str,
        sub: &'a str,
    ) -> BoxFuture<'a, DbResult<Uuid>>;

    /// The internal id of an issuer's organisation: no two issuers' are the same, unless one succeeds the
    /// other.
    fn org_id<'a>(
        &'a self,
        app: &'a App,
        iss: &'a str,
        org: &'a str,
    ) -> BoxFuture<'a, DbResult<String>>;
}

/// What the context that knows users registers. Without one every token is refused.
#[derive(Clone)]
pub struct ResolveUser(Arc<dyn KnowsUsers>);

impl ResolveUser {
    /// Resolves with this.
    pub fn new(users: impl KnowsUsers + 'static) -> Self {
        Self(Arc::new(users))
    }

    /// The internal id of an issuer's user, who need not have been here.
    ///
    /// # Errors
    /// The database doesn't answer.
    pub async fn user_id(&self, app: &App, iss: &str, sub: &str) -> DbResult<Uuid> {
        self.0.user_id(app, iss, sub).await
    }

    /// The caller that a verified token identifies.
    ///
    /// # Errors
    /// The database doesn't answer.
    pub async fn principal(&self, app: &App, claims: VerifiedClaims) -> DbResult<Principal> {
        let user_id = self.user_id(app, &claims.iss, &claims.sub).await?;
        let org_id = match &claims.org_id {
            Some(org) => Some(self.0.org_id(app, &claims.iss, org).await?),
            None => None,
        };
        Ok(Principal {
            user_id,
            iss: claims.iss,
            sub: claims.sub,
            roles: claims.roles,
            scopes: claims.scopes,
            org_id,
            client_id: claims.client_id,
            jti: claims.jti,
        })
    }
}

/// Knows nobody.
struct Nobody;

impl KnowsUsers for Nobody {
    fn user_id<'a>(&'a self, _: &'a App, _: &'a str, _: &'a str) -> BoxFuture<'a, DbResult<Uuid>> {
        let nobody = DbError::impossible_row("no context resolves users");
        Box::pin(async move { Err(nobody) })
    }

    fn org_id<'a>(&'a self, _: &'a App, _: &'a str, _: &'a str) -> BoxFuture<'a, DbResult<String>> {
        let nobody = DbError::impossible_row("no context resolves organisations");
        Box::pin(async move { Err(nobody) })
    }
}

impl Default for ResolveUser {
    fn default() -> Self {
        Self::new(Nobody)
    }
}

impl fmt::Debug for ResolveUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResolveUser")
    }
}
