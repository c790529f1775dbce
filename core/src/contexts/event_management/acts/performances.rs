//! Schedules performances, under the lock of their event.

use std::time::Duration;

use chrono::TimeDelta;
use eventify_kernel::auth::{Principal, Role};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::{EventId, PerformanceId, VenueId};
use eventify_protocol::sync::Reentry;

use super::moving::{Warning, warnings};
use super::{ActError, FullEvent, lock};
use crate::contexts::event_management::model::event::Event;
use crate::contexts::event_management::model::performance::{
    KnownPlan, MAX_PERFORMANCES, Performance, PerformanceSpec, ScheduleError, choose_plan,
    must_be_laid_out_soon,
};
use crate::contexts::event_management::store::performances;
use crate::contexts::event_management::store::plans::{self, Scheduled};
use crate::contexts::event_management::{App, NAME};
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
) -> Result<(Performance, Vec<Warning>), ActError> {
    let found = wait_for_plans(app, std::slice::from_ref(spec)).await?;
    let mut tx = app.db.begin(NAME, cause).await?;
    let mut full = lock(&mut tx, caller, id).await?;
    let performance = schedule_in(app, &mut tx, (&mut full, caller), spec, &found).await?;
    must_be_within_the_hour(app, &mut tx, caller, &full.event).await?;
    let warnings = warnings(app, &mut tx, &performance).await?;
    tx.commit().await?;
    Ok((performance, warnings))
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

/// What the event's organiser has scheduled, with what this transaction adds, whoever calls. An administrator may
/// exceed it.
pub(super) async fn must_be_within_the_hour(
    app: &App,
    tx: &mut Tx,
    caller: &Principal,
    event: &Event,
) -> Result<(), ActError> {
    let since = app.clock.now() - TimeDelta::hours(1);
    let org = event.org_id.as_deref();
    let scheduled = plans::count_scheduled(tx, event.owner_id, org, since).await?;
    if caller.has_role(Role::Admin) {
        return Ok(());
    }
    let Scheduled {
        performances,
        seats,
        zones,
    } = scheduled;
    Ok(must_be_laid_out_soon(performances, seats, zones)?)
}

pub(super) async fn schedule_in(
    app: &App,
    tx: &mut Tx,
    (full, caller): (&mut FullEvent, &Principal),
    spec: &PerformanceSpec,
    known: &[KnownPlan],
) -> Result<Performance, ActError> {
    let (now, margins) = (app.clock.now(), app.state.margins);
    full.event.must_be_open()?;
    if full.performances.len() >= MAX_PERFORMANCES {
        return Err(ScheduleError::TooMany.into());
    }
    let times = spec.times().of_new(now)?;
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
        zone: plan.zone,
        plan: plan.id,
        pricing: scheme.id,
        cancelled: false,
        awaits_venue: awaits_venue(plan, &full.event, caller),
        confirmed_version: 0,
        declined_version: 0,
        first_admits_until: Some(times.admits_until(margins)),
        reentry: spec.reentry == Some(Reentry::Allowed),
        restarts_at: None,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    performances::insert(tx, full.event.id, &performance).await?;
    let scheduled = performance.as_scheduled(&full.event, scheme, &plan.venue_name, margins);
    tx.publish(app.clock.new_id(), performance.version, &scheduled);
    full.performances.push(performance.clone());
    Ok(performance)
}

/// Whether the venue is to be asked. An administrator is as good as the owner of any venue.
pub(super) fn awaits_venue(plan: &KnownPlan, event: &Event, caller: &Principal) -> bool {
    plan.is_foreign_to(event) && !caller.has_role(Role::Admin)
}
