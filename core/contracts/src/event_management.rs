//! What event management publishes. Each payload says all that its consumers need.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{EventId, PerformanceId, PricingSchemeId, SeatingPlanId, VenueId};
use eventify_protocol::money::Money;
use eventify_protocol::sync::{
    AdmissionWindow, CategoryName, PerformanceEntry, PerformanceState, Reentry,
    short_category_name, short_title,
};
use eventify_protocol::token::CategoryCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What an event is, after the change that is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventFacts {
    /// Title.
    pub title: String,
    /// Description; empty if there is none.
    pub description: String,
    /// City, for search.
    pub city: Option<String>,
    /// Tags, for search.
    pub tags: Vec<String>,
    /// Organiser.
    pub owner_id: Uuid,
    /// Organisation.
    pub org_id: Option<String>,
    /// Since when it was published, if ever.
    pub published_at: Option<DateTime<Utc>>,
}

/// `event.created`: a draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventCreated {
    /// Which.
    pub event_id: EventId,
    /// What it is.
    #[serde(flatten)]
    pub facts: EventFacts,
}

/// `event.updated`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventUpdated {
    /// Which.
    pub event_id: EventId,
    /// What it is now.
    #[serde(flatten)]
    pub facts: EventFacts,
    /// Whether customers see it.
    pub published: bool,
}

/// `event.published`: from now on its performances are on sale within their sales windows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventPublished {
    /// Which.
    pub event_id: EventId,
    /// What it is; `publishedAt` is set.
    #[serde(flatten)]
    pub facts: EventFacts,
}

/// `event.archived`: over, no longer shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventArchived {
    /// Which.
    pub event_id: EventId,
    /// What it was.
    #[serde(flatten)]
    pub facts: EventFacts,
}

/// `event.cancelled`, beside a `performance.cancelled` for each of its performances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventCancelled {
    /// Which.
    pub event_id: EventId,
    /// What it was to be.
    #[serde(flatten)]
    pub facts: EventFacts,
    /// The organiser's words.
    pub reason: String,
}

/// A price category of a performance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PricedCategory {
    /// `Standard`
    pub name: String,
    /// What seats, items and tickets carry.
    pub code: CategoryCode,
    /// Of one place.
    pub price: Money,
}

/// When a performance takes place and admits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceTimes {
    /// When it begins.
    pub start_time: DateTime<Utc>,
    /// From when guests are let in.
    pub doors_at: DateTime<Utc>,
    /// When it ends, if known.
    pub ends_at: Option<DateTime<Utc>>,
    /// Its tickets admit from then on. Nobody else computes it.
    pub admits_from: DateTime<Utc>,
    /// Its tickets admit until then, and the box office sells until then.
    pub admits_until: DateTime<Utc>,
    /// It was moved after it had begun to admit: who was let in before then is let in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts_at: Option<DateTime<Utc>>,
}

/// What a performance is, after the change that is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceFacts {
    /// Of which event.
    pub event_id: EventId,
    /// The event's title.
    pub event_title: String,
    /// The event's version, which its title is of.
    #[serde(default)]
    pub event_version: i32,
    /// Organiser.
    pub owner_id: Uuid,
    /// Organisation.
    pub org_id: Option<String>,
    /// When.
    #[serde(flatten)]
    pub times: PerformanceTimes,
    /// Not sold before; absent: as soon as the event is published.
    pub sales_opens_at: Option<DateTime<Utc>>,
    /// Not sold online from then on; absent: until it begins.
    pub sales_closes_at: Option<DateTime<Utc>>,
    /// Where.
    pub venue_id: VenueId,
    /// The venue's name.
    pub venue_name: String,
    /// Whether guests may leave and come back.
    #[serde(default)]
    pub reentry: bool,
    /// Its organiser is not the venue's: the venue's gates admit nobody to it before the venue has
    /// confirmed it (ADMISSION 3.11).
    pub awaits_venue: bool,
    /// Seats and zones.
    pub seating_plan_id: SeatingPlanId,
    /// Prices.
    pub pricing_scheme_id: PricingSchemeId,
    /// ISO 4217; of all its prices.
    pub currency: String,
    /// Prices, in the organiser's order.
    pub categories: Vec<PricedCategory>,
}

