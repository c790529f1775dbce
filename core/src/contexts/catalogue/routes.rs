//! `/catalog`: public.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use eventify_kernel::http::{
    Answer, ApiError, Conditional, GivenTime, Paging, Path, Policy, Query, Representation, Routes,
};
use eventify_protocol::ids::{EventId, PerformanceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::acts::{self, Error};
use super::model::{LocalTimes, Performance, contains};
use super::store::read::{self, Event, Filter};
use super::{App, NAME};

/// Longest search text, in characters.
const MAX_QUERY: usize = 100;

pub(super) fn routes() -> Routes<App> {
    const PUBLIC: Policy = Policy::public();
    Routes::new()
        .get("/catalog/events", PUBLIC.query(), events)
        .get("/catalog/events/{eventId}", PUBLIC, event)
        .get(
            "/catalog/performances/{performanceId}/availability",
            PUBLIC.query(),
            availability,
        )
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filters {
    query: Option<String>,
    city: Option<String>,
    tag: Option<String>,
    from: Option<GivenTime>,
    to: Option<GivenTime>,
    page: Option<u32>,
    size: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Since {
    /// A version that the client has; without one it gets the whole map.
    since: Option<i64>,
}

#[derive(Debug, Serialize)]
struct EventBody {
    #[serde(flatten)]
    event: Event,
    performances: Vec<PerformanceBody>,
}

#[derive(Debug, Serialize)]
struct PerformanceBody {
    #[serde(flatten)]
    performance: Performance,
    #[serde(flatten)]
    local: LocalTimes,
}

impl From<Performance> for PerformanceBody {
    fn from(performance: Performance) -> Self {
        Self {
            local: performance.local_times(),
            performance,
        }
    }
}

async fn events(
    State(app): State<App>,
    Query(filters): Query<Filters>,
    to: Conditional,
) -> Answer<Response> {
    let paging = Paging::of(filters.page, filters.size)?;
    let filter = filters.check(app.clock.now())?;
    let mut conn = app.db.read(NAME).await?;
    let (items, total) =
        read::list_events(&mut conn, &filter, paging.limit(), paging.offset()).await?;
    drop(conn);
    Ok(Representation::json(&paging.answer(items, total))?.answer(&to))
}

async fn event(
    State(app): State<App>,
    Path(id): Path<EventId>,
    to: Conditional,
) -> Answer<Response> {
    let mut conn = app.db.read(NAME).await?;
    let event = read::find_event(&mut conn, id)
        .await?
        .ok_or_else(|| ApiError::not_found("event_not_found", "there is no such event"))?;
    let performances = read::list_performances(&mut conn, id).await?;
    drop(conn);
    let body = EventBody {
        event,
        performances: performances.into_iter().map(Into::into).collect(),
    };
    Ok(Representation::json(&body)?.answer(&to))
}

async fn availability(
    State(app): State<App>,
    Path(id): Path<PerformanceId>,
    Query(Since { since }): Query<Since>,
    to: Conditional,
) -> Answer<Response> {
    if let Some(since) = since
        && let Some(changes) = acts::changes(&app, id, since).await?
    {
        return Ok(Representation::json(&changes)?.answer(&to));
    }
    Ok(acts::seat_map(&app, id).await?.answer(&to))
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Unknown => Self::not_found("performance_not_found", message),
            Error::Busy => Self::busy(message),
            Error::NotMade(error) => Self::internal(error),
            Error::Unwritable(error) => error.into(),
            Error::Db(error) => error.into(),
        }
    }
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
                let issue = format!("must be at most {MAX_QUERY} characters, and has {chars}");
                return Err(ApiError::invalid(name, issue));
            }
        }
        let query = self.query.filter(|text| !text.is_empty());
        Ok(Filter {
            title: query.map(|text| contains(&text)),
            city: self.city,
            tag: self.tag,
            // A performance that has begun is never listed, whatever the client asks for.
            from: self.from.map_or(now, |GivenTime(from)| from.max(now)),
            to: self.to.map(|GivenTime(to)| to),
        })
    }
}
