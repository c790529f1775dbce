//! `/catalog`: public.

use axum::extract::State;
use chrono::{DateTime, Utc};
use eventify_kernel::app::App;
use eventify_kernel::http::{Answer, ApiError, Json, Paged, Paging, Path, Policy, Query, Routes};
use eventify_protocol::ids::{EventId, PerformanceId};
use serde::{Deserialize, Serialize};

use super::NAME;
use super::model::{Availability, Performance, contains};
use super::store::read::{self, Event, EventItem, Filter};

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
struct EventBody {
    #[serde(flatten)]
    event: Event,
    performances: Vec<Performance>,
}

async fn events(
    State(app): State<App>,
    Query(filters): Query<Filters>,
) -> Answer<Json<Paged<EventItem>>> {
    let paging = Paging::of(filters.page, filters.size)?;
    let filter = filters.check(app.clock.now())?;
    let mut conn = app.db.read(NAME).await?;
    let (items, total) =
        read::list_events(&mut conn, &filter, paging.limit(), paging.offset()).await?;
    Ok(Json(paging.answer(items, total)))
}

async fn event(State(app): State<App>, Path(id): Path<EventId>) -> Answer<Json<EventBody>> {
    let mut conn = app.db.read(NAME).await?;
    let event = read::find_event(&mut conn, id)
        .await?
        .ok_or_else(|| ApiError::not_found("event_not_found", "there is no such event"))?;
    let performances = read::list_performances(&mut conn, id).await?;
    Ok(Json(EventBody {
        event,
        performances,
    }))
}

async fn availability(
    State(app): State<App>,
    Path(id): Path<PerformanceId>,
) -> Answer<Json<Availability>> {
    let unknown = || ApiError::not_found("performance_not_found", "there is no such performance");
    let mut conn = app.db.read(NAME).await?;
    let performance = read::find_performance(&mut conn, id).await?;
    let performance = performance.ok_or_else(unknown)?;
    let event = read::find_event(&mut conn, performance.event_id).await?;
    let published = event.ok_or_else(unknown)?.status == "published";
    let seats = read::list_seats(&mut conn, id).await?;
    let taken = read::list_taken_seats(&mut conn, id).await?;
    let zones = read::list_zones(&mut conn, id).await?;
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
    fn check(self, now: DateTime<Utc>) -> Answer<Filter> {
        for (name, text) in [
            ("query", &self.query),
            ("city", &self.city),
            ("tag", &self.tag),
        ] {
            let chars = text.as_ref().map_or(0, |text| text.chars().count());
            if chars > MAX_QUERY {
                let issue = format!("is longer than {MAX_QUERY} characters");
                return Err(ApiError::invalid(name, issue));
            }
        }
        let query = self.query.filter(|text| !text.is_empty());
        Ok(Filter {
            title: query.map(|text| contains(&text)),
            city: self.city,
            tag: self.tag,
            // A performance that has begun is never listed, whatever the client asks for.
            from: self.from.map_or(now, |from| from.max(now)),
            to: self.to,
        })
    }
}
