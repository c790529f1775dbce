//! A performance: when, where, at which prices.

use chrono::{DateTime, Duration, Utc};
use eventify_contracts::event_management::{PerformanceCancelled, PerformanceScheduled};
use eventify_protocol::ids::{PerformanceId, PricingSchemeId, SeatingPlanId, VenueId};
use eventify_protocol::token::CategoryCode;
use serde::Deserialize;
use uuid::Uuid;

use super::event::{Event, EventError};
use super::pricing::PricingScheme;

/// Doors open this long before the beginning, unless the organiser sets another time.
const DOORS_BEFORE_START: Duration = Duration::hours(1);
const MAX_AHEAD: Duration = Duration::days(5 * 366);
/// Of one event.
pub(crate) const MAX_PERFORMANCES: usize = 500;

/// `POST /events/{eventId}/performances`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PerformanceSpec {
    pub(crate) start_time: DateTime<Utc>,
    pub(crate) venue_id: VenueId,
    /// Default: the event's newest scheme.
    #[serde(default)]
    pub(crate) pricing_id: Option<PricingSchemeId>,
    /// Default: the venue's only plan.
    #[serde(default)]
    pub(crate) seating_plan_id: Option<SeatingPlanId>,
    #[serde(default)]
    doors_at: Option<DateTime<Utc>>,
    #[serde(default)]
    ends_at: Option<DateTime<Utc>>,
    #[serde(default)]
    sales_opens_at: Option<DateTime<Utc>>,
    #[serde(default)]
    sales_closes_at: Option<DateTime<Utc>>,
}

/// When a performance takes place and is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) start: DateTime<Utc>,
    pub(crate) doors: DateTime<Utc>,
    pub(crate) end: Option<DateTime<Utc>>,
    pub(crate) sales_open: Option<DateTime<Utc>>,
    pub(crate) sales_close: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Performance {
    pub(crate) id: PerformanceId,
    pub(crate) times: Times,
    pub(crate) venue: VenueId,
    pub(crate) plan: SeatingPlanId,
    pub(crate) pricing: PricingSchemeId,
    pub(crate) cancelled: bool,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) version: i32,
}

/// A seating plan that inventory has published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownPlan {
    pub(crate) id: SeatingPlanId,
    pub(crate) venue: VenueId,
    pub(crate) venue_name: String,
    pub(crate) owner_id: Uuid,
    pub(crate) org_id: Option<String>,
    pub(crate) shared: bool,
    pub(crate) category_sets: Vec<Vec<CategoryCode>>,
}

/// Why a performance was not scheduled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScheduleError {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error("the venue does not exist or has no seating plan")]
    UnknownVenue,
    #[error("the venue has no such seating plan")]
    UnknownPlan,
    #[error("the venue has several seating plans: choose one with 'seatingPlanId'")]
    PlanNotNamed,
    #[error("the venue belongs to another organiser")]
    ForeignVenue,
    #[error("the event has no such pricing scheme")]
    UnknownPricing,
    #[error("an event has at most {MAX_PERFORMANCES} performances")]
    TooMany,
    #[error("no seat or zone of the seating plan is sold in any of the price categories")]
    NothingOnSale,
}

impl PerformanceSpec {
    /// The times, with their defaults, if they are in order.
    pub(crate) fn times(&self, now: DateTime<Utc>) -> Result<Times, EventError> {
        let times = Times {
            start: self.start_time,
            doors: self
                .doors_at
                .unwrap_or(self.start_time - DOORS_BEFORE_START),
            end: self.ends_at,
            sales_open: self.sales_opens_at,
            sales_close: self.sales_closes_at,
        };
        let refuse = |field, issue: &str| {
            Err(EventError::Invalid {
                field,
                issue: issue.to_owned(),
            })
        };
        if times.start <= now {
            return refuse("startTime", "is in the past");
        }
        if times.start > now + MAX_AHEAD {
            return refuse("startTime", "is more than five years ahead");
        }
        if times.doors > times.start {
            return refuse("doorsAt", "must not be after startTime");
        }
        if times.end.is_some_and(|end| end <= times.start) {
            return refuse("endsAt", "must be after startTime");
        }
        if times
            .sales_open
            .is_some_and(|open| open >= times.sales_end())
        {
            return refuse("salesOpensAt", "must be before the sale ends");
        }
        Ok(times)
    }
}

impl Times {
    fn sales_end(&self) -> DateTime<Utc> {
        self.sales_close.unwrap_or(self.start)
    }
}

/// The plan to use, if the event's organiser may use it and something would be on sale.
pub(crate) fn choose_plan<'a>(
    known: &'a [KnownPlan],
    wanted: Option<SeatingPlanId>,
    event: &Event,
    pricing: &PricingScheme,
) -> Result<&'a KnownPlan, ScheduleError> {
    let plan = match (known, wanted) {
        ([], _) => return Err(ScheduleError::UnknownVenue),
        (known, Some(id)) => known
            .iter()
            .find(|plan| plan.id == id)
            .ok_or(ScheduleError::UnknownPlan)?,
        ([only], None) => only,
        (_, None) => return Err(ScheduleError::PlanNotNamed),
    };
    let same_org = plan.org_id.is_some() && plan.org_id == event.org_id;
    if !plan.shared && plan.owner_id != event.owner_id && !same_org {
        return Err(ScheduleError::ForeignVenue);
    }
    let on_sale =
        |set: &Vec<CategoryCode>| set.is_empty() || pricing.codes().any(|code| set.contains(&code));
    if plan.category_sets.iter().any(on_sale) {
        Ok(plan)
    } else {
        Err(ScheduleError::NothingOnSale)
    }
}

impl Performance {
    /// Whether it is still to come, or has not ended.
    pub(crate) fn lies_ahead(&self, now: DateTime<Utc>) -> bool {
        !self.cancelled && self.times.end.unwrap_or(self.times.start) > now
    }

    /// Cancelling again changes nothing.
    pub(crate) fn cancel(self, now: DateTime<Utc>) -> Self {
        if self.cancelled {
            return self;
        }
        Self {
            cancelled: true,
            updated_at: now,
            version: self.version + 1,
            ..self
        }
    }

    pub(crate) fn as_scheduled(
        &self,
        event: &Event,
        pricing: &PricingScheme,
        venue_name: &str,
    ) -> PerformanceScheduled {
        PerformanceScheduled {
            performance_id: self.id,
            event_id: event.id,
            event_title: event.details.title.clone(),
            owner_id: event.owner_id,
            org_id: event.org_id.clone(),
            start_time: self.times.start,
            doors_at: self.times.doors,
            ends_at: self.times.end,
            venue_id: self.venue,
            venue_name: venue_name.to_owned(),
            seating_plan_id: self.plan,
            pricing_scheme_id: self.pricing,
            currency: pricing.currency.code().to_owned(),
            categories: pricing.priced_categories(),
            sales_opens_at: self.times.sales_open,
            sales_closes_at: self.times.sales_close,
        }
    }

    pub(crate) fn as_cancelled(&self, event: &Event, reason: &str) -> PerformanceCancelled {
        PerformanceCancelled {
            performance_id: self.id,
            event_id: event.id,
            event_title: event.details.title.clone(),
            owner_id: event.owner_id,
            org_id: event.org_id.clone(),
            start_time: self.times.start,
            venue_id: self.venue,
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
