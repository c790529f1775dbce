//! Schedules and cancels performances, under the lock of their event.

use std::time::Duration;

use eventify_kernel::app::App;
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::{EventId, PerformanceId, VenueId};

use super::{ActError, FullEvent, lock};
use crate::contexts::event_management::NAME;
use crate::contexts::event_management::model::event::{Event, check_reason};
use crate::contexts::event_management::model::performance::{
    KnownPlan, MAX_PERFORMANCES, Performance, PerformanceSpec, ScheduleError, choose_plan,
};
use crate::contexts::event_management::store::{performances, plans};
use crate::contexts::ticketing::api as ticketing;

/// The message about a venue that was set up a moment ago may still be on its way: we wait for it
/// this long.
const PLAN_GRACE: Duration = Duration::from_secs(1);
const PLAN_POLL: Duration = Duration::from_millis(20);

pub(crate) async fn schedule(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: EventId,
    spec: &PerformanceSpec,
) -> Result<Performance, ActError> {
    let found = wait_for_plans(app, std::slice::from_ref(spec)).await?;
    let mut tx = app.db.begin(NAME, cause).await?;
    let mut full = lock(&mut tx, caller, id).await?;
    let performance = schedule_in(app, &mut tx, &mut full, spec, &found).await?;
    tx.commit().await?;
    Ok(performance)
}

pub(crate) async fn cancel(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    (id, performance): (EventId, PerformanceId),
    reason: &str,
) -> Result<Performance, ActError> {
    let reason = check_reason(reason)?;
    let mut tx = app.db.begin(NAME, cause).await?;
    let full = lock(&mut tx, caller, id).await?;
    let found = full
        .performances
        .into_iter()
        .find(|it| it.id == performance);
    let found = found.ok_or(ActError::UnknownPerformance)?;
    let cancelled = cancel_in(app, &mut tx, &full.event, found, &reason).await?;
    tx.commit().await?;
    Ok(cancelled)
}

/// The plans of the named venues; waits a moment for those that are not known yet.
pub(super) async fn wait_for_plans(
    app: &App,
    specs: &[PerformanceSpec],
) -> DbResult<Vec<KnownPlan>> {
    let mut venues: Vec<VenueId> = specs.iter().map(|spec| spec.venue_id).collect();
    venues.sort_unstable();
    venues.dedup();
    let mut found = Vec::new();
    let began = app.clock.instant();
    for venue in venues {
        loop {
            let known = plans::list(&mut *app.db.read(NAME).await?, venue).await?;
            if !known.is_empty() || began.elapsed() >= PLAN_GRACE {
                found.extend(known);
                break;
            }
            tokio::time::sleep(PLAN_POLL).await;
        }
    }
    Ok(found)
}

pub(super) async fn schedule_in(
    app: &App,
    tx: &mut Tx,
    full: &mut FullEvent,
    spec: &PerformanceSpec,
    known: &[KnownPlan],
) -> Result<Performance, ActError> {
    let now = app.clock.now();
    full.event.must_be_open()?;
    if full.performances.len() >= MAX_PERFORMANCES {
        return Err(ScheduleError::TooMany.into());
    }
    let times = spec.times(now)?;
    ticketing::can_sign(app, times.start, times.end)?;
    let scheme = match spec.pricing_id {
        Some(id) => full.schemes.iter().find(|scheme| scheme.id == id),
        None => full.schemes.last(),
    };
    let scheme = scheme.ok_or(ScheduleError::UnknownPricing)?;
    let of_venue: Vec<_> = known
        .iter()
        .filter(|plan| plan.venue == spec.venue_id)
        .cloned()
        .collect();
    let plan = choose_plan(&of_venue, spec.seating_plan_id, &full.event, scheme)?;
    let performance = Performance {
        id: PerformanceId(app.clock.new_id()),
        times,
        venue: spec.venue_id,
        plan: plan.id,
        pricing: scheme.id,
        cancelled: false,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    performances::insert(tx, full.event.id, &performance).await?;
    let scheduled = performance.as_scheduled(&full.event, scheme, &plan.venue_name);
    tx.publish(app.clock.new_id(), performance.version, &scheduled);
    full.performances.push(performance.clone());
    Ok(performance)
}

pub(super) async fn cancel_in(
    app: &App,
    tx: &mut Tx,
    event: &Event,
    performance: Performance,
    reason: &str,
) -> DbResult<Performance> {
    if performance.cancelled {
        return Ok(performance);
    }
    let cancelled = performance.cancel(app.clock.now());
    performances::cancel(tx, &cancelled).await?;
    let message = cancelled.as_cancelled(event, reason);
    tx.publish(app.clock.new_id(), cancelled.version, &message);
    Ok(cancelled)
}
