//! Bearer tokens of any trusted OIDC provider: verification and claims (DECISIONS 3, 4).
//!
//! Deliberately not here: sessions, cookies, passwords, and any header that claims an identity.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

mod device_flow;
mod jwks;
mod signatures;
mod signed;
mod token;
mod users;

pub use device_flow::{DeviceFlow, DeviceFlowError, DeviceSignIn, DeviceToken};
pub use users::{KnowsUsers, ResolveUser};

pub use token::{Auth, AuthError, VerifiedClaims};

/// A role, from `realm_access.roles`, `resource_access` or top-level `roles`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// Buys.
    Customer,
    /// Publishes own events.
    Organizer,
    /// Checks tickets in; a device.
    Checkin,
    /// Runs everything.
    Admin,
    /// Sells at the venue.
    BoxOffice,
    /// Checks tickets in; a person at a gate.
    Steward,
    /// Overrides at a gate.
    Supervisor,
    /// Runs a venue's nodes.
    VenueIt,
    /// Helps customers.
    Support,
}

impl Role {
    /// Reads a role name; unknown names (other applications' roles) are none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "CUSTOMER" => Self::Customer,
            "ORGANIZER" => Self::Organizer,
            "CHECKIN" => Self::Checkin,
            "ADMIN" => Self::Admin,
            "BOX_OFFICE" => Self::BoxOffice,
            "STEWARD" => Self::Steward,
            "SUPERVISOR" => Self::Supervisor,
            "VENUE_IT" => Self::VenueIt,
            "SUPPORT" => Self::Support,
            _ => return None,
        })
    }

    /// The name in tokens, which [`Role::parse`] reads.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "CUSTOMER",
            Self::Organizer => "ORGANIZER",
            Self::Checkin => "CHECKIN",
            Self::Admin => "ADMIN",
            Self::BoxOffice => "BOX_OFFICE",
            Self::Steward => "STEWARD",
            Self::Supervisor => "SUPERVISOR",
            Self::VenueIt => "VENUE_IT",
            Self::Support => "SUPPORT",
        }
    }

    /// Their names, for people.
    #[must_use]
    pub fn list(roles: &[Self]) -> String {
        let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
        names.join(", ")
    }
}

/// As in tokens.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A signed-in caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Our own id for (`iss`, `sub`): what ownership compares.
    pub user_id: Uuid,
    /// Issuer.
    pub iss: String,
    /// The issuer's id for the user. Never an owner: two issuers could collide.
    pub sub: String,
    /// Roles that we know.
    pub roles: BTreeSet<Role>,
    /// Scopes in canonical spelling (`order:write`).
    pub scopes: BTreeSet<String>,
    /// Organisation, where the token names one: our own id for (`iss`, `org_id`).
    pub org_id: Option<String>,
    /// OAuth client.
    pub client_id: Option<String>,
    /// Token id.
    pub jti: Option<String>,
}

impl Principal {
    /// Whether the token gives this role. A steward's is a check-in role on a device.
    #[must_use]
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role) || (role == Role::Checkin && self.roles.contains(&Role::Steward))
    }

    /// Whether the token gives this scope.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.contains(scope)
    }
}

/// The blueprint spells scopes `order:write` and `order.write`; the first is canonical.
fn canonical_scope(scope: &str) -> String {
    scope.replacen('.', ":", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read_by_its_name() {
        for name in [
            "CUSTOMER",
            "ORGANIZER",
            "CHECKIN",
            "ADMIN",
            "BOX_OFFICE",
            "STEWARD",
            "SUPERVISOR",
            "VENUE_IT",
            "SUPPORT",
        ] {
            assert_eq!(Role::parse(name).map(Role::name), Some(name));
        }
        assert_eq!(Role::parse("customer"), None);
    }
}
