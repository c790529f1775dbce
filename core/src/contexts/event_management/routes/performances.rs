//! `/events/{eventId}/performances/{performanceId}`

use axum::extract::State;
use chrono::{DateTime, FixedOffset, Utc};
use eventify_contracts::event_management::PerformanceTimes;
use eventify_kernel::http::{Answer, Caller, IfMatch, Json, Path, Query, etag};
use eventify_protocol::ids::{EventId, PerformanceId, PricingSchemeId, SeatingPlanId, VenueId};
use eventify_protocol::money::Money;
use eventify_protocol::sync::Reentry;
use eventify_protocol::zone::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cancellation, Created, Tagged, created};
use crate::contexts::event_management::App;
use crate::contexts::event_management::acts::moving::{self, Moved, Warning};
use crate::contexts::event_management::acts::{self, ActError, cancelling, performances};
use crate::contexts::event_management::model::performance::{Performance, PerformanceSpec};
use crate::contexts::event_management::model::times::{Margins, PlannedTimes};
use crate::contexts::order::api::Sold;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MoveQuery {
    /// Nothing changes; the answer says what would.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PerformanceBody {
    performance_id: PerformanceId,
    status: &'static str,
    start_time: DateTime<Utc>,
    doors_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    /// When its tickets admit.
    admits_from: DateTime<Utc>,
    admits_until: DateTime<Utc>,
    sales_opens_at: Option<DateTime<Utc>>,
    sales_closes_at: Option<DateTime<Utc>>,
    #[serde(flatten)]
    local: LocalTimes,
    venue_id: VenueId,
    /// Of the venue.
    time_zone: TimeZone,
    seating_plan_id: SeatingPlanId,
    pricing_id: PricingSchemeId,
    /// Whether guests may leave and come back.
    reentry: Reentry,
    /// It was moved after it had begun to admit: who was let in before then is let in again.
    restarts_at: Option<DateTime<Utc>>,
    /// The venue's gates admit nobody before the venue has confirmed it.
    awaits_venue: bool,
    /// The venue has said that they will not: ask it, or plan it elsewhere.
    declined_by_venue: bool,
    version: i32,
    /// What its organiser should know; said once, when it is scheduled or moved.
    warnings: Vec<WarningBody>,
}

/// The same instants as the venue's clocks show them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LocalTimes {
    start_time_local: DateTime<FixedOffset>,
    doors_at_local: DateTime<FixedOffset>,
    ends_at_local: Option<DateTime<FixedOffset>>,
    admits_from_local: DateTime<FixedOffset>,
    admits_until_local: DateTime<FixedOffset>,
    sales_opens_at_local: Option<DateTime<FixedOffset>>,
    sales_closes_at_local: Option<DateTime<FixedOffset>>,
    restarts_at_local: Option<DateTime<FixedOffset>>,
}

