//! An event and its states.

use chrono::{DateTime, Utc};
use eventify_contracts::event_management::EventFacts;
use eventify_kernel::auth::{Principal, Role};
use eventify_protocol::ids::EventId;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

// Lengths are counted in characters.
const MAX_TITLE: usize = 200;
const MAX_DESCRIPTION: usize = 10_000;
const MAX_CITY: usize = 100;
const MAX_TAGS: usize = 20;
const MAX_TAG: usize = 40;
const MAX_REASON: usize = 500;

/// What the organiser can edit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Details {
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) city: Option<String>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
}

/// `draft → published → archived`, or `cancelled` from the first two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Seen by its organiser only.
    Draft,
    /// On sale.
    Published { at: DateTime<Utc> },
    /// Over.
    Archived { published_at: Option<DateTime<Utc>> },
    /// Does not take place.
    Cancelled { published_at: Option<DateTime<Utc>> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: EventId,
    pub(crate) owner_id: Uuid,
    pub(crate) org_id: Option<String>,
    pub(crate) details: Details,
    pub(crate) status: Status,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) version: i32,
}

/// Why an act on an event was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EventError {
    #[error("'{field}' {issue}")]
    Invalid {
        /// JSON name.
        field: &'static str,
        issue: String,
    },
    #[error("the event is {0} and can't be changed")]
    Closed(&'static str),
    #[error("an event needs at least one future performance before it is published")]
    NothingToSell,
    #[error("a performance is still to come: cancel it first, or wait until it is over")]
    PerformancesAhead,
}

impl Details {
    /// Trims, makes tags lower case, and checks lengths and letters.
    pub(crate) fn check(self) -> Result<Self, EventError> {
        let title = line("title", &self.title, 1..=MAX_TITLE)?;
        text("description", &self.description, 0..=MAX_DESCRIPTION)?;
        let city = line(
            "city",
            self.city.as_deref().unwrap_or_default(),
            0..=MAX_CITY,
        )?;
        let city = Some(city).filter(|city| !city.is_empty());
        let tags = self.tags.iter().map(|tag| line("tags", tag, 1..=MAX_TAG));
        let tags = tags.map(|tag| tag.map(|tag| tag.to_lowercase()));
        let mut tags = tags.collect::<Result<Vec<_>, _>>()?;
        tags.sort_unstable();
        tags.dedup();
        if tags.len() > MAX_TAGS {
            let given = tags.len();
            return invalid(
                "tags",
                format!("must not be more than {MAX_TAGS}; given: {given}"),
            );
        }
        Ok(Self {
            title,
            description: self.description,
            city,
            tags,
        })
    }
}

impl Event {
    pub(crate) fn draft(
        id: EventId,
        owner: &Principal,
        details: Details,
        now: DateTime<Utc>,
    ) -> Result<Self, EventError> {
        Ok(Self {
            id,
            owner_id: owner.user_id,
            org_id: owner.org_id.clone(),
            details: details.check()?,
            status: Status::Draft,
            created_at: now,
            updated_at: now,
            version: 1,
        })
    }

    /// The ownership rule: the owner, an organiser of the same organisation, an administrator.
    pub(crate) fn is_managed_by(&self, caller: &Principal) -> bool {
        let same_org = self.org_id.is_some() && self.org_id == caller.org_id;
        caller.user_id == self.owner_id
            || caller.has_role(Role::Admin)
            || (same_org && caller.has_role(Role::Organizer))
    }

    pub(crate) fn edit(self, details: Details, now: DateTime<Utc>) -> Result<Self, EventError> {
        self.must_be_open()?;
        Ok(Self {
            details: details.check()?,
            ..self
        }
        .changed(now))
    }

    /// Puts its performances on sale. `ahead`: how many are still to come. Publishing again changes
    /// nothing.
    pub(crate) fn publish(self, ahead: usize, now: DateTime<Utc>) -> Result<Self, EventError> {
        self.must_be_open()?;
        match self.status {
            Status::Draft if ahead == 0 => Err(EventError::NothingToSell),
            Status::Draft => Ok(Self {
                status: Status::Published { at: now },
                ..self
            }
            .changed(now)),
            Status::Published { .. } | Status::Archived { .. } | Status::Cancelled { .. } => {
                Ok(self)
            }
        }
    }

