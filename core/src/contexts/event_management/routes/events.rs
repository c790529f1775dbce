//! `/events/{eventId}`

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{HeaderName, LOCATION};
use chrono::{DateTime, FixedOffset, Utc};
use eventify_contracts::event_management::PricedCategory;
use eventify_kernel::http::{Answer, Caller, IfMatch, Json, Paged, Paging, Path, etag};
use eventify_protocol::ids::{EventId, PerformanceId, PricingSchemeId};
use eventify_protocol::zone::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::performances::{PerformanceBody, SoldBody};
use super::{Cancellation, Created, Tagged, created};
use crate::contexts::event_management::acts::cancelling::{self, CancelledEvent};
use crate::contexts::event_management::acts::{self, FullEvent};
use crate::contexts::event_management::model::cancellation::Outcome;
use crate::contexts::event_management::model::event::{Details, Event};
use crate::contexts::event_management::model::performance::{Performance, PerformanceSpec};
use crate::contexts::event_management::model::pricing::{PriceWarning, PricingScheme, PricingSpec};
use crate::contexts::event_management::{App, NAME, store};
use crate::contexts::order::api::Sold;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewEvent {
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

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventHead {
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
pub(super) struct EventBody {
    #[serde(flatten)]
    head: EventHead,
    /// The newest scheme's id, which performances get by default.
    pricing_id: Option<PricingSchemeId>,
    pricing: Vec<PricingBody>,
    performances: Vec<PerformanceBody>,
}

/// The event, and what its cancellation does to each performance.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelledBody {
    #[serde(flatten)]
    head: EventHead,
    performances: Vec<CancelledPart>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CancelledPart {
    performance_id: PerformanceId,
    start_time: DateTime<Utc>,
    start_time_local: DateTime<FixedOffset>,
    time_zone: TimeZone,
    /// `cancelled`, `already_cancelled`, or `left_out` because it is over.
    outcome: &'static str,
    /// What is paid back, or would be if it were not left out.
    sold: SoldBody,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PricingBody {
    pricing_id: PricingSchemeId,
    categories: Vec<PricedCategory>,
    /// What is allowed and will surprise somebody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<PriceWarning>,
}

pub(super) async fn create(
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

pub(super) async fn list(
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

pub(super) async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EventId>,
) -> Answer<Tagged<EventBody>> {
    let full = acts::read(&app, caller.principal()?, id).await?;
    Ok(([etag(full.event.version)], Json(EventBody::of(&app, full))))
}

pub(super) async fn edit(
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

pub(super) async fn publish(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EventId>,
) -> Answer<Tagged<EventHead>> {
    let event = acts::publish(&app, &caller.cause, caller.principal()?, id).await?;
    Ok(([etag(event.version)], Json(event.into())))
}

pub(super) async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EventId>,
    Json(Cancellation { reason, confirm }): Json<Cancellation>,
) -> Answer<Tagged<CancelledBody>> {
    let words = (reason.as_str(), confirm.as_ref());
    let principal = caller.principal()?;
    let done = cancelling::cancel_event(&app, &caller.cause, principal, id, words).await?;
    Ok(([etag(done.event.version)], Json(done.into())))
}

pub(super) async fn archive(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EventId>,
) -> Answer<Tagged<EventHead>> {
    let event = acts::archive(&app, &caller.cause, caller.principal()?, id).await?;
    Ok(([etag(event.version)], Json(event.into())))
}

pub(super) async fn price(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EventId>,
    Json(spec): Json<PricingSpec>,
) -> Answer<(StatusCode, [(HeaderName, String); 1], Json<PricingBody>)> {
    let scheme = acts::price(&app, &caller.cause, caller.principal()?, id, spec).await?;
    let body = Json(PricingBody::of(&app, &scheme));
    // The event shows its prices.
    let location = (LOCATION, format!("/events/{id}"));
    Ok((StatusCode::CREATED, [location], body))
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
        let margins = app.state.margins;
        let pricing = full.schemes.iter();
        let pricing: Vec<_> = pricing.map(|scheme| PricingBody::of(app, scheme)).collect();
        Self {
            head: full.event.into(),
            pricing_id: pricing.last().map(|scheme| scheme.pricing_id),
            pricing,
            performances: full
                .performances
                .iter()
                .map(|performance| PerformanceBody::of(performance, margins, vec![]))
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

impl From<CancelledEvent> for CancelledBody {
    fn from(done: CancelledEvent) -> Self {
        let parts = done.performances.into_iter();
        let part = |(performance, outcome, sold): (Performance, Outcome, Sold)| CancelledPart {
            performance_id: performance.id,
            start_time: performance.times.start,
            start_time_local: performance.zone.local(performance.times.start),
            time_zone: performance.zone,
            outcome: outcome.name(),
            sold: sold.into(),
        };
        Self {
            head: done.event.into(),
            performances: parts.map(part).collect(),
        }
    }
}
