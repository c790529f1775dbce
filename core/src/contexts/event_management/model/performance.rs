//! A performance: when, where, at which prices.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use eventify_contracts::event_management::{
    PerformanceCancelled, PerformanceFacts, PerformanceRescheduled, PerformanceScheduled,
    PerformanceTimes,
};
use eventify_kernel::http::GivenTime;
use eventify_protocol::ids::{PerformanceId, PricingSchemeId, SeatingPlanId, VenueId};
use eventify_protocol::sync::Reentry;
use eventify_protocol::time::MAX_CACHE_AGE;
use eventify_protocol::token::CategoryCode;
use eventify_protocol::zone::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use super::event::{Event, EventError};
use super::pricing::PricingScheme;
use super::times::{Margins, PlannedTimes, Times};

/// Of one event.
pub(crate) const MAX_PERFORMANCES: usize = 500;
/// Of the performances of one request.
const MAX_VENUES: usize = 50;
/// What one organiser has laid out within an hour, in the work of a numbered seat.
pub(crate) const MAX_LAID_OUT_AN_HOUR: i64 = 500_000;
/// The work of a performance before its first seat: its messages to each context.
const WORK_OF_PERFORMANCE: i64 = 200;
/// The work of a zone, whatever its size: its slots.
const WORK_OF_ZONE: i64 = 17;

/// `POST /events/{eventId}/performances`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PerformanceSpec {
    start_time: GivenTime,
    pub(crate) venue_id: VenueId,
    /// Default: the event's newest scheme.
    #[serde(default)]
    pub(crate) pricing_id: Option<PricingSchemeId>,
    /// Default: the venue's only plan.
    #[serde(default)]
    pub(crate) seating_plan_id: Option<SeatingPlanId>,
    #[serde(default)]
    doors_at: Option<GivenTime>,
    #[serde(default)]
    ends_at: Option<GivenTime>,
    #[serde(default)]
    sales_opens_at: Option<GivenTime>,
    #[serde(default)]
    sales_closes_at: Option<GivenTime>,
    /// Whether guests may leave and come back.
    #[serde(default)]
    pub(crate) reentry: Option<Reentry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Performance {
    pub(crate) id: PerformanceId,
    pub(crate) times: Times,
    pub(crate) venue: VenueId,
    /// What the venue's clocks show, as far as it is known: a fact of the venue, stored with no performance.
    pub(crate) zone: TimeZone,
    pub(crate) plan: SeatingPlanId,
    pub(crate) pricing: PricingSchemeId,
    pub(crate) cancelled: bool,
    /// Its organiser is not the venue's: the venue is asked.
    pub(crate) awaits_venue: bool,
    /// The newest version that the venue has confirmed; 0 for none.
    pub(crate) confirmed_version: i32,
    /// The newest version that the venue has declined; 0 for none.
    pub(crate) declined_version: i32,
    /// The earliest end that was ever published: codes that were signed then are good for some weeks
    /// after it. None in what the release before has written.
    pub(crate) first_admits_until: Option<DateTime<Utc>>,
    /// Guests may leave and come back.
    pub(crate) reentry: bool,
    /// It was moved to another time after it had begun to admit: who was let in before then is let in again.
    pub(crate) restarts_at: Option<DateTime<Utc>>,
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
    pub(crate) zone: TimeZone,
    pub(crate) owner_id: Uuid,
    pub(crate) org_id: Option<String>,
    pub(crate) shared: bool,
    pub(crate) category_sets: Vec<Vec<CategoryCode>>,
    /// Numbered ones; 0 where they are not known.
    pub(crate) seats: i64,
    pub(crate) zones: i64,
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
    #[error("the performances of one request are in at most {MAX_VENUES} venues")]
    TooManyVenues,
    #[error(
        "an organiser schedules performances for at most {MAX_LAID_OUT_AN_HOUR} points within an hour, and these \
         would be {points}; each performance is {WORK_OF_PERFORMANCE} points, each of its numbered seats 1, each of \
         its zones {WORK_OF_ZONE}: schedule fewer now, and the others later"
    )]
    TooMuchAnHour { points: i64 },
    #[error("the performance is cancelled and can't be moved")]
    Cancelled,
    #[error("no seat or zone of the seating plan is sold in any of the price categories")]
    NothingOnSale,
}

/// What an organiser schedules within an hour is laid out soon, and so what others schedule behind it.
pub(crate) fn must_be_laid_out_soon(
    performances: i64,
    seats: i64,
    zones: i64,
) -> Result<(), ScheduleError> {
    let points = performances * WORK_OF_PERFORMANCE + seats + zones * WORK_OF_ZONE;
    if points > MAX_LAID_OUT_AN_HOUR {
        return Err(ScheduleError::TooMuchAnHour { points });
    }
    Ok(())
}