    /// Cancelling again changes nothing.
    pub(crate) fn cancel(self, now: DateTime<Utc>) -> Result<Self, EventError> {
        let published_at = self.published_at();
        match self.status {
            Status::Cancelled { .. } => Ok(self),
            Status::Archived { .. } => Err(EventError::Closed(self.status.name())),
            Status::Draft | Status::Published { .. } => Ok(Self {
                status: Status::Cancelled { published_at },
                ..self
            }
            .changed(now)),
        }
    }

    /// Archiving again changes nothing.
    pub(crate) fn archive(self, ahead: usize, now: DateTime<Utc>) -> Result<Self, EventError> {
        let published_at = self.published_at();
        match self.status {
            Status::Archived { .. } => Ok(self),
            Status::Cancelled { .. } => Err(EventError::Closed(self.status.name())),
            Status::Draft | Status::Published { .. } if ahead > 0 => {
                Err(EventError::PerformancesAhead)
            }
            Status::Draft | Status::Published { .. } => Ok(Self {
                status: Status::Archived { published_at },
                ..self
            }
            .changed(now)),
        }
    }

    /// Whether performances and prices can still be added.
    pub(crate) fn must_be_open(&self) -> Result<(), EventError> {
        match self.status {
            Status::Draft | Status::Published { .. } => Ok(()),
            Status::Archived { .. } | Status::Cancelled { .. } => {
                Err(EventError::Closed(self.status.name()))
            }
        }
    }

    /// Since when it was published, if ever.
    pub(crate) fn published_at(&self) -> Option<DateTime<Utc>> {
        match self.status {
            Status::Draft => None,
            Status::Published { at } => Some(at),
            Status::Archived { published_at } | Status::Cancelled { published_at } => published_at,
        }
    }

    pub(crate) fn facts(&self) -> EventFacts {
        EventFacts {
            title: self.details.title.clone(),
            description: self.details.description.clone(),
            city: self.details.city.clone(),
            tags: self.details.tags.clone(),
            owner_id: self.owner_id,
            org_id: self.org_id.clone(),
            published_at: self.published_at(),
        }
    }

    fn changed(self, now: DateTime<Utc>) -> Self {
        Self {
            updated_at: now,
            version: self.version + 1,
            ..self
        }
    }
}

impl Status {
    /// As in the table and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published { .. } => "published",
            Self::Archived { .. } => "archived",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// From a row; `None` for one that can't exist.
    pub(crate) fn of(name: &str, published_at: Option<DateTime<Utc>>) -> Option<Self> {
        match (name, published_at) {
            ("draft", None) => Some(Self::Draft),
            ("published", Some(at)) => Some(Self::Published { at }),
            ("archived", published_at) => Some(Self::Archived { published_at }),
            ("cancelled", published_at) => Some(Self::Cancelled { published_at }),
            _ => None,
        }
    }
}

pub(crate) fn check_reason(reason: &str) -> Result<String, EventError> {
    // Others read it in their mails and lists.
    let reason = eventify_protocol::text::lines(reason, ..=MAX_REASON)
        .or_else(|unfit| invalid("reason", unfit.to_string()))?;
    length("reason", &reason, 1..=MAX_REASON)?;
    Ok(reason)
}

/// A name: it stands in lists, tickets and terminals, where a control character does harm.
fn line(
    field: &'static str,
    line: &str,
    allowed: std::ops::RangeInclusive<usize>,
) -> Result<String, EventError> {
    eventify_protocol::text::line(line, allowed).or_else(|unfit| invalid(field, unfit.to_string()))
}

/// A text of several lines, with whatever marks its author's editor has put there.
#[expect(
    clippy::disallowed_methods,
    reason = "a long text stands alone on its page"
)]
fn text(
    field: &'static str,
    text: &str,
    allowed: std::ops::RangeInclusive<usize>,
) -> Result<(), EventError> {
    length(field, text, allowed)?;
    if text
        .chars()
        .any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t'))
    {
        return invalid(field, "must be printable characters and lines".to_owned());
    }
    Ok(())
}

fn length(
    field: &'static str,
    text: &str,
    allowed: std::ops::RangeInclusive<usize>,
) -> Result<(), EventError> {
    let given = text.chars().count();
    if allowed.contains(&given) {
        return Ok(());
    }
    let (least, most) = (*allowed.start(), *allowed.end());
    let unfit = eventify_protocol::text::Unfit::Length { least, most, given };
    invalid(field, unfit.to_string())
}

fn invalid<T>(field: &'static str, issue: String) -> Result<T, EventError> {
    Err(EventError::Invalid { field, issue })
}

#[cfg(test)]
mod tests;
