//! `/catalog`: public.

use axum::extract::State;
use chrono::{DateTime, Utc};
use eventify_protocol::ids::{EventId, PerformanceId};
use serde::{Deserialize, Serialize};

use super::NAME;
use super::model::{Availability, Performance, anywhere};
use super::store::read::{self, EventLine, Wanted};
use eventify_kernel::app::App;
use eventify_kernel::http::{Answer, ApiError, Json, Paged, Paging, Path, Policy, Query, Routes};

/// Longest search text, in characters.
const MAX_QUERY: usize = 100;

pub(super) fn routes() -> Routes {
    const PUBLIC: Policy = Policy::public();
    Routes::new()
        .get("/catalog/events", PUBLIC, events)
        .get("/catalog/events/{eventId}", PUBLIC, event)
        .get(
            "/catalog/performances/{performanceId}/availability",
            PUBLIC,
            availability,
        )
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filters {
    query: Option<String>,
    city: Option<String>,
    tag: Option<String>,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    page: Option<u32>,
    size: Option<u32>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EventItem {
    event_id: EventId,
    title: String,
    city: Option<String>,
    tags: Vec<String>,
    next_performance: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EventBody {
    event_id: EventId,
    title: String,
    description: String,
    city: Option<String>,
    tags: Vec<String>,
    status: String,
    published_at: Option<DateTime<Utc>>,
    performances: Vec<Performance>,
}

async fn events(
    State(app): State<App>,
    Query(filters): Query<Filters>,
) -> Answer<Json<Paged<EventItem>>> {
    let paging = Paging::of(filters.page, filters.size)?;
    let wanted = filters.wanted(app.clock.now())?;
    let mut conn = app.db.read(NAME).await?;
    let (lines, total) = read::events(&mut conn, &wanted, paging.limit(), paging.offset()).await?;
    Ok(Json(paging.answer(
        lines.into_iter().map(EventItem::from).collect(),
        total,
    )))
}

async fn event(State(app): State<App>, Path(id): Path<EventId>) -> Answer<Json<EventBody>> {
    let mut conn = app.db.read(NAME).await?;
    let event = read::event(&mut conn, id)
        .await?
        .ok_or_else(|| ApiError::not_found("event_not_found", "there is no such event"))?;
    Ok(Json(EventBody {
        event_id: id,
        title: event.title,
        description: event.description,
        city: event.city,
        tags: event.tags,
        status: event.status,
        published_at: event.published_at,
        performances: read::performances(&mut conn, id).await?,
    }))
}

async fn availability(
    State(app): State<App>,
    Path(id): Path<PerformanceId>,
) -> Answer<Json<Availability>> {
    let unknown = || ApiError::not_found("performance_not_found", "there is no such performance");
    let mut conn = app.db.read(NAME).await?;
    let performance = read::performance(&mut conn, id)
        .await?
        .ok_or_else(unknown)?;
    let event = read::event(&mut conn, performance.event_id)
        .await?
        .ok_or_else(unknown)?;
    let seats = read::seats(&mut conn, id).await?;
    let taken = read::taken(&mut conn, id).await?;
    let zones = read::zones(&mut conn, id).await?;
    let published = event.status == "published";
    let now = app.clock.now();
    Ok(Json(Availability::of(
        performance,
        published,
        seats,
        &taken,
        zones,
        now,
    )))
}

impl Filters {
    fn wanted(self, now: DateTime<Utc>) -> Answer<Wanted> {
        for (name, text) in [
            ("query", &self.query),
            ("city", &self.city),
            ("tag", &self.tag),
        ] {
            if text
                .as_ref()
                .is_some_and(|text| text.chars().count() > MAX_QUERY)
            {
                return Err(ApiError::invalid(
                    name,
                    format!("is longer than {MAX_QUERY}"),
                ));
            }
        }
        Ok(Wanted {
            title: self
                .query
                .filter(|text| !text.is_empty())
                .map(|text| anywhere(&text)),
            city: self.city,
            tag: self.tag,
            // What has begun is no longer found, whatever is asked for.
            from: self.from.map_or(now, |from| from.max(now)),
            to: self.to,
        })
    }
}

impl From<EventLine> for EventItem {
    fn from(line: EventLine) -> Self {
        Self {
            event_id: EventId(line.event_id),
            title: line.title,
            city: line.city,
            tags: line.tags,
            next_performance: line.next_performance,
        }
    }
}
