//! What a handler knows about its request beside the body: who, since when, with which key.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::ApiError;
use crate::auth::{Principal, Role};
use crate::cause::Cause;

/// The caller of a route, after its policy has let them pass.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who, if signed in.
    pub principal: Option<Principal>,
    /// Goes into every row, message and log line of this request.
    pub cause: Cause,
    /// `Idempotency-Key`, where one came and the route honours it.
    pub key: Option<IdempotencyKey>,
    /// Address of the client, behind trusted proxies.
    pub address: IpAddr,
}

impl Caller {
    /// The signed-in caller.
    ///
    /// # Errors
    /// 401 for an anonymous one.
    pub fn principal(&self) -> Result<&Principal, ApiError> {
        self.principal
            .as_ref()
            .ok_or_else(|| ApiError::unauthenticated("a bearer token is needed"))
    }

    /// The ownership rule: the caller is this user, or an administrator.
    ///
    /// # Errors
    /// 401, 403.
    pub fn must_own(&self, owner: impl Into<Uuid>) -> Result<(), ApiError> {
        let principal = self.principal()?;
        if principal.user_id == owner.into() || principal.has_role(Role::Admin) {
            return Ok(());
        }
        Err(ApiError::forbidden("this belongs to another user"))
    }

    /// The same, or the box office that opened it in this user's name.
    ///
    /// # Errors
    /// 401, 403.
    pub fn must_own_or_sell(
        &self,
        owner: impl Into<Uuid>,
        seller: Option<impl Into<Uuid>>,
    ) -> Result<(), ApiError> {
        if self.is_seller(seller) {
            return Ok(());
        }
        self.must_own(owner)
    }

    /// Whether the caller is this box office. An account that has lost the role is none.
    #[must_use]
    pub fn is_seller(&self, seller: Option<impl Into<Uuid>>) -> bool {
        let seller = seller.map(Into::into);
        let who = self.principal.as_ref();
        who.is_some_and(|it| Some(it.user_id) == seller && it.has_role(Role::BoxOffice))
    }
}

/// A client's `Idempotency-Key`, bound to the caller and to what the request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// As sent.
    pub(super) text: String,
    /// Whose it is. Two users may well choose the same key.
    pub(super) user: Uuid,
    /// Method and path, ids included.
    pub(super) target: String,
}

impl IdempotencyKey {
    /// A key for an effect of this request in another transaction or at another party: the same
    /// for every repeat of the request, different for each purpose, user and target.
    #[must_use]
    pub fn inner(&self, purpose: &str) -> Uuid {
        let mut hash = Sha256::new().chain_update(self.user.as_bytes());
        for part in [&self.target, &self.text, purpose] {
            // With its length, so that no part can pass for the end of another.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError::internal("the route's guard has not run"))
    }
}
