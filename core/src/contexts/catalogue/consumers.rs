//! What the catalogue hears: everything about events and stock.

use std::time::Duration;

use super::NAME;
use super::store::hear;
use eventify_contracts::event_management::{
    EventArchived, EventCancelled, EventCreated, EventPublished, EventUpdated,
    PerformanceCancelled, PerformanceScheduled,
};
use eventify_contracts::inventory::{
    AvailabilityUpdated, BucketLevel, CapacityAdjusted, SeatingLaidOut, SeatsReleased,
    SeatsReserved,
};
use eventify_kernel::app::App;
use eventify_kernel::bus::Consumers;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs};

/// The end of a claim is remembered this long: far beyond any delay of the message of its
/// beginning.
const KEEP_ENDED: chrono::Duration = chrono::Duration::days(30);
/// How often ended claims are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3600);

pub(super) fn consumers() -> Consumers {
    Consumers::new()
        .on::<EventCreated, _>(on_event_created)
        .on::<EventUpdated, _>(on_event_updated)
        .on::<EventPublished, _>(on_event_published)
        .on::<EventArchived, _>(on_event_archived)
        .on::<EventCancelled, _>(on_event_cancelled)
        .on::<PerformanceScheduled, _>(on_performance_scheduled)
        .on::<PerformanceCancelled, _>(on_performance_cancelled)
        .on::<SeatingLaidOut, _>(on_seating_laid_out)
        .on::<SeatsReserved, _>(on_seats_reserved)
        .on::<SeatsReleased, _>(on_seats_released)
        .on::<CapacityAdjusted, _>(on_capacity_adjusted)
        .on::<AvailabilityUpdated, _>(on_availability_updated)
}

pub(super) const FORGET_ENDED_CLAIMS: Job = Job::of(NAME, "forget_ended_claims");

pub(super) fn jobs() -> Jobs {
    Jobs::new().every(FORGET_EVERY, FORGET_ENDED_CLAIMS, forget_ended_claims)
}

type Done = Result<(), Failure>;

async fn on_event_created(_: &App, tx: &mut Tx, event: Received<EventCreated>) -> Done {
    let EventCreated { event_id, facts } = event.data;
    Ok(hear::event(tx, event_id, &facts, "draft", event.aggregate_version).await?)
}

async fn on_event_updated(_: &App, tx: &mut Tx, event: Received<EventUpdated>) -> Done {
    let EventUpdated {
        event_id,
        facts,
        published,
    } = event.data;
    let status = if published { "published" } else { "draft" };
    Ok(hear::event(tx, event_id, &facts, status, event.aggregate_version).await?)
}

async fn on_event_published(_: &App, tx: &mut Tx, event: Received<EventPublished>) -> Done {
    let EventPublished { event_id, facts } = event.data;
    Ok(hear::event(tx, event_id, &facts, "published", event.aggregate_version).await?)
}

async fn on_event_archived(_: &App, tx: &mut Tx, event: Received<EventArchived>) -> Done {
    let EventArchived { event_id, facts } = event.data;
    Ok(hear::event(tx, event_id, &facts, "archived", event.aggregate_version).await?)
}

async fn on_event_cancelled(_: &App, tx: &mut Tx, event: Received<EventCancelled>) -> Done {
    let EventCancelled {
        event_id, facts, ..
    } = event.data;
    Ok(hear::event(tx, event_id, &facts, "cancelled", event.aggregate_version).await?)
}

async fn on_performance_scheduled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceScheduled>,
) -> Done {
    Ok(hear::scheduled(tx, &event.data, event.aggregate_version).await?)
}

async fn on_performance_cancelled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceCancelled>,
) -> Done {
    Ok(hear::cancelled(tx, &event.data, event.aggregate_version).await?)
}

async fn on_seating_laid_out(_: &App, tx: &mut Tx, event: Received<SeatingLaidOut>) -> Done {
    Ok(hear::laid_out(tx, &event.data).await?)
}

async fn on_seats_reserved(_: &App, tx: &mut Tx, event: Received<SeatsReserved>) -> Done {
    Ok(hear::reserved(tx, &event.data).await?)
}

async fn on_seats_released(app: &App, tx: &mut Tx, event: Received<SeatsReleased>) -> Done {
    Ok(hear::released(tx, &event.data, app.clock.now()).await?)
}

async fn on_capacity_adjusted(_: &App, tx: &mut Tx, event: Received<CapacityAdjusted>) -> Done {
    let CapacityAdjusted {
        performance_id,
        bucket_id,
        remaining,
        capacity,
    } = event.data;
    let level = BucketLevel {
        bucket_id,
        remaining,
        capacity,
    };
    Ok(hear::level(tx, performance_id, &level, event.aggregate_version).await?)
}

async fn on_availability_updated(
    _: &App,
    tx: &mut Tx,
    event: Received<AvailabilityUpdated>,
) -> Done {
    for level in &event.data.by_bucket {
        hear::level(
            tx,
            event.data.performance_id,
            level,
            event.aggregate_version,
        )
        .await?;
    }
    Ok(())
}

/// The table of claims holds what is taken, not what once was.
async fn forget_ended_claims(app: &App, _: &Cause) -> Done {
    let before = app.clock.now() - KEEP_ENDED;
    Ok(hear::forget_ended(&mut *app.db.read(NAME).await?, before).await?)
}
