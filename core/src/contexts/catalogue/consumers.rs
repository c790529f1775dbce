//! Everything about events and stock goes into the read model.

use eventify_contracts::event_management::{
    EventArchived, EventCancelled, EventCreated, EventPublished, EventUpdated,
    PerformanceCancelled, PerformanceRescheduled, PerformanceScheduled,
};
use eventify_contracts::fleet::{PerformanceConfirmed, PerformanceDeclined};
use eventify_contracts::inventory::{
    AvailabilityUpdated, BucketLevel, CapacityAdjusted, SeatingLaidOut, SeatsReleased,
    SeatsReserved, VenueCreated, VenueUpdated,
};
use eventify_kernel::app::App;
use eventify_kernel::bus::Consumers;
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;

use super::store::projections;

pub(super) fn consumers() -> Consumers {
    Consumers::new()
        .on::<EventCreated, _>(on_event_created)
        .on::<EventUpdated, _>(on_event_updated)
        .on::<EventPublished, _>(on_event_published)
        .on::<EventArchived, _>(on_event_archived)
        .on::<EventCancelled, _>(on_event_cancelled)
        .on::<PerformanceScheduled, _>(on_performance_scheduled)
        .on::<PerformanceRescheduled, _>(on_performance_rescheduled)
        .on::<PerformanceCancelled, _>(on_performance_cancelled)
        .on::<PerformanceConfirmed, _>(on_performance_confirmed)
        .on::<PerformanceDeclined, _>(on_performance_declined)
        .on::<VenueCreated, _>(on_venue_created)
        .on::<VenueUpdated, _>(on_venue_updated)
        .on::<SeatingLaidOut, _>(on_seating_laid_out)
        .on::<SeatsReserved, _>(on_seats_reserved)
        .on::<SeatsReleased, _>(on_seats_released)
        .on::<CapacityAdjusted, _>(on_capacity_adjusted)
        .on::<AvailabilityUpdated, _>(on_availability_updated)
}

type Done = Result<(), Failure>;

async fn on_event_created(_: &App, tx: &mut Tx, event: Received<EventCreated>) -> Done {
    let EventCreated { event_id, facts } = event.data;
    let version = event.aggregate_version;
    Ok(projections::upsert_event(tx, event_id, &facts, "draft", version).await?)
}

async fn on_event_updated(_: &App, tx: &mut Tx, event: Received<EventUpdated>) -> Done {
    let data = event.data;
    let status = if data.published { "published" } else { "draft" };
    let version = event.aggregate_version;
    Ok(projections::upsert_event(tx, data.event_id, &data.facts, status, version).await?)
}

async fn on_event_published(_: &App, tx: &mut Tx, event: Received<EventPublished>) -> Done {
    let EventPublished { event_id, facts } = event.data;
    let version = event.aggregate_version;
    Ok(projections::upsert_event(tx, event_id, &facts, "published", version).await?)
}

async fn on_event_archived(_: &App, tx: &mut Tx, event: Received<EventArchived>) -> Done {
    let EventArchived { event_id, facts } = event.data;
    let version = event.aggregate_version;
    Ok(projections::upsert_event(tx, event_id, &facts, "archived", version).await?)
}

async fn on_event_cancelled(_: &App, tx: &mut Tx, event: Received<EventCancelled>) -> Done {
    let data = event.data;
    let version = event.aggregate_version;
    Ok(projections::upsert_event(tx, data.event_id, &data.facts, "cancelled", version).await?)
}

async fn on_performance_scheduled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceScheduled>,
) -> Done {
    let PerformanceScheduled {
        performance_id,
        facts,
    } = event.data;
    let version = event.aggregate_version;
    Ok(projections::upsert_performance(tx, performance_id, &facts, version).await?)
}

async fn on_performance_rescheduled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceRescheduled>,
) -> Done {
    let (id, facts) = (event.data.performance_id, event.data.facts);
    Ok(projections::upsert_performance(tx, id, &facts, event.aggregate_version).await?)
}

async fn on_performance_cancelled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceCancelled>,
) -> Done {
    Ok(projections::cancel_performance(tx, &event.data, event.aggregate_version).await?)
}

async fn on_performance_confirmed(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceConfirmed>,
) -> Done {
    let PerformanceConfirmed {
        performance_id,
        version,
        ..
    } = event.data;
    Ok(projections::upsert_venue_words(tx, performance_id, (version, 0)).await?)
}

async fn on_performance_declined(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceDeclined>,
) -> Done {
    let PerformanceDeclined {
        performance_id,
        version,
        ..
    } = event.data;
    Ok(projections::upsert_venue_words(tx, performance_id, (0, version)).await?)
}

async fn on_venue_created(_: &App, tx: &mut Tx, event: Received<VenueCreated>) -> Done {
    let VenueCreated { venue_id, facts } = event.data;
    Ok(projections::upsert_venue(tx, venue_id, &facts, event.aggregate_version).await?)
}

async fn on_venue_updated(_: &App, tx: &mut Tx, event: Received<VenueUpdated>) -> Done {
    let VenueUpdated { venue_id, facts } = event.data;
    Ok(projections::upsert_venue(tx, venue_id, &facts, event.aggregate_version).await?)
}

async fn on_seating_laid_out(_: &App, tx: &mut Tx, event: Received<SeatingLaidOut>) -> Done {
    Ok(projections::insert_seating(tx, &event.data).await?)
}

async fn on_seats_reserved(_: &App, tx: &mut Tx, event: Received<SeatsReserved>) -> Done {
    Ok(projections::insert_claims(tx, &event.data).await?)
}

async fn on_seats_released(app: &App, tx: &mut Tx, event: Received<SeatsReleased>) -> Done {
    Ok(projections::end_claims(tx, &event.data, app.clock.now()).await?)
}

async fn on_capacity_adjusted(_: &App, tx: &mut Tx, event: Received<CapacityAdjusted>) -> Done {
    let data = event.data;
    let level = BucketLevel {
        bucket_id: data.bucket_id,
        remaining: data.remaining,
        capacity: data.capacity,
    };
    let version = event.aggregate_version;
    Ok(projections::upsert_levels(tx, data.performance_id, &[level], version).await?)
}

async fn on_availability_updated(
    _: &App,
    tx: &mut Tx,
    event: Received<AvailabilityUpdated>,
) -> Done {
    let (id, version) = (event.data.performance_id, event.aggregate_version);
    Ok(projections::upsert_levels(tx, id, &event.data.by_bucket, version).await?)
}
