//! A performance moves to other times: tickets stay good, and every other context learns of it.

use chrono::{DateTime, Utc};
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, PgConnection, Tx};
use eventify_protocol::ids::{EventId, PerformanceId};
use eventify_protocol::zone::TimeZone;

use super::performances::awaits_venue;
use super::{ActError, FullEvent, lock};
use crate::contexts::event_management::model::performance::{KnownPlan, Performance};
use crate::contexts::event_management::model::times::PlannedTimes;
use crate::contexts::event_management::store::performances::{self, Overlap};
use crate::contexts::event_management::store::{events, plans, pricing};
use crate::contexts::event_management::{App, NAME};
use crate::contexts::order::api::{self as order, Sold};
use crate::contexts::ticketing::api as ticketing;

/// Overlaps that an answer names.
const MAX_OVERLAPS: i64 = 20;
/// Events that a run of the job takes on.
const EVENTS_AT_ONCE: i64 = 100;

/// What an organiser should know, and may accept.
#[derive(Clone, Debug)]
pub(crate) enum Warning {
    /// The venue's gates admit nobody before the venue has confirmed it.
    AwaitsVenue,
    /// Another performance takes place in the same hall.
    Overlaps(Overlap, TimeZone),
    /// The codes of tickets that are sold end before, at the latest then.
    CodesEnd(DateTime<Utc>, TimeZone),
}

/// A performance at its new times, or as it would be.
pub(crate) struct Moved {
    pub(crate) performance: Performance,
    /// Who has bought for the old times.
    pub(crate) affected: Sold,
    pub(crate) warnings: Vec<Warning>,
}

/// A performance of a locked event that the caller manages.
pub(crate) async fn begin(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    (event, id): (EventId, PerformanceId),
) -> Result<(Tx, FullEvent, Performance), ActError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let full = lock(&mut tx, caller, event).await?;
    let found = full.performances.iter().find(|it| it.id == id).cloned();
    let found = found.ok_or(ActError::UnknownPerformance)?;
    Ok((tx, full, found))
}

/// Moves it. `dry_run` changes nothing, and answers what would happen.
pub(crate) async fn move_to(
    app: &App,
    (mut tx, full, before): (Tx, FullEvent, Performance),
    caller: &Principal,
    planned: &PlannedTimes,
    dry_run: bool,
) -> Result<Moved, ActError> {
    let (now, margins) = (app.clock.now(), app.state.margins);
    full.event.must_be_open()?;
    let times = planned.of_moved(margins, now)?;
    ticketing::can_sign(app, times.start, times.end)?;
    let plan = plan_of(&mut tx, &before).await?;
    let awaits = plan.as_ref().map_or(before.awaits_venue, |it| {
        awaits_venue(it, &full.event, caller)
    });
    let (previous, id) = (before.times.start, before.id);
    let codes_end = before
        .first_admits_until
        .map(|end| end + app.state.codes_outlive_show);
    let moved = before.moved(times, awaits, margins, now)?;
    let moved = moved.with_reentry(planned.reentry());
    let mut warnings = warnings(app, &mut tx, &moved).await?;
    let too_late = codes_end.filter(|end| times.admits_until(margins) > *end);
    warnings.extend(too_late.map(|end| Warning::CodesEnd(end, moved.zone)));
    let mut sales = order::sold(app, &[id]).await?;
    if !dry_run {
        performances::update_times(&mut tx, &moved).await?;
        publish(app, &mut tx, &full, (&moved, plan.as_ref()), previous);
        tx.commit().await?;
    }
    Ok(Moved {
        performance: moved,
        affected: sales.of.remove(&id).unwrap_or_default(),
        warnings,
    })
}

/// What is to be said about a performance as it is planned.
pub(super) async fn warnings(
    app: &App,
    conn: &mut PgConnection,
    performance: &Performance,
) -> DbResult<Vec<Warning>> {
    let overlaps =
        performances::list_overlaps(conn, performance, app.state.margins, MAX_OVERLAPS).await?;
    let awaits = performance.is_waiting().then_some(Warning::AwaitsVenue);
    Ok(awaits
        .into_iter()
        .chain(
            overlaps
                .into_iter()
                .map(|other| Warning::Overlaps(other, performance.zone)),
        )
        .collect())
}

/// Publishes once more what the release before has published without the times at which it admits.
pub(crate) async fn publish_windows(app: &App, cause: &Cause) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    let events = performances::list_events_without_window(&mut conn, EVENTS_AT_ONCE).await?;
    drop(conn);
    for event in events {
        publish_windows_of(app, cause, event).await?;
    }
    Ok(())
}

async fn publish_windows_of(app: &App, cause: &Cause, id: EventId) -> DbResult<()> {
    let (now, margins) = (app.clock.now(), app.state.margins);
    let mut tx = app.db.begin(NAME, cause).await?;
    let Some(event) = events::lock(&mut tx, id).await? else {
        return Ok(());
    };
    let missing = performances::list_without_window(&mut tx, id).await?;
    let full = FullEvent {
        event,
        schemes: pricing::list(&mut tx, id).await?,
        performances: performances::list(&mut tx, id).await?,
    };
    for performance in &full.performances {
        let (times, awaits) = (performance.times, performance.awaits_venue);
        let is_missing = missing.contains(&performance.id);
        let Ok(again) = performance.clone().moved(times, awaits, margins, now) else {
            continue;
        };
        if is_missing {
            let plan = plan_of(&mut tx, &again).await?;
            performances::update_times(&mut tx, &again).await?;
            publish(app, &mut tx, &full, (&again, plan.as_ref()), times.start);
        }
    }
    tx.commit().await
}

async fn plan_of(
    conn: &mut PgConnection,
    performance: &Performance,
) -> DbResult<Option<KnownPlan>> {
    let known = plans::list(conn, performance.venue).await?;
    Ok(known.into_iter().find(|plan| plan.id == performance.plan))
}

fn publish(
    app: &App,
    tx: &mut Tx,
    full: &FullEvent,
    (performance, plan): (&Performance, Option<&KnownPlan>),
    previous_start: DateTime<Utc>,
) {
    let scheme = full.schemes.iter().find(|it| it.id == performance.pricing);
    let Some(scheme) = scheme else {
        return;
    };
    let venue = plan.map_or("", |plan| plan.venue_name.as_str());
    let event = performance.as_rescheduled(
        &full.event,
        scheme,
        venue,
        app.state.margins,
        previous_start,
    );
    tx.publish(app.clock.new_id(), performance.version, &event);
}