/// Before anything is read for them.
pub(crate) fn must_be_few(specs: &[PerformanceSpec]) -> Result<(), ScheduleError> {
    if specs.len() > MAX_PERFORMANCES {
        return Err(ScheduleError::TooMany);
    }
    let venues: BTreeSet<_> = specs.iter().map(|spec| spec.venue_id).collect();
    if venues.len() > MAX_VENUES {
        return Err(ScheduleError::TooManyVenues);
    }
    Ok(())
}

impl PerformanceSpec {
    pub(crate) fn times(&self) -> PlannedTimes {
        PlannedTimes {
            start_time: self.start_time,
            doors_at: self.doors_at,
            ends_at: self.ends_at,
            sales_opens_at: self.sales_opens_at,
            sales_closes_at: self.sales_closes_at,
            reentry: self.reentry,
        }
    }
}

impl KnownPlan {
    /// Whether an event's organiser is another one than the venue's.
    pub(crate) fn is_foreign_to(&self, event: &Event) -> bool {
        let same_org = self.org_id.is_some() && self.org_id == event.org_id;
        self.owner_id != event.owner_id && !same_org
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
    if !plan.shared && plan.is_foreign_to(event) {
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
    /// Whether it is still to come, or its tickets still admit.
    pub(crate) fn lies_ahead(&self, margins: Margins, now: DateTime<Utc>) -> bool {
        !self.cancelled && !self.is_over(margins, now)
    }

    /// Whether its tickets admit nobody any more.
    pub(crate) fn is_over(&self, margins: Margins, now: DateTime<Utc>) -> bool {
        self.times.admits_until(margins) <= now
    }

    /// Whether the venue's gates admit nobody before the venue has confirmed it, as it is planned now.
    pub(crate) fn is_waiting(&self) -> bool {
        self.awaits_venue && !self.cancelled && self.confirmed_version < self.version
    }

    /// Whether the venue has said that they do not, as it is planned now.
    pub(crate) fn is_declined(&self) -> bool {
        self.is_waiting() && self.declined_version >= self.version
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

    /// At other times, which whoever moves it has checked.
    pub(crate) fn moved(
        self,
        times: Times,
        awaits_venue: bool,
        margins: Margins,
        now: DateTime<Utc>,
    ) -> Result<Self, ScheduleError> {
        if self.cancelled {
            return Err(ScheduleError::Cancelled);
        }
        let until = times.admits_until(margins);
        Ok(Self {
            restarts_at: self.restart(times, margins, now),
            times,
            awaits_venue,
            first_admits_until: Some(self.first_admits_until.map_or(until, |it| it.min(until))),
            updated_at: now,
            version: self.version + 1,
            ..self
        })
    }

    /// Since when entries count at these times: if gates have begun to admit, and the new window lies
    /// wholly behind the old one, the show is played again. A gate without connection admits by what it
    /// knew at most [`MAX_CACHE_AGE`] ago: whom it lets in until then is of the old evening.
    fn restart(&self, times: Times, margins: Margins, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (before, after) = (self.times.facts(margins), times.facts(margins));
        let is_again = before.admits_from <= now && before.admits_until <= after.admits_from;
        if is_again {
            return Some(after.admits_from.min(now + MAX_CACHE_AGE));
        }
        self.restarts_at.filter(|at| *at <= after.admits_from)
    }

    /// As its organiser wants it from now on, if they have said anything.
    pub(crate) fn with_reentry(self, reentry: Option<Reentry>) -> Self {
        let reentry = reentry.map_or(self.reentry, |it| it == Reentry::Allowed);
        Self { reentry, ..self }
    }

    pub(crate) fn as_scheduled(
        &self,
        event: &Event,
        pricing: &PricingScheme,
        venue_name: &str,
        margins: Margins,
    ) -> PerformanceScheduled {
        PerformanceScheduled {
            performance_id: self.id,
            facts: self.facts(event, pricing, venue_name, margins),
        }
    }

    pub(crate) fn as_rescheduled(
        &self,
        event: &Event,
        pricing: &PricingScheme,
        venue_name: &str,
        margins: Margins,
        previous_start_time: DateTime<Utc>,
    ) -> PerformanceRescheduled {
        PerformanceRescheduled {
            performance_id: self.id,
            facts: self.facts(event, pricing, venue_name, margins),
            previous_start_time,
        }
    }

    fn facts(
        &self,
        event: &Event,
        pricing: &PricingScheme,
        venue_name: &str,
        margins: Margins,
    ) -> PerformanceFacts {
        PerformanceFacts {
            event_id: event.id,
            event_title: event.details.title.clone(),
            event_version: event.version,
            owner_id: event.owner_id,
            org_id: event.org_id.clone(),
            times: PerformanceTimes {
                restarts_at: self.restarts_at,
                ..self.times.facts(margins)
            },
            reentry: self.reentry,
            sales_opens_at: self.times.sales_open,
            sales_closes_at: self.times.sales_close,
            venue_id: self.venue,
            venue_name: venue_name.to_owned(),
            awaits_venue: self.awaits_venue,
            seating_plan_id: self.plan,
            pricing_scheme_id: self.pricing,
            currency: pricing.currency.code().to_owned(),
            categories: pricing.priced_categories(),
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