impl LocalTimes {
    fn of(performance: &Performance, times: &PerformanceTimes) -> Self {
        let at = |at| performance.zone.local(at);
        Self {
            start_time_local: at(times.start_time),
            doors_at_local: at(times.doors_at),
            ends_at_local: times.ends_at.map(at),
            admits_from_local: at(times.admits_from),
            admits_until_local: at(times.admits_until),
            sales_opens_at_local: performance.times.sales_open.map(at),
            sales_closes_at_local: performance.times.sales_close.map(at),
            restarts_at_local: performance.restarts_at.map(at),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct WarningBody {
    code: &'static str,
    message: String,
    /// The other performance, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    performance_id: Option<PerformanceId>,
}

/// Places that are paid and of which no refund is under way.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SoldBody {
    orders: u64,
    tickets: u64,
    /// As a cancellation repeats it.
    sum: String,
    amounts: Vec<Money>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MovedBody {
    #[serde(flatten)]
    performance: PerformanceBody,
    /// Who has bought for the old times. Their tickets and codes stay good.
    affected: SoldBody,
    dry_run: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelledBody {
    #[serde(flatten)]
    performance: PerformanceBody,
    /// What is paid back.
    sold: SoldBody,
}

pub(super) async fn schedule(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EventId>,
    Json(spec): Json<PerformanceSpec>,
) -> Answer<Created<PerformanceBody>> {
    let (performance, warnings) =
        performances::schedule(&app, &caller.cause, caller.principal()?, id, &spec).await?;
    let path = format!("/events/{id}/performances/{}", performance.id);
    let version = performance.version;
    let body = PerformanceBody::of(&performance, app.state.margins, warnings);
    Ok(created(path, version, body))
}

pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path((event, id)): Path<(EventId, PerformanceId)>,
) -> Answer<Tagged<PerformanceBody>> {
    let full = acts::read(&app, caller.principal()?, event).await?;
    let found = full.performances.into_iter().find(|it| it.id == id);
    let found = found.ok_or(ActError::UnknownPerformance)?;
    let tag = etag(found.version);
    Ok((
        [tag],
        Json(PerformanceBody::of(&found, app.state.margins, vec![])),
    ))
}

/// Moves a performance to other times. What is left out gets the default of a new performance.
pub(super) async fn reschedule(
    State(app): State<App>,
    caller: Caller,
    Path(which): Path<(EventId, PerformanceId)>,
    Query(query): Query<MoveQuery>,
    seen: IfMatch,
    Json(planned): Json<PlannedTimes>,
) -> Answer<Tagged<MovedBody>> {
    let (principal, dry_run) = (caller.principal()?, query.dry_run);
    let begun = moving::begin(&app, &caller.cause, principal, which).await?;
    let before = begun.2.version;
    seen.must_match(before)?;
    let moved = moving::move_to(&app, begun, principal, &planned, dry_run).await?;
    let version = if dry_run {
        before
    } else {
        moved.performance.version
    };
    let Moved {
        performance,
        affected,
        warnings,
    } = moved;
    let body = MovedBody {
        performance: PerformanceBody::of(&performance, app.state.margins, warnings),
        affected: affected.into(),
        dry_run,
    };
    Ok(([etag(version)], Json(body)))
}

pub(super) async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(which): Path<(EventId, PerformanceId)>,
    Json(Cancellation { reason, confirm }): Json<Cancellation>,
) -> Answer<Tagged<CancelledBody>> {
    let words = (reason.as_str(), confirm.as_ref());
    let principal = caller.principal()?;
    let (cancelled, sold) =
        cancelling::cancel_performance(&app, &caller.cause, principal, which, words).await?;
    let tag = etag(cancelled.version);
    let body = CancelledBody {
        performance: PerformanceBody::of(&cancelled, app.state.margins, vec![]),
        sold: sold.into(),
    };
    Ok(([tag], Json(body)))
}

impl PerformanceBody {
    pub(super) fn of(performance: &Performance, margins: Margins, said: Vec<Warning>) -> Self {
        let times = performance.times.facts(margins);
        Self {
            performance_id: performance.id,
            status: if performance.cancelled {
                "cancelled"
            } else {
                "scheduled"
            },
            start_time: times.start_time,
            doors_at: times.doors_at,
            ends_at: times.ends_at,
            admits_from: times.admits_from,
            admits_until: times.admits_until,
            sales_opens_at: performance.times.sales_open,
            sales_closes_at: performance.times.sales_close,
            local: LocalTimes::of(performance, &times),
            venue_id: performance.venue,
            time_zone: performance.zone,
            seating_plan_id: performance.plan,
            pricing_id: performance.pricing,
            reentry: if performance.reentry {
                Reentry::Allowed
            } else {
                Reentry::None
            },
            restarts_at: performance.restarts_at,
            awaits_venue: performance.is_waiting(),
            declined_by_venue: performance.is_declined(),
            version: performance.version,
            warnings: said.into_iter().map(WarningBody::from).collect(),
        }
    }
}

impl From<Warning> for WarningBody {
    fn from(warning: Warning) -> Self {
        match warning {
            Warning::AwaitsVenue => Self {
                code: "awaits_venue",
                message: "the venue belongs to another organiser: its gates admit nobody to this \
                          performance before the venue has confirmed it"
                    .to_owned(),
                performance_id: None,
            },
            Warning::Overlaps(other, zone) => Self {
                code: "overlaps",
                message: format!(
                    "another performance takes place in this venue at the same time, from {}",
                    zone.minute(other.start_time)
                ),
                performance_id: Some(other.performance_id),
            },
            Warning::CodesEnd(end, zone) => Self {
                code: "codes_end",
                message: format!(
                    "codes of tickets that are sold are good until {}: have them issued again",
                    zone.minute(end)
                ),
                performance_id: None,
            },
        }
    }
}

impl From<Sold> for SoldBody {
    fn from(sold: Sold) -> Self {
        Self {
            orders: sold.orders,
            tickets: sold.tickets,
            sum: sold.sum(),
            amounts: sold.sums,
        }
    }
}