/// `performance.scheduled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceScheduled {
    /// Which.
    pub performance_id: PerformanceId,
    /// What it is.
    #[serde(flatten)]
    pub facts: PerformanceFacts,
}

/// `performance.rescheduled`: its times have moved. Tickets stay good; whoever sells, refunds or admits
/// goes by the new times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceRescheduled {
    /// Which.
    pub performance_id: PerformanceId,
    /// What it is now, whole: it may come before `performance.scheduled`.
    #[serde(flatten)]
    pub facts: PerformanceFacts,
    /// When it was to begin.
    pub previous_start_time: DateTime<Utc>,
}

/// `performance.cancelled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PerformanceCancelled {
    /// Which.
    pub performance_id: PerformanceId,
    /// Of which event.
    pub event_id: EventId,
    /// The event's title.
    pub event_title: String,
    /// Organiser.
    pub owner_id: Uuid,
    /// Organisation.
    pub org_id: Option<String>,
    /// When it was to begin.
    pub start_time: DateTime<Utc>,
    /// Where.
    pub venue_id: VenueId,
    /// The organiser's words.
    pub reason: String,
}

impl PerformanceTimes {
    /// As an entry of the venue's feed, and as the core's own decision reads it. A second that has begun
    /// counts as whole.
    #[must_use]
    pub fn entry(&self, title: &str, state: PerformanceState) -> PerformanceEntry {
        let until = self.admits_until;
        PerformanceEntry {
            title: short_title(title),
            doors_at: self.doors_at.timestamp(),
            starts_at: self.start_time.timestamp(),
            ends_at: self.ends_at.map(|end| end.timestamp()),
            admits: AdmissionWindow {
                from: self.admits_from.timestamp(),
                until: until.timestamp() + i64::from(until.timestamp_subsec_nanos() > 0),
            },
            state,
            categories: None,
            reentry: None,
            restarts_at: self.restarts_at.map(|at| at.timestamp()),
        }
    }
}

impl PerformanceFacts {
    /// As an entry of the venue's feed, with the names of its categories.
    #[must_use]
    pub fn entry(&self, state: PerformanceState) -> PerformanceEntry {
        let names = self.categories.iter().map(|category| CategoryName {
            code: category.code,
            name: short_category_name(&category.name),
        });
        PerformanceEntry {
            categories: Some(names.collect()),
            reentry: self.reentry.then_some(Reentry::Allowed),
            ..self.times.entry(&self.event_title, state)
        }
    }
}

macro_rules! venue_of_performance {
    ($($event:ident: $($field:ident).+,)+) => {
        $(impl $event {
            fn venues(&self) -> [VenueId; 1] {
                [self.$($field).+]
            }
        })+
    };
}

venue_of_performance! {
    PerformanceScheduled: facts.venue_id,
    PerformanceRescheduled: facts.venue_id,
    PerformanceCancelled: venue_id,
}

eventify_kernel::domain_events! { "event_management":
    EventCreated: "event.created" as "event.event.created" of event_id;
    EventUpdated: "event.updated" as "event.event.updated" of event_id;
    EventPublished: "event.published" as "event.event.published" of event_id;
    EventArchived: "event.archived" as "event.event.archived" of event_id;
    EventCancelled: "event.cancelled" as "event.event.cancelled" of event_id;
    PerformanceScheduled: "performance.scheduled" as "event.performance.scheduled" of performance_id, tracked by venues;
    PerformanceRescheduled: "performance.rescheduled" as "event.performance.rescheduled" of performance_id, tracked by venues;
    PerformanceCancelled: "performance.cancelled" as "event.performance.cancelled" of performance_id, tracked by venues;
}
