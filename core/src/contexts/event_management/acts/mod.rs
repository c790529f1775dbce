//! The acts of organisers. Every change of an event, its performances and prices is made under the
//! event's row lock.

pub(super) mod cancelling;
pub(super) mod declined;
pub(super) mod moving;
pub(super) mod performances;

use chrono::{DateTime, Utc};
use eventify_contracts::event_management::{
    EventArchived, EventCreated, EventFacts, EventPublished, EventUpdated,
};
use eventify_kernel::auth::Principal;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, PgConnection, Tx};
use eventify_kernel::event::DomainEvent;
use eventify_protocol::ids::{EventId, PricingSchemeId};

use crate::contexts::event_management::model::cancellation::NeedsConfirmation;
use crate::contexts::event_management::model::event::{Details, Event, EventError, Status};
use crate::contexts::event_management::model::performance::{
    Performance, PerformanceSpec, ScheduleError, must_be_few,
};
use crate::contexts::event_management::model::pricing::{PricingScheme, PricingSpec};
use crate::contexts::event_management::store::{self, events, pricing};
use crate::contexts::event_management::{App, NAME};
use crate::contexts::ticketing::api::CantSign;

/// Why an act was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActError {
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
    CantSign(#[from] CantSign),
    #[error(transparent)]
    Confirm(#[from] NeedsConfirmation),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// An event with its prices and performances.
pub(crate) struct FullEvent {
    pub(crate) event: Event,
    pub(crate) schemes: Vec<PricingScheme>,
    pub(crate) performances: Vec<Performance>,
}

/// Creates a draft with its prices and first performances.
pub(crate) async fn create(
    app: &App,
    cause: &Cause,
    owner: &Principal,
    details: Details,
    prices: Option<PricingSpec>,
    specs: &[PerformanceSpec],
) -> Result<FullEvent, ActError> {
    let now = app.clock.now();
    let event = Event::draft(EventId(app.clock.new_id()), owner, details, now)?;
    must_be_few(specs)?;
    let found = performances::wait_for_plans(app, specs).await?;
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
        performances::schedule_in(app, &mut tx, (&mut full, owner), spec, &found).await?;
    }
    performances::must_be_within_the_hour(app, &mut tx, owner, &full.event).await?;
    tx.commit().await?;
    Ok(full)
}

/// An event for a caller who manages it.
pub(crate) async fn read(
    app: &App,
    caller: &Principal,
    id: EventId,
) -> Result<FullEvent, ActError> {
    let mut conn = app.db.read(NAME).await?;
    let event = events::find(&mut conn, id).await?;
    complete(&mut conn, caller, event).await
}

/// A locked event that the caller manages, in a transaction for [`edit`].
pub(crate) async fn begin_edit(
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
pub(crate) async fn edit(
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
pub(crate) async fn price(
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

/// Publishes an event: its performances go on sale.
pub(crate) async fn publish(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: EventId,
) -> Result<Event, ActError> {
    let published = |event_id, facts| EventPublished { event_id, facts };
    change(app, cause, (caller, id), Event::publish, published).await
}

pub(crate) async fn archive(
    app: &App,
    cause: &Cause,
    caller: &Principal,
    id: EventId,
) -> Result<Event, ActError> {
    let archived = |event_id, facts| EventArchived { event_id, facts };
    change(app, cause, (caller, id), Event::archive, archived).await
}

/// Publishes or archives an event, which depends on how many performances are still to come.
async fn change<E: DomainEvent>(
    app: &App,
    cause: &Cause,
    (caller, id): (&Principal, EventId),
    decide: fn(Event, usize, DateTime<Utc>) -> Result<Event, EventError>,
    message: fn(EventId, EventFacts) -> E,
) -> Result<Event, ActError> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    let full = lock(&mut tx, caller, id).await?;
    let margins = app.state.margins;
    let ahead = full
        .performances
        .iter()
        .filter(|it| it.lies_ahead(margins, now));
    let (before, ahead) = (full.event.version, ahead.count());
    let event = decide(full.event, ahead, now)?;
    if event.version != before {
        events::update(&mut tx, &event).await?;
        let message = message(id, event.facts());
        tx.publish(app.clock.new_id(), event.version, &message);
    }
    tx.commit().await?;
    Ok(event)
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
    let performances = store::performances::list(conn, event.id).await?;
    Ok(FullEvent {
        event,
        schemes,
        performances,
    })
}
