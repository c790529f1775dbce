//! A venue, and who may do what with it.

use chrono::{DateTime, Utc};
use eventify_contracts::inventory::VenueFacts;
use eventify_kernel::auth::{Principal, Role};
use eventify_protocol::ids::VenueId;
use eventify_protocol::text;
use eventify_protocol::zone::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

/// Of name and city, in characters.
const MAX_NAME: usize = 100;
const MAX_ADDRESS_BYTES: usize = 4_096;

/// `POST /venues`, `PUT /venues/{venueId}`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VenueDetails {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) city: Option<String>,
    /// Whatever people read of its shows is in it.
    pub(crate) time_zone: TimeZone,
    /// Its form depends on the country.
    #[serde(default)]
    pub(crate) address: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Who manages a venue or an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user_id: Uuid,
    pub(crate) org_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Venue {
    pub(crate) id: VenueId,
    pub(crate) owner: Owner,
    pub(crate) shared: bool,
    pub(crate) details: VenueDetails,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) version: i32,
}

/// A field of the details was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{field}': {issue}")]
pub(crate) struct InvalidVenue {
    pub(crate) field: &'static str,
    /// What is allowed.
    pub(crate) issue: String,
}

impl VenueDetails {
    fn check(self) -> Result<Self, InvalidVenue> {
        let name = self.name.trim().to_owned();
        let city = self
            .city
            .map(|city| city.trim().to_owned())
            .filter(|city| !city.is_empty());
        // It stands on tickets, in terminals and in alarms.
        let line = |field, line: &str| {
            if text::is_line(line, 1..=MAX_NAME) {
                return Ok(());
            }
            let issue = format!("must be 1 to {MAX_NAME} printable characters");
            Err(InvalidVenue { field, issue })
        };
        line("name", &name)?;
        city.as_deref().map_or(Ok(()), |city| line("city", city))?;
        let address_bytes = serde_json::to_string(&self.address).map_or(0, |text| text.len());
        if address_bytes > MAX_ADDRESS_BYTES {
            let issue = format!("must be an object of at most {MAX_ADDRESS_BYTES} bytes of JSON");
            return Err(InvalidVenue {
                field: "address",
                issue,
            });
        }
        Ok(Self {
            name,
            city,
            time_zone: self.time_zone,
            address: self.address,
        })
    }
}

impl Owner {
    /// The ownership rule: the owner, an organiser of the same organisation, an administrator.
    pub(crate) fn is(&self, caller: &Principal) -> bool {
        let same_org = self.org_id.is_some() && self.org_id == caller.org_id;
        caller.user_id == self.user_id
            || caller.has_role(Role::Admin)
            || (same_org && caller.has_role(Role::Organizer))
    }
}

impl Venue {
    /// An administrator's venue is shared: every organiser may use it (DECISIONS 9).
    pub(crate) fn new(
        id: VenueId,
        owner: &Principal,
        details: VenueDetails,
        now: DateTime<Utc>,
    ) -> Result<Self, InvalidVenue> {
        Ok(Self {
            id,
            owner: Owner {
                user_id: owner.user_id,
                org_id: owner.org_id.clone(),
            },
            shared: owner.has_role(Role::Admin),
            details: details.check()?,
            created_at: now,
            updated_at: now,
            version: 1,
        })
    }

    pub(crate) fn edit(
        self,
        details: VenueDetails,
        now: DateTime<Utc>,
    ) -> Result<Self, InvalidVenue> {
        let version = self.version + 1;
        Ok(Self {
            details: details.check()?,
            updated_at: now,
            version,
            ..self
        })
    }

    /// Whether the caller may plan performances there, and so see it.
    pub(crate) fn is_visible_to(&self, caller: &Principal) -> bool {
        self.shared || self.owner.is(caller)
    }

    pub(crate) fn facts(&self) -> VenueFacts {
        VenueFacts {
            name: self.details.name.clone(),
            city: self.details.city.clone(),
            time_zone: self.details.time_zone,
            owner_id: self.owner.user_id,
            org_id: self.owner.org_id.clone(),
            shared: self.shared,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn caller(user: u128, org: Option<&str>, role: Role) -> Principal {
        Principal {
            user_id: Uuid::from_u128(user),
            iss: String::new(),
            sub: String::new(),
            roles: BTreeSet::from([role]),
            scopes: BTreeSet::new(),
            org_id: org.map(str::to_owned),
            client_id: None,
            jti: None,
        }
    }

    fn venue(owner: &Principal) -> Venue {
        let details = VenueDetails {
            name: " Hall ".to_owned(),
            city: None,
            time_zone: TimeZone::UTC,
            address: None,
        };
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Venue::new(VenueId(Uuid::nil()), owner, details, now).unwrap()
    }

    #[test]
    fn an_administrators_venue_is_for_everybody_but_managed_by_administrators() {
        let stranger = caller(9, None, Role::Organizer);
        let shared = venue(&caller(1, None, Role::Admin));
        assert!(shared.is_visible_to(&stranger) && !shared.owner.is(&stranger));
        let own = venue(&caller(1, Some("opera"), Role::Organizer));
        assert!(!own.is_visible_to(&stranger));
        assert!(own.owner.is(&caller(2, Some("opera"), Role::Organizer)));
        assert!(!own.owner.is(&caller(2, Some("circus"), Role::Organizer)));
        assert_eq!(own.details.name, "Hall");
    }
}
