//! Lays out performances: one at a time, in turns between their organisers (DECISIONS 73). Customers' holds share
//! this context's connections and the database's disk, so that no organiser's many seats stand before them.

use eventify_contracts::event_management::PerformanceScheduled;
use eventify_kernel::app::App;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};
use eventify_kernel::failure::Failure;
use eventify_protocol::ids::CorrelationId;

use super::stock::adjusted;
use crate::contexts::inventory::NAME;
use crate::contexts::inventory::jobs::LAY_OUT;
use crate::contexts::inventory::model::layout::Layout;
use crate::contexts::inventory::model::plan::Plan;
use crate::contexts::inventory::store::layouts::{self, Waiting};
use crate::contexts::inventory::store::{availability, layout, plans};

/// Notes that a performance is to be laid out.
pub(crate) async fn request(
    app: &App,
    tx: &mut Tx,
    scheduled: &PerformanceScheduled,
    correlation: CorrelationId,
) -> DbResult<()> {
    layouts::insert(tx, scheduled, correlation, app.clock.now()).await?;
    tx.wake(app.jobs.wake(LAY_OUT));
    Ok(())
}

/// Lays out what waits. Each round every organiser has one turn; one that fails stops no other's.
pub(crate) async fn take_turns(app: &App) -> Result<(), Failure> {
    loop {
        let mut conn = app.db.read(NAME).await?;
        let waiting = layouts::list_oldest_of_each(&mut conn).await?;
        drop(conn);
        if waiting.is_empty() {
            return Ok(());
        }
        let mut result = Ok(());
        for next in waiting {
            result = result.and(take_turn(app, next).await);
        }
        result?;
    }
}

async fn take_turn(app: &App, next: Waiting) -> Result<(), Failure> {
    let cause = Cause::of(CorrelationId(next.correlation_id));
    let mut tx = app.db.begin(NAME, &cause).await?;
    layouts::delete(&mut tx, next.performance_id).await?;
    let plan_id = next.scheduled.facts.seating_plan_id;
    let found = plans::find(&mut tx, plan_id).await?;
    let (_, plan) = found.ok_or_else(|| Failure::park(format!("no seating plan {plan_id}")))?;
    lay_out(app, &mut tx, &next.scheduled, plan).await?;
    Ok(tx.commit().await?)
}

/// Creates the performance's own seats and slots, once.
async fn lay_out(
    app: &App,
    tx: &mut Tx,
    scheduled: &PerformanceScheduled,
    plan: Plan,
) -> DbResult<()> {
    let id = scheduled.performance_id;
    if !layout::insert_performance(tx, scheduled).await? {
        return Ok(());
    }
    let priced: Vec<_> = scheduled
        .facts
        .categories
        .iter()
        .map(|it| it.code)
        .collect();
    let laid_out = Layout::price(plan.seats, plan.zones, &priced);
    layout::insert(tx, id, &laid_out).await?;
    for part in laid_out.parts(id) {
        tx.publish(app.clock.new_id(), 1, &part);
    }
    let version = availability::next_version(tx, id).await?;
    for level in availability::count_left(tx, id).await?.by_bucket {
        tx.publish(app.clock.new_id(), version, &adjusted(id, &level));
    }
    availability::insert_change(tx, id).await
}
