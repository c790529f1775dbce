//! What the other contexts' events mean for tickets.

use super::ISSUE_MISSING;
use crate::contexts::ticketing::App;
use crate::contexts::ticketing::model::{Batch, PaidOrder, Performance};
use crate::contexts::ticketing::{api, store};
use eventify_contracts::event_management::PerformanceScheduled;
use eventify_contracts::fleet::{
    GateUpdated, JournalAccepted, NodeEnrolled, NodeRevoked, NodeUpdated, TicketsDoubted,
    TicketsQuestioned,
};
use eventify_contracts::order::{OrderPaid, OrderRefunded, RefundReason};
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;

pub(super) async fn on_performance_scheduled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceScheduled>,
) -> Result<(), Failure> {
    let told = event.data;
    let performance = Performance {
        id: told.performance_id,
        event_id: told.event_id,
        event_title: told.event_title,
        owner_id: told.owner_id.into(),
        org_id: told.org_id,
        venue_id: told.venue_id,
        doors_at: told.doors_at,
        start_time: told.start_time,
        ends_at: told.ends_at,
    };
    store::schedule(tx, &performance, event.aggregate_version).await?;
    tx.wake(app.jobs.wake(ISSUE_MISSING));
    Ok(())
}

/// Tickets are issued at once; what is missing for them is waited for by the job.
pub(super) async fn on_order_paid(
    app: &App,
    tx: &mut Tx,
    event: Received<OrderPaid>,
) -> Result<(), Failure> {
    let order = PaidOrder {
        id: event.data.order_id,
        customer_id: event.data.customer_id,
        items: event.data.items,
        received_at: app.clock.now(),
    };
    store::add_order(tx, &order).await?;
    api::issuing::issue(app, tx, order.id).await?;
    Ok(())
}

/// Exactly the tickets that are named lose their value. An order that was refunded as a whole
/// before it had any gets none.
pub(super) async fn on_order_refunded(
    app: &App,
    tx: &mut Tx,
    event: Received<OrderRefunded>,
) -> Result<(), Failure> {
    let refund = event.data;
    if refund.ticket_ids.is_empty() && !refund.partial {
        store::close_order(tx, refund.order_id, app.clock.now()).await?;
        return Ok(());
    }
    let reason = match refund.reason {
        RefundReason::EventCancelled => "event_cancelled",
        RefundReason::UserRequest
        | RefundReason::OrganiserDecision
        | RefundReason::TicketIssueFailed
        | RefundReason::LatePayment => "refund",
    };
    api::tickets::revoke_of_order(app, tx, refund.order_id, &refund.ticket_ids, reason).await?;
    Ok(())
}

pub(super) async fn on_gate_updated(
    _: &App,
    tx: &mut Tx,
    event: Received<GateUpdated>,
) -> Result<(), Failure> {
    Ok(store::note_gate(tx, &event.data).await?)
}

pub(super) async fn on_node_enrolled(
    _: &App,
    tx: &mut Tx,
    event: Received<NodeEnrolled>,
) -> Result<(), Failure> {
    Ok(store::note_node(tx, &event.data.node).await?)
}

pub(super) async fn on_node_updated(
    _: &App,
    tx: &mut Tx,
    event: Received<NodeUpdated>,
) -> Result<(), Failure> {
    Ok(store::note_node(tx, &event.data.node).await?)
}

/// From now on its scans are dropped.
pub(super) async fn on_node_revoked(
    _: &App,
    tx: &mut Tx,
    event: Received<NodeRevoked>,
) -> Result<(), Failure> {
    Ok(store::note_node(tx, &event.data.node).await?)
}

/// What was shown is what happened.
pub(super) async fn on_journal_accepted(
    app: &App,
    tx: &mut Tx,
    event: Received<JournalAccepted>,
) -> Result<(), Failure> {
    let rows = event.data.decode().map_err(Failure::park)?;
    let batch = Batch {
        node: event.data.node_id,
        venue: event.data.venue_id,
        incarnation: event.data.incarnation,
        from: event.data.from,
        through: event.data.to,
        rows: rows.iter().map(|row| row.bytes().to_vec()).collect(),
    };
    api::journal::accept(app, tx, &batch).await?;
    Ok(())
}

pub(super) async fn on_tickets_questioned(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketsQuestioned>,
) -> Result<(), Failure> {
    Ok(api::statements::answer(app, tx, &event.data).await?)
}

pub(super) async fn on_tickets_doubted(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketsDoubted>,
) -> Result<(), Failure> {
    Ok(api::statements::restate(app, tx, &event.data).await?)
}
