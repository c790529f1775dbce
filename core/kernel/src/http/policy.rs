//! Who may call a route. Every route has a policy; there is no way to register one without.

use crate::auth::{Principal, Role};

use super::ApiError;

/// Who may call it, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Who.
    pub access: Access,
    /// Scopes that the token must have, all of them.
    pub scopes: &'static [&'static str],
    /// What the handler must compare with the caller before it shows or changes anything.
    pub owner: Option<&'static str>,
    /// Idempotency keys.
    pub key: KeyRule,
    /// Which bucket pays.
    pub rate: Rate,
    /// What is kept of an answer for its replay.
    pub kept: Kept,
    /// Whether the handler reads parameters behind `?`. Elsewhere they are refused: who writes
    /// `?dryRun=true` to a route that knows none must not get the act itself.
    pub query: bool,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody, signed in or not.
    Public,
    /// Anybody with a valid token.
    SignedIn,
    /// A token with one of these roles.
    Roles(&'static [Role]),
    /// No token: the handler verifies something else, named here (a webhook's signature).
    Proof(&'static str),
}

/// What `Idempotency-Key` means on a route (DECISIONS 21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRule {
    /// 400 without.
    Required,
    /// Honoured when it comes; what every other `POST` gets.
    Accepted,
    /// Has no meaning: reads, and writes that are idempotent by nature.
    Ignored,
}

/// What is kept of a success for the replay of its idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All of it.
    Whole,
    /// That it was given, and for which request: its body holds a secret, which would lie in the
    /// table for days. A repeat runs the handler again, which must be idempotent by nature.
    Fact,
}

/// Which token bucket a request draws from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rate {
    /// `http.rate_limits.normal_*`
    Normal,
    /// `http.rate_limits.strict_*`: money and holds.
    Strict,
    /// No limit: probes, webhooks.
    Unlimited,
}

impl Policy {
    const fn of(access: Access) -> Self {
        Self {
            access,
            scopes: &[],
            owner: None,
            key: KeyRule::Accepted,
            rate: Rate::Normal,
            kept: Kept::Whole,
            query: false,
        }
    }

    /// Anybody.
    #[must_use]
    pub const fn public() -> Self {
        Self::of(Access::Public)
    }

    /// Anybody with a valid token.
    #[must_use]
    pub const fn signed_in() -> Self {
        Self::of(Access::SignedIn)
    }

    /// One of these roles.
    #[must_use]
    pub const fn roles(roles: &'static [Role]) -> Self {
        Self::of(Access::Roles(roles))
    }

    /// The handler verifies this instead of a token.
    #[must_use]
    pub const fn proof(what: &'static str) -> Self {
        Self::of(Access::Proof(what))
    }

    /// Requires all of these scopes, in canonical spelling (`order:write`).
    #[must_use]
    pub const fn scopes(self, scopes: &'static [&'static str]) -> Self {
        Self { scopes, ..self }
    }

    /// Names the ownership rule, as `"reservation.customer_id"`. The handler enforces it with
    /// [`Caller::must_own`](super::Caller::must_own).
    #[must_use]
    pub const fn owner(self, rule: &'static str) -> Self {
        Self {
            owner: Some(rule),
            ..self
        }
    }

    /// 400 without `Idempotency-Key`.
    #[must_use]
    pub const fn key_required(self) -> Self {
        Self {
            key: KeyRule::Required,
            ..self
        }
    }

    /// `Idempotency-Key` means nothing here.
    #[must_use]
    pub const fn key_ignored(self) -> Self {
        Self {
            key: KeyRule::Ignored,
            ..self
        }
    }

    /// The answer holds a secret: it is made again for a repeat, never kept. Only for a handler
    /// that is idempotent without a key.
    #[must_use]
    pub const fn secret_answer(self) -> Self {
        Self {
            kept: Kept::Fact,
            ..self
        }
    }

    /// Its handler takes a [`Query`](super::Query).
    #[must_use]
    pub const fn query(self) -> Self {
        Self {
            query: true,
            ..self
        }
    }

    /// Draws from the strict bucket.
    #[must_use]
    pub const fn strict(self) -> Self {
        Self {
            rate: Rate::Strict,
            ..self
        }
    }

    /// Draws from no bucket.
    #[must_use]
    pub const fn unlimited(self) -> Self {
        Self {
            rate: Rate::Unlimited,
            ..self
        }
    }

    /// Whether the route reads tokens at all.
    #[must_use]
    pub const fn wants_token(&self) -> bool {
        !matches!(self.access, Access::Proof(_))
    }

    /// Whether anybody may call it as often as the limits for strangers allow. Probes are no such
    /// route.
    #[must_use]
    pub fn is_limited_as_public(&self) -> bool {
        self.access == Access::Public && self.rate != Rate::Unlimited
    }

    /// Decides about a caller.
    ///
    /// # Errors
    /// 401 without a needed token, 403 when role or scope is missing.
    pub fn admit(&self, principal: Option<&Principal>) -> Result<(), ApiError> {
        let roles = match self.access {
            Access::Public | Access::Proof(_) => return Ok(()),
            Access::SignedIn => None,
            Access::Roles(roles) => Some(roles),
        };
        let principal =
            principal.ok_or_else(|| ApiError::unauthenticated("a bearer token is needed"))?;
        if let Some(roles) = roles
            && !roles.iter().any(|role| principal.has_role(*role))
        {
            let needed = Role::list(roles);
            return Err(ApiError::forbidden(format!(
                "one of these roles is needed: {needed}"
            )));
        }
        match self.scopes.iter().find(|scope| !principal.has_scope(scope)) {
            Some(missing) => Err(ApiError::forbidden(format!("scope '{missing}' is missing"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_refusal_names_the_roles_as_tokens_do() {
        let nobody = Principal {
            user_id: uuid::Uuid::nil(),
            iss: String::new(),
            sub: String::new(),
            roles: BTreeSet::new(),
            scopes: BTreeSet::new(),
            org_id: None,
            client_id: None,
            jti: None,
        };
        let policy = Policy::roles(&[Role::Organizer, Role::BoxOffice]);
        let refusal = policy.admit(Some(&nobody)).unwrap_err();
        assert_eq!(
            refusal,
            ApiError::forbidden("one of these roles is needed: ORGANIZER, BOX_OFFICE")
        );
    }
}
