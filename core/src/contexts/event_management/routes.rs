//! `/events`

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderName, StatusCode};
use chrono::{DateTime, Utc};
use eventify_contracts::event_management::PricedCategory;
use eventify_kernel::auth::Role;
use eventify_kernel::http::{
    Answer, ApiError, Caller, IfMatch, Json, Paged, Paging, Path, Policy, Routes, etag,
};
use eventify_protocol::ids::{EventId, PerformanceId, PricingSchemeId, SeatingPlanId, VenueId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::acts::{self, ActError, FullEvent, performances};
use super::model::event::{Details, Event, EventError};
use super::model::performance::{Performance, PerformanceSpec, ScheduleError};
use super::model::pricing::{PriceWarning, PricingScheme, PricingSpec};
use super::{App, NAME, store};

#[rustfmt::skip]
pub(super) fn routes() -> Routes<App> {
    const ORGANISERS: Policy = Policy::roles(&[Role::Organizer, Role::Admin]);
    const OWNER: Policy = ORGANISERS.owner("event.owner_id");
    Routes::new()
        .post("/events", ORGANISERS, create)
        .get("/events", ORGANISERS, list)
        .get("/events/{eventId}", OWNER, read)
        .put("/events/{eventId}", OWNER, edit)
        .post("/events/{eventId}/publish", OWNER, publish)
        .post("/events/{eventId}/cancel", OWNER, cancel)
        .post("/events/{eventId}/archive", OWNER, archive)
        .post("/events/{eventId}/pricing", OWNER, price)
        .post("/events/{eventId}/performances", OWNER, schedule)
        .post("/events/{eventId}/performances/{performanceId}/cancel", OWNER, cancel_performance)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewEvent {
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    city: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    pricing: Option<PricingSpec>,
    #[serde(default)]
    performances: Vec<PerformanceSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Reason {
    reason: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EventHead {
    event_id: EventId,
    title: String,
    description: String,
    city: Option<String>,
    tags: Vec<String>,
    status: &'static str,
    published_at: Option<DateTime<Utc>>,
    owner_id: Uuid,
    org_id: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EventBody {
    #[serde(flatten)]
    head: EventHead,
    /// The newest scheme's id, which performances get by default.
    pricing_id: Option<PricingSchemeId>,
    pricing: Vec<PricingBody>,
    performances: Vec<PerformanceBody>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PricingBody {
    pricing_id: PricingSchemeId,
    categories: Vec<PricedCategory>,
    /// What is allowed and will surprise somebody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<PriceWarning>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PerformanceBody {
    performance_id: PerformanceId,
    status: &'static str,
    start_time: DateTime<Utc>,
    doors_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    sales_opens_at: Option<DateTime<Utc>>,
    sales_closes_at: Option<DateTime<Utc>>,
    venue_id: VenueId,
    seating_plan_id: SeatingPlanId,
    pricing_id: PricingSchemeId,
    version: i32,
}

type Tagged<T> = ([(HeaderName, String); 1], Json<T>);
type Created<T> = (StatusCode, [(HeaderName, String); 2], Json<T>);

async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewEvent>,
) -> Answer<Created<EventBody>> {
    let details = Details {
        title: body.title,
        description: body.description,
        city: body.city,
        tags: body.tags,
    };
    let (owner, pricing, specs) = (caller.principal()?, body.pricing, body.performances);
    let full = acts::create(&app, &caller.cause, owner, details, pricing, &specs).await?;
    let path = format!("/events/{}", full.event.id);
    Ok(created(path, full.event.version, EventBody::of(&app, full)))
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    paging: Paging,
) -> Answer<Json<Paged<EventHead>>> {
    let mut conn = app.db.read(NAME).await?;
    let (limit, offset) = (paging.limit(), paging.offset());
    let (events, total) =
        store::events::list_managed_by(&mut conn, caller.principal()?, limit, offset).await?;
    let heads = events.into_iter().map(EventHead::from);
    Ok(Json(paging.answer(heads.collect(), total)))
}

async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EventId>,
) -> Answer<Tagged<EventBody>> {
    let full = acts::read(&app, caller.principal()?, id).await?;
    Ok(([etag(full.event.version)], Json(EventBody::of(&app, full))))
}

async fn edit(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EventId>,
    seen: IfMatch,
    Json(details): Json<Details>,
) -> Answer<Tagged<EventBody>> {
    let principal = caller.principal()?;
    let (tx, full) = acts::begin_edit(&app, &caller.cause, principal, id).await?;
    seen.must_match(full.event.version)?;
    let full = acts::edit(&app, tx, full, details).await?;
    Ok(([etag(full.event.version)], Json(EventBody::of(&app, full))))
}

async fn publish(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EventId>,
) -> Answer<Tagged<EventHead>> {
    let event = acts::publish(&app, &caller.cause, caller.principal()?, id).await?;
    Ok(([etag(event.version)], Json(event.into())))
}

async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EventId>,
    Json(Reason { reason }): Json<Reason>,
) -> Answer<Tagged<EventHead>> {
    let event = acts::cancel(&app, &caller.cause, caller.principal()?, id, &reason).await?;
    Ok(([etag(event.version)], Json(event.into())))
}

async fn archive(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EventId>,
) -> Answer<Tagged<EventHead>> {
    let event = acts::archive(&app, &caller.cause, caller.principal()?, id).await?;
    Ok(([etag(event.version)], Json(event.into())))
}

async fn price(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EventId>,
    Json(spec): Json<PricingSpec>,
) -> Answer<(StatusCode, Json<PricingBody>)> {
    let scheme = acts::price(&app, &caller.cause, caller.principal()?, id, spec).await?;
    Ok((StatusCode::CREATED, Json(PricingBody::of(&app, &scheme))))
}

async fn schedule(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EventId>,
    Json(spec): Json<PerformanceSpec>,
) -> Answer<Created<PerformanceBody>> {
    let performance =
        performances::schedule(&app, &caller.cause, caller.principal()?, id, &spec).await?;
    let path = format!("/events/{id}/performances/{}", performance.id);
    Ok(created(path, performance.version, performance.into()))
}

async fn cancel_performance(
    State(app): State<App>,
    caller: Caller,
    Path(which): Path<(EventId, PerformanceId)>,
    Json(Reason { reason }): Json<Reason>,
) -> Answer<Tagged<PerformanceBody>> {
    let cancelled =
        performances::cancel(&app, &caller.cause, caller.principal()?, which, &reason).await?;
    Ok(([etag(cancelled.version)], Json(cancelled.into())))
}

fn created<T>(path: String, version: i32, body: T) -> Created<T> {
    (
        StatusCode::CREATED,
        [(LOCATION, path), etag(version)],
        Json(body),
    )
}

impl From<Event> for EventHead {
    fn from(event: Event) -> Self {
        Self {
            event_id: event.id,
            status: event.status.name(),
            published_at: event.published_at(),
            title: event.details.title,
            description: event.details.description,
            city: event.details.city,
            tags: event.details.tags,
            owner_id: event.owner_id,
            org_id: event.org_id,
            created_at: event.created_at,
            updated_at: event.updated_at,
            version: event.version,
        }
    }
}

impl EventBody {
    fn of(app: &App, full: FullEvent) -> Self {
        let pricing = full.schemes.into_iter();
        let pricing: Vec<_> = pricing
            .map(|scheme| PricingBody::of(app, &scheme))
            .collect();
        Self {
            head: full.event.into(),
            pricing_id: pricing.last().map(|scheme| scheme.pricing_id),
            pricing,
            performances: full
                .performances
                .into_iter()
                .map(PerformanceBody::from)
                .collect(),
        }
    }
}

impl PricingBody {
    fn of(app: &App, scheme: &PricingScheme) -> Self {
        Self {
            pricing_id: scheme.id,
            categories: scheme.priced_categories(),
            warnings: scheme.warnings(&app.state.least_amounts),
        }
    }
}

impl From<Performance> for PerformanceBody {
    fn from(performance: Performance) -> Self {
        let times = performance.times;
        Self {
            performance_id: performance.id,
            status: if performance.cancelled {
                "cancelled"
            } else {
                "scheduled"
            },
            start_time: times.start,
            doors_at: times.doors,
            ends_at: times.end,
            sales_opens_at: times.sales_open,
            sales_closes_at: times.sales_close,
            venue_id: performance.venue,
            seating_plan_id: performance.plan,
            pricing_id: performance.pricing,
            version: performance.version,
        }
    }
}

impl From<ActError> for ApiError {
    fn from(error: ActError) -> Self {
        let message = error.to_string();
        match error {
            ActError::UnknownEvent => Self::not_found("event_not_found", message),
            ActError::UnknownPerformance => Self::not_found("performance_not_found", message),
            ActError::Foreign => Self::forbidden(message),
            ActError::Event(error) | ActError::Schedule(ScheduleError::Event(error)) => {
                error.into()
            }
            ActError::Schedule(error) => error.into(),
            ActError::Db(error) => error.into(),
        }
    }
}

impl From<EventError> for ApiError {
    fn from(error: EventError) -> Self {
        let message = error.to_string();
        match error {
            EventError::Invalid { field, issue } => Self::invalid(field, issue),
            EventError::Closed(_) => Self::conflict("event_closed", message),
            EventError::NothingToSell => Self::unprocessable("nothing_to_sell", message),
            EventError::PerformancesAhead => Self::unprocessable("performances_ahead", message),
        }
    }
}

impl From<ScheduleError> for ApiError {
    fn from(error: ScheduleError) -> Self {
        let message = error.to_string();
        match error {
            ScheduleError::Event(error) => error.into(),
            ScheduleError::UnknownVenue => Self::unprocessable("unknown_venue", message),
            ScheduleError::UnknownPlan => Self::unprocessable("unknown_seating_plan", message),
            ScheduleError::PlanNotNamed => Self::unprocessable("seating_plan_not_named", message),
            ScheduleError::ForeignVenue => Self::forbidden(message),
            ScheduleError::UnknownPricing => Self::unprocessable("unknown_pricing", message),
            ScheduleError::TooMany => Self::unprocessable("too_many_performances", message),
            ScheduleError::NothingOnSale => Self::unprocessable("nothing_on_sale", message),
        }
    }
}
