//! The acts of organisers. Every change of an event, its performances and prices is made under the
//! event's row lock.

use std::time::Duration;

use eventify_contracts::event_management::{
    EventArchived, EventCancelled, EventCreated, EventPublished, EventUpdated,
};
use eventify_kernel::app::App;
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, PgConnection, Tx};
use eventify_protocol::ids::{EventId, PerformanceId, PricingSchemeId, VenueId};

use super::NAME;
use super::model::event::{Details, Event, EventError, Status, check_reason};
use super::model::performance::{
    KnownPlan, MAX_PERFORMANCES, Performance, PerformanceSpec, ScheduleError, choose_plan,
};
use super::model::pricing::{PricingScheme, PricingSpec};
use super::store::{events, performances, plans, pricing};

/// The message about a venue that was set up a moment ago may still be on its way: we wait for it
/// this long.
const PLAN_GRACE: Duration = Duration::from_secs(1);
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

/// An event with its prices and performances.
pub(super) struct FullEvent {
    pub(super) event: Event,
    pub(super) schemes: Vec<PricingScheme>,
    pub(super) performances: Vec<Performance>,
}

/// Creates a draft with its prices and first performances.
pub(super) async fn create(
    app: &App,
    cause: &Cause,
    owner: &Principal,
    details: Details,
    prices: Option<PricingSpec>,
    specs: &[PerformanceSpec],
) -> Result<FullEvent, ActError> {
    let now = app.clock.now();
    let event = Event::draft(EventId(app.clock.new_id()), owner, details, now)?;
    let found = wait_for_plans(app, specs).await?;
    let mut tx = app.db.begin(NAME, cause).await?;
    events::insert(&mut tx, &event).await?;
    let created = EventCreated {
        event_id: event.id,
        facts: event.facts(),
    };
    tx.publish(app.clock.new_id(), event.version, &created);
    let mut full = FullEvent {
        event,
        schemes: vec![],
        performances: vec![],
    };
    if let Some(spec) = prices {
        let scheme = PricingScheme::define(PricingSchemeId(app.clock.new_id()), spec)?;
        pricing::insert(&mut tx, full.event.id, &scheme, now).await?;
        full.schemes.push(scheme);
    }
    for spec in specs {
        schedule_in(app, &mut tx, &mut full, spec, &found).await?;
    }
    tx.commit().await?;
    Ok(full)
}

/// An event for a caller who manages it.
pub(super) async fn read(
    app: &App,
    caller: &Principal,
    id: EventId,
) -> Result<FullEvent, ActError> {
    let mut conn = app.db.read(NAME).await?;
    let event = events::find(&mut conn, id).await?;
    complete(&mut conn, caller, event).await
}

/// A locked event that the caller manages, in a transaction for [`edit`].
pub(super) async fn begin_edit(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: EventId,
) -> Result<(Tx, FullEvent), ActError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let full = lock(&mut tx, caller, id).await?;
    Ok((tx, full))
}

/// Replaces an event's details.
pub(super) async fn edit(
    app: &App,
    mut tx: Tx,
    full: FullEvent,
    details: Details,
) -> Result<FullEvent, ActError> {
    let event = full.event.edit(details, app.clock.now())?;
    events::update(&mut tx, &event).await?;
    let updated = EventUpdated {
        event_id: event.id,
        facts: event.facts(),
        published: matches!(event.status, Status::Published { .. }),
    };
    tx.publish(app.clock.new_id(), event.version, &updated);
    tx.commit().await?;
    Ok(FullEvent { event, ..full })
}

/// Adds a pricing scheme, the default of performances scheduled from now on.
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
    pricing::insert(&mut tx, id, &scheme, app.clock.now()).await?;
    tx.commit().await?;
    Ok(scheme)
}

pub(super) async fn schedule(
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

/// Publishes an event: its performances go on sale.
pub(super) async fn publish(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: EventId,
) -> Result<Event, ActError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let full = lock(&mut tx, caller, id).await?;
    let (before, ahead) = (full.event.version, full.performances_ahead(app));
    let event = full.event.publish(ahead, app.clock.now())?;
    if event.version != before {
        events::update(&mut tx, &event).await?;
        let published = EventPublished {
            event_id: id,
            facts: event.facts(),
        };
        tx.publish(app.clock.new_id(), event.version, &published);
    }
    tx.commit().await?;
    Ok(event)
}

/// Cancels an event and all its future performances.
pub(super) async fn cancel(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: EventId,
    reason: &str,
) -> Result<Event, ActError> {
    let reason = check_reason(reason)?;
    let mut tx = app.db.begin(NAME, cause).await?;
    let full = lock(&mut tx, caller, id).await?;
    let before = full.event.version;
    let now = app.clock.now();
    let event = full.event.cancel(now)?;
    if event.version != before {
        events::update(&mut tx, &event).await?;
        let facts = event.facts();
        let cancelled = EventCancelled {
            event_id: id,
            facts,
            reason: reason.clone(),
        };
        tx.publish(app.clock.new_id(), event.version, &cancelled);
        for performance in full
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

pub(super) async fn cancel_performance(
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

pub(super) async fn archive(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: EventId,
) -> Result<Event, ActError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let full = lock(&mut tx, caller, id).await?;
    let (before, ahead) = (full.event.version, full.performances_ahead(app));
    let event = full.event.archive(ahead, app.clock.now())?;
    if event.version != before {
        events::update(&mut tx, &event).await?;
        let archived = EventArchived {
            event_id: id,
            facts: event.facts(),
        };
        tx.publish(app.clock.new_id(), event.version, &archived);
    }
    tx.commit().await?;
    Ok(event)
}

impl FullEvent {
    fn performances_ahead(&self, app: &App) -> usize {
        let now = app.clock.now();
        self.performances
            .iter()
            .filter(|performance| performance.lies_ahead(now))
            .count()
    }
}

async fn lock(tx: &mut Tx, caller: &Principal, id: EventId) -> Result<FullEvent, ActError> {
    let event = events::lock(tx, id).await?;
    complete(tx, caller, event).await
}

/// Checks that the caller manages the event, and reads its prices and performances.
async fn complete(
    conn: &mut PgConnection,
    caller: &Principal,
    event: Option<Event>,
) -> Result<FullEvent, ActError> {
    let event = event.ok_or(ActError::UnknownEvent)?;
    if !event.is_managed_by(caller) {
        return Err(ActError::Foreign);
    }
    let schemes = pricing::list(conn, event.id).await?;
    let performances = performances::list(conn, event.id).await?;
    Ok(FullEvent {
        event,
        schemes,
        performances,
    })
}

/// The plans of the named venues; waits a moment for those that are not known yet.
async fn wait_for_plans(app: &App, specs: &[PerformanceSpec]) -> DbResult<Vec<KnownPlan>> {
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

async fn schedule_in(
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
    let message = cancelled.as_cancelled(event, reason);
    tx.publish(app.clock.new_id(), cancelled.version, &message);
    Ok(cancelled)
}
