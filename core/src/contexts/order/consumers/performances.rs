//! Performances, as event_management publishes them.

use eventify_contracts::event_management::{
    PerformanceCancelled, PerformanceFacts, PerformanceRescheduled, PerformanceScheduled,
};
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_protocol::ids::PerformanceId;

use crate::contexts::order::App;
use crate::contexts::order::jobs::{CANCEL_UNPAID, REFUND_CANCELLED_PERFORMANCES};
use crate::contexts::order::store::{self, PerformanceRow};

pub(super) async fn on_performance_scheduled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceScheduled>,
) -> Result<(), Failure> {
    let (id, facts) = (event.data.performance_id, event.data.facts);
    upsert(tx, id, facts, event.aggregate_version).await
}

/// Until when a customer gets everything back moves with the beginning.
pub(super) async fn on_performance_rescheduled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceRescheduled>,
) -> Result<(), Failure> {
    let (id, facts) = (event.data.performance_id, event.data.facts);
    upsert(tx, id, facts, event.aggregate_version).await
}

async fn upsert(
    tx: &mut Tx,
    id: PerformanceId,
    facts: PerformanceFacts,
    version: i32,
) -> Result<(), Failure> {
    let row = PerformanceRow {
        performance_id: id,
        event_id: facts.event_id,
        owner_id: facts.owner_id.into(),
        org_id: facts.org_id,
        start_time: facts.times.start_time,
        doors_at: facts.times.doors_at,
        version,
    };
    Ok(store::upsert_performance(tx, &row).await?)
}

/// The jobs cancel unpaid orders and refund paid ones.
pub(super) async fn on_performance_cancelled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceCancelled>,
) -> Result<(), Failure> {
    store::insert_cancelled_performance(tx, event.data.performance_id).await?;
    tx.wake(app.jobs.wake(CANCEL_UNPAID));
    tx.wake(app.jobs.wake(REFUND_CANCELLED_PERFORMANCES));
    Ok(())
}
