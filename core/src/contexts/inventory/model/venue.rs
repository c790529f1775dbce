//! A venue, and who may do what with it.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use eventify_contracts::inventory::VenueFacts;
use eventify_kernel::auth::{Principal, Role};
use eventify_protocol::ids::VenueId;
use eventify_protocol::text;
use eventify_protocol::zone::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
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
    pub(crate) address: Option<Map<String, Value>>,
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
    pub(crate) field: String,
    /// What is allowed.
    pub(crate) issue: String,
}

impl VenueDetails {
    fn check(self) -> Result<Self, InvalidVenue> {
        // They stand on tickets, in terminals and in alarms.
        let name = line("name", &self.name, 1..=MAX_NAME)?;
        let city = line(
            "city",
            self.city.as_deref().unwrap_or_default(),
            0..=MAX_NAME,
        )?;
        let address_bytes = serde_json::to_string(&self.address).map_or(0, |text| text.len());
        if address_bytes > MAX_ADDRESS_BYTES {
            let issue = format!(
                "must be an object of at most {MAX_ADDRESS_BYTES} bytes of JSON, and has {address_bytes}"
            );
            let field = "address".to_owned();
            return Err(InvalidVenue { field, issue });
        }
        let address = self.address.map(|address| shown_fields("address", address));
        Ok(Self {
            name,
            city: Some(city).filter(|city| !city.is_empty()),
            time_zone: self.time_zone,
            address: address.transpose()?,
        })
    }
}

fn line(field: &str, text: &str, chars: RangeInclusive<usize>) -> Result<String, InvalidVenue> {
    text::line(text, chars).map_err(|unfit| InvalidVenue {
        field: field.to_owned(),
        issue: unfit.to_string(),
    })
}

/// People read an address as well, its keys too.
fn shown_fields(
    field: &str,
    fields: Map<String, Value>,
) -> Result<Map<String, Value>, InvalidVenue> {
    let mut shown = Map::with_capacity(fields.len());
    for (key, value) in fields {
        let key = line(field, &key, 1..=MAX_ADDRESS_BYTES)?;
        let field = format!("{field}.{key}");
        let value = shown_value(&field, value)?;
        if shown.insert(key, value).is_some() {
            let issue = "stands there twice".to_owned();
            return Err(InvalidVenue { field, issue });
        }
    }
    Ok(shown)
}

fn shown_value(field: &str, value: Value) -> Result<Value, InvalidVenue> {
    match value {
        Value::String(text) => line(field, &text, 0..=MAX_ADDRESS_BYTES).map(Value::String),
        Value::Array(items) => {
            let items = items.into_iter().enumerate();
            let shown = items.map(|(index, item)| shown_value(&format!("{field}[{index}]"), item));
            shown.collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Object(fields) => shown_fields(field, fields).map(Value::Object),
        value @ (Value::Null | Value::Bool(_) | Value::Number(_)) => Ok(value),
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

    use serde_json::json;

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

    /// An address took ESC, NEL and U+202E, in values and in keys.
    #[test]
    fn an_address_shows_what_it_says() {
        let check = |address: Value| {
            let details = VenueDetails {
                name: "Hall".to_owned(),
                city: None,
                time_zone: TimeZone::UTC,
                address: Some(serde_json::from_value(address).unwrap()),
            };
            let checked = details.check().map(|it| Value::Object(it.address.unwrap()));
            checked.map_err(|error| error.to_string())
        };
        let plain = json!({ "street": "12 rue\u{a0} de  la Paix", "floors": [0, "1re", null], "geo": { "lat": 1.5 } });
        let shown = json!({ "street": "12 rue de la Paix", "floors": [0, "1re", null], "geo": { "lat": 1.5 } });
        assert_eq!(check(plain), Ok(shown));
        for (address, cause) in [
            (
                json!({ "street": "a\u{1b}[2J" }),
                "'address.street': must not have U+001B",
            ),
            (
                json!({ "a": [{ "b": "x\u{85}y" }] }),
                "'address.a[0].b': must not have U+0085",
            ),
            (
                json!({ "a": { "x\u{202e}y": 1 } }),
                "'address.a': must not have U+202E",
            ),
            (
                json!({ "a": 1, "a ": 2 }),
                "'address.a': stands there twice",
            ),
            (json!({ "": 1 }), "'address': must be 1 to"),
        ] {
            let refused = check(address).unwrap_err();
            assert!(refused.starts_with(cause), "{refused}");
        }
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
