//! The acts of event management, and the one call that `fleet` makes.
//!
//! Every change of an event, its performances and prices is made under the event's row lock.

use std::time::Duration;

use eventify_protocol::ids::{EventId, PerformanceId, PricingSchemeId, VenueId};
use uuid::Uuid;

use super::NAME;
use super::model::event::{Details, Event, EventError, Status, check_reason};
use super::model::performance::{
    KnownPlan, MAX_PERFORMANCES, Performance, PerformanceSpec, ScheduleError, choose_plan,
};
use super::model::pricing::{PricingScheme, PricingSpec};
use super::store::{events, performances, plans, pricing};
use eventify_contracts::event_management::{
    EventArchived, EventCancelled, EventCreated, EventPublished, EventUpdated,
};
use eventify_kernel::app::App;
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, Tx, outbox};

/// A venue that was set up a moment ago may still be on its way here: this long, it is waited for.
const PLAN_GRACE: Duration = Duration::from_secs(1);
/// How often it is looked for meanwhile.
const PLAN_POLL: Duration = Duration::from_millis(20);

/// Why an act was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum ActError {
    #[error("there is no such event")]
    UnknownEvent,
    #[error("the event has no such performance")]
    UnknownPerformance,
    #[error("the event belongs to another organiser")]
    Foreign,
    #[error(transparent)]
    Event(#[from] EventError),
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// An event with all that belongs to it.
pub(super) struct Whole {
    pub(super) event: Event,
    pub(super) schemes: Vec<PricingScheme>,
    pub(super) performances: Vec<Performance>,
}

/// The venues' feed holds what these messages say (ADMISSION 1.3). Settling again changes nothing.
///
/// # Errors
/// The database failed; the watermark stands until it is tried again.
pub async fn settle_outbox(app: &App, ids: &[Uuid]) -> DbResult<()> {
    outbox::mark_projected(&mut *app.db.read(NAME).await?, ids).await
}

/// Enters a draft with its prices and first performances.
pub(super) async fn create(
    app: &App,
    cause: &Cause,
    owner: &Principal,
    details: Details,
    prices: Option<PricingSpec>,
    specs: &[PerformanceSpec],
) -> Result<Whole, ActError> {
    let now = app.clock.now();
    let event = Event::draft(EventId(app.clock.new_id()), owner, details, now)?;
    let found = wait_for_plans(app, specs).await?;
    let mut tx = app.db.begin(NAME, cause).await?;
    events::add(&mut tx, &event).await?;
    let created = EventCreated {
        event_id: event.id,
        facts: event.facts(),
    };
    tx.publish(app.clock.new_id(), event.version, &created);
    let mut whole = Whole {
        event,
        schemes: vec![],
        performances: vec![],
    };
    if let Some(spec) = prices {
        let scheme = PricingScheme::define(PricingSchemeId(app.clock.new_id()), spec)?;
        pricing::add(&mut tx, whole.event.id, &scheme, now).await?;
        whole.schemes.push(scheme);
    }
    for spec in specs {
        schedule_in(app, &mut tx, &mut whole, spec, &found).await?;
    }
    tx.commit().await?;
    Ok(whole)
}

/// Reads an event for one who runs it.
pub(super) async fn read(app: &App, caller: &Principal, id: EventId) -> Result<Whole, ActError> {
    let mut conn = app.db.read(NAME).await?;
    let event = events::find(&mut conn, id)
        .await?
        .ok_or(ActError::UnknownEvent)?;
    must_run(&event, caller)?;
    let schemes = pricing::of_event(&mut conn, id).await?;
    let performances = performances::of_event(&mut conn, id).await?;
    Ok(Whole {
        event,
        schemes,
        performances,
    })
}

/// Replaces an event's details. `check` compares what the caller has seen with the version.
pub(super) async fn edit<E: From<ActError>>(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: EventId,
    details: Details,
    check: impl FnOnce(i32) -> Result<(), E>,
) -> Result<Whole, E> {
    let mut tx = app.db.begin(NAME, cause).await.map_err(ActError::from)?;
    let whole = lock(&mut tx, caller, id).await?;
    check(whole.event.version)?;
    let event = whole
        .event
        .edit(details, app.clock.now())
        .map_err(ActError::from)?;
    let whole = Whole { event, ..whole };
    events::save(&mut tx, &whole.event)
        .await
        .map_err(ActError::from)?;
    let updated = EventUpdated {
        event_id: id,
        facts: whole.event.facts(),
        published: matches!(whole.event.status, Status::Published { .. }),
    };
    tx.publish(app.clock.new_id(), whole.event.version, &updated);
    tx.commit().await.map_err(ActError::from)?;
    Ok(whole)
}

/// Adds prices; performances scheduled from now on have them by default.
pub(super) async fn price(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: EventId,
    spec: PricingSpec,
) -> Result<PricingScheme, ActError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    lock(&mut tx, caller, id).await?.event.must_be_open()?;
    let scheme = PricingScheme::define(PricingSchemeId(app.clock.new_id()), spec)?;
    pricing::add(&mut tx, id, &scheme, app.clock.now()).await?;
    tx.commit().await?;
    Ok(scheme)
}

/// Plans a performance.
pub(super) async fn schedule(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: EventId,
    spec: &PerformanceSpec,
) -> Result<Performance, ActError> {
    let found = wait_for_plans(app, std::slice::from_ref(spec)).await?;
    let mut tx = app.db.begin(NAME, cause).await?;
    let mut whole = lock(&mut tx, caller, id).await?;
    let performance = schedule_in(app, &mut tx, &mut whole, spec, &found).await?;
    tx.commit().await?;
    Ok(performance)
}

