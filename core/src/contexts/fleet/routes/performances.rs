//! `/fleet/venues/{venueId}/performances`: what is played in a venue, and which of it waits for the
//! venue's confirmation.

use axum::extract::State;
use chrono::{DateTime, FixedOffset, Utc};
use eventify_kernel::http::{Answer, Caller, IfMatch, Json, Paged, Paging, Path, Query};
use eventify_protocol::ids::{PerformanceId, VenueId};
use eventify_protocol::zone::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::contexts::fleet::acts::{performances as acts, venues};
use crate::contexts::fleet::model::performance::Performance;
use crate::contexts::fleet::store::performances;
use crate::contexts::fleet::{App, NAME};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Those alone that wait for the venue.
    #[serde(default)]
    waiting: bool,
    page: Option<u32>,
    size: Option<u32>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    performance_id: PerformanceId,
    title: String,
    organiser_id: Uuid,
    org_id: Option<String>,
    start_time: DateTime<Utc>,
    doors_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    admits_from: DateTime<Utc>,
    admits_until: DateTime<Utc>,
    /// Of the venue; the same instants as its clocks show them.
    time_zone: TimeZone,
    start_time_local: DateTime<FixedOffset>,
    doors_at_local: DateTime<FixedOffset>,
    ends_at_local: Option<DateTime<FixedOffset>>,
    admits_from_local: DateTime<FixedOffset>,
    admits_until_local: DateTime<FixedOffset>,
    cancelled: bool,
    /// Its tickets admit nobody here before the venue has confirmed it.
    awaits_venue: bool,
    confirmed_at: Option<DateTime<Utc>>,
    /// The venue does not admit to it, as it is planned now.
    declined: bool,
    /// Of what the organiser plans: a confirmation names it.
    version: i32,
}

impl View {
    /// None while only its cancellation is known.
    fn of(performance: Performance, zone: TimeZone) -> Option<Self> {
        let (awaits_venue, version) = (performance.is_unconfirmed(), performance.facts_version);
        let declined = performance.is_declined();
        let facts = performance.facts?;
        let times = facts.times;
        Some(Self {
            performance_id: performance.id,
            title: facts.event_title,
            organiser_id: facts.owner_id,
            org_id: facts.org_id,
            start_time: times.start_time,
            doors_at: times.doors_at,
            ends_at: times.ends_at,
            admits_from: times.admits_from,
            admits_until: times.admits_until,
            time_zone: zone,
            start_time_local: zone.local(times.start_time),
            doors_at_local: zone.local(times.doors_at),
            ends_at_local: times.ends_at.map(|at| zone.local(at)),
            admits_from_local: zone.local(times.admits_from),
            admits_until_local: zone.local(times.admits_until),
            cancelled: performance.cancelled,
            awaits_venue,
            confirmed_at: performance.confirmed.map(|confirmed| confirmed.at),
            declined,
            version,
        })
    }
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(venue): Path<VenueId>,
    Query(query): Query<ListQuery>,
) -> Answer<Json<Paged<View>>> {
    let paging = Paging::of(query.page, query.size)?;
    let mut conn = app.db.read(NAME).await?;
    let zone = venues::own(&mut conn, caller.principal()?, venue)
        .await?
        .time_zone;
    let (now, window) = (app.clock.now(), (paging.limit(), paging.offset()));
    let (found, total) =
        performances::list_ahead(&mut conn, venue, now, query.waiting, window).await?;
    let views = found.into_iter().filter_map(|it| View::of(it, zone));
    Ok(Json(paging.answer(views.collect(), total)))
}

pub(super) async fn confirm(
    State(app): State<App>,
    caller: Caller,
    seen: IfMatch,
    Path(which): Path<(VenueId, PerformanceId)>,
) -> Answer<Json<Option<View>>> {
    let principal = caller.principal()?;
    let mut conn = app.db.read(NAME).await?;
    let zone = venues::own(&mut conn, principal, which.0).await?.time_zone;
    let planned = acts::planned(&mut conn, principal, which).await?;
    drop(conn);
    // One whose answer was lost changes nothing, whatever it has seen.
    if planned.is_unconfirmed() {
        seen.must_match(planned.facts_version)?;
    }
    let confirmed = acts::confirm(&app, &caller.cause, principal, (which.0, &planned)).await?;
    Ok(Json(View::of(confirmed, zone)))
}

pub(super) async fn decline(
    State(app): State<App>,
    caller: Caller,
    seen: IfMatch,
    Path(which): Path<(VenueId, PerformanceId)>,
) -> Answer<Json<Option<View>>> {
    let principal = caller.principal()?;
    let mut conn = app.db.read(NAME).await?;
    let zone = venues::own(&mut conn, principal, which.0).await?.time_zone;
    let planned = acts::planned(&mut conn, principal, which).await?;
    drop(conn);
    if planned.is_waiting() {
        seen.must_match(planned.facts_version)?;
    }
    let declined = acts::decline(&app, &caller.cause, principal, (which.0, &planned)).await?;
    Ok(Json(View::of(declined, zone)))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DeclineAll {
    /// Whose performances, all that wait.
    organiser_id: Uuid,
}

#[derive(Debug, Serialize)]
pub(super) struct DeclinedBody {
    declined: usize,
}

pub(super) async fn decline_all(
    State(app): State<App>,
    caller: Caller,
    Path(venue): Path<VenueId>,
    Json(body): Json<DeclineAll>,
) -> Answer<Json<DeclinedBody>> {
    let of = (venue, body.organiser_id);
    let declined = acts::decline_all(&app, &caller.cause, caller.principal()?, of).await?;
    Ok(Json(DeclinedBody { declined }))
}
