//! Who works at a venue: a person with a name, roles and an account of the identity provider.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{PersonId, VenueId};
use eventify_protocol::staff::{MAX_STAFF_NAME_CHARS, StaffRole};
use eventify_protocol::sync::PersonEntry;
use eventify_protocol::text;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::comparison::InFeed;

/// People who work at one venue at a time: nodes keep all of them in memory.
pub(crate) const MAX_STAFF: usize = 1_000;

/// As the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    pub(crate) person_id: PersonId,
    pub(crate) venue_id: VenueId,
    /// Our own id of the account that they sign in with.
    pub(crate) user_id: Uuid,
    pub(crate) name: String,
    /// Each once, in order.
    pub(crate) roles: Vec<StaffRole>,
    pub(crate) version: i32,
    /// Does not work here any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<DateTime<Utc>>,
}

/// What colleagues call somebody, and what they may do.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MemberPlan {
    pub(crate) name: String,
    pub(crate) roles: Vec<StaffRole>,
}

impl MemberPlan {
    /// As it is stored; else which field is wrong, and what is allowed.
    pub(crate) fn check(self) -> Result<Self, (&'static str, String)> {
        let name = text::line(&self.name, 1..=MAX_STAFF_NAME_CHARS);
        let name = name.map_err(|unfit| ("name", unfit.to_string()))?;
        let roles: BTreeSet<StaffRole> = self.roles.iter().copied().collect();
        if roles.is_empty() {
            let allowed = "one or more of STEWARD, SUPERVISOR, BOX_OFFICE";
            return Err(("roles", allowed.to_owned()));
        }
        Ok(Self {
            name,
            roles: roles.into_iter().collect(),
        })
    }
}

impl Member {
    /// Their value in the venue's feed; none once they have left.
    pub(crate) fn entry(&self) -> Option<PersonEntry> {
        self.ended_at.is_none().then(|| PersonEntry {
            name: self.name.clone(),
            roles: self.roles.clone(),
        })
    }

    /// Whether the feed has somebody who works here otherwise than they are, and nothing is about to change that.
    pub(crate) fn differs(&self, in_feed: Option<&InFeed>) -> bool {
        let Some(in_feed) = in_feed else {
            return true;
        };
        let is_same = in_feed.live
            && in_feed.version == i64::from(self.version)
            && in_feed.row == super::entries::person(self).to_bytes();
        !(in_feed.is_waiting || is_same)
    }

    /// With another name and other roles.
    pub(crate) fn edited(self, plan: MemberPlan) -> Self {
        Self {
            name: plan.name,
            roles: plan.roles,
            version: self.version + 1,
            ..self
        }
    }

    /// Does not work here any more.
    pub(crate) fn ended(self, at: DateTime<Utc>) -> Self {
        Self {
            ended_at: Some(at),
            version: self.version + 1,
            ..self
        }
    }
}

/// The role of a name in the database, which is that in tokens.
pub(crate) fn role_named(name: &str) -> Option<StaffRole> {
    StaffRole::ALL.into_iter().find(|role| role.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(name: &str, roles: &[StaffRole]) -> MemberPlan {
        MemberPlan {
            name: name.to_owned(),
            roles: roles.to_vec(),
        }
    }

    #[test]
    fn somebody_without_a_name_or_a_role_is_nobody() {
        let long = "x".repeat(MAX_STAFF_NAME_CHARS + 1);
        for name in ["", "  ", "a\nb", "Kim \u{202e}", "\u{3164}", &long] {
            let refused = plan(name, &[StaffRole::Steward]).check().unwrap_err();
            assert_eq!(refused.0, "name", "{name:?}");
        }
        assert_eq!(plan("Sam", &[]).check().unwrap_err().0, "roles");
        let both = [StaffRole::BoxOffice, StaffRole::Steward, StaffRole::Steward];
        let stored = plan(" Sam ", &both).check().unwrap();
        assert_eq!(stored.name, "Sam");
        assert_eq!(stored.roles, [StaffRole::Steward, StaffRole::BoxOffice]);
    }

    #[test]
    fn roles_are_stored_as_tokens_name_them() {
        for role in StaffRole::ALL {
            assert_eq!(serde_json::json!(role), role.name());
            assert_eq!(role_named(role.name()), Some(role));
        }
        assert_eq!(role_named("steward"), None);
    }
}