/// Puts an event on sale.
pub(super) async fn publish(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: EventId,
) -> Result<Event, ActError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let whole = lock(&mut tx, caller, id).await?;
    let (before, ahead) = (whole.event.version, whole.ahead(app));
    let event = whole.event.publish(ahead, app.clock.now())?;
    if event.version != before {
        events::save(&mut tx, &event).await?;
        let published = EventPublished {
            event_id: id,
            facts: event.facts(),
        };
        tx.publish(app.clock.new_id(), event.version, &published);
    }
    tx.commit().await?;
    Ok(event)
}

/// Cancels an event with all its performances that lie ahead.
pub(super) async fn cancel(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: EventId,
    reason: &str,
) -> Result<Event, ActError> {
    let reason = check_reason(reason)?;
    let mut tx = app.db.begin(NAME, cause).await?;
    let whole = lock(&mut tx, caller, id).await?;
    let before = whole.event.version;
    let now = app.clock.now();
    let event = whole.event.cancel(now)?;
    if event.version != before {
        events::save(&mut tx, &event).await?;
        let facts = event.facts();
        let cancelled = EventCancelled {
            event_id: id,
            facts,
            reason: reason.clone(),
        };
        tx.publish(app.clock.new_id(), event.version, &cancelled);
        for performance in whole
            .performances
            .into_iter()
            .filter(|it| it.lies_ahead(now))
        {
            cancel_in(app, &mut tx, &event, performance, &reason).await?;
        }
    }
    tx.commit().await?;
    Ok(event)
}

/// Cancels one performance.
pub(super) async fn cancel_performance(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    (id, performance): (EventId, PerformanceId),
    reason: &str,
) -> Result<Performance, ActError> {
    let reason = check_reason(reason)?;
    let mut tx = app.db.begin(NAME, cause).await?;
    let whole = lock(&mut tx, caller, id).await?;
    let found = whole
        .performances
        .into_iter()
        .find(|it| it.id == performance);
    let found = found.ok_or(ActError::UnknownPerformance)?;
    let cancelled = cancel_in(app, &mut tx, &whole.event, found, &reason).await?;
    tx.commit().await?;
    Ok(cancelled)
}

/// Puts an event away.
pub(super) async fn archive(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: EventId,
) -> Result<Event, ActError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let whole = lock(&mut tx, caller, id).await?;
    let (before, ahead) = (whole.event.version, whole.ahead(app));
    let event = whole.event.archive(ahead, app.clock.now())?;
    if event.version != before {
        events::save(&mut tx, &event).await?;
        let archived = EventArchived {
            event_id: id,
            facts: event.facts(),
        };
        tx.publish(app.clock.new_id(), event.version, &archived);
    }
    tx.commit().await?;
    Ok(event)
}

impl Whole {
    fn ahead(&self, app: &App) -> usize {
        let now = app.clock.now();
        self.performances
            .iter()
            .filter(|performance| performance.lies_ahead(now))
            .count()
    }
}

async fn lock(tx: &mut Tx, caller: &Principal, id: EventId) -> Result<Whole, ActError> {
    let event = events::lock(tx, id).await?.ok_or(ActError::UnknownEvent)?;
    must_run(&event, caller)?;
    let schemes = pricing::of_event(tx, id).await?;
    let performances = performances::of_event(tx, id).await?;
    Ok(Whole {
        event,
        schemes,
        performances,
    })
}

fn must_run(event: &Event, caller: &Principal) -> Result<(), ActError> {
    if event.is_run_by(caller) {
        Ok(())
    } else {
        Err(ActError::Foreign)
    }
}

/// The plans of the venues that are named; those that are not known yet are waited for a moment.
async fn wait_for_plans(app: &App, specs: &[PerformanceSpec]) -> DbResult<Vec<KnownPlan>> {
    let mut venues: Vec<VenueId> = specs.iter().map(|spec| spec.venue_id).collect();
    venues.sort_unstable();
    venues.dedup();
    let mut found = Vec::new();
    let began = app.clock.instant();
    for venue in venues {
        loop {
            let known = plans::of_venue(&mut *app.db.read(NAME).await?, venue).await?;
            if !known.is_empty() || began.elapsed() >= PLAN_GRACE {
                found.extend(known);
                break;
            }
            tokio::time::sleep(PLAN_POLL).await;
        }
    }
    Ok(found)
}

async fn schedule_in(
    app: &App,
    tx: &mut Tx,
    whole: &mut Whole,
    spec: &PerformanceSpec,
    known: &[KnownPlan],
) -> Result<Performance, ActError> {
    let now = app.clock.now();
    whole.event.must_be_open()?;
    if whole.performances.len() >= MAX_PERFORMANCES {
        return Err(ScheduleError::TooMany.into());
    }
    let times = spec.times(now)?;
    let scheme = match spec.pricing_id {
        Some(id) => whole.schemes.iter().find(|scheme| scheme.id == id),
        None => whole.schemes.last(),
    };
    let scheme = scheme.ok_or(ScheduleError::UnknownPricing)?;
    let of_venue: Vec<_> = known
        .iter()
        .filter(|plan| plan.venue == spec.venue_id)
        .cloned()
        .collect();
    let plan = choose_plan(&of_venue, spec.seating_plan_id, &whole.event, scheme)?;
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
    performances::add(tx, whole.event.id, &performance).await?;
    let scheduled = performance.told_scheduled(&whole.event, scheme, &plan.venue_name);
    tx.publish(app.clock.new_id(), performance.version, &scheduled);
    whole.performances.push(performance.clone());
    Ok(performance)
}

async fn cancel_in(
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
    let told = cancelled.told_cancelled(event, reason);
    tx.publish(app.clock.new_id(), cancelled.version, &told);
    Ok(cancelled)
}
