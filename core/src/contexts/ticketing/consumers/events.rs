//! The other contexts' events.

use eventify_contracts::event_management::{
    PerformanceCancelled, PerformanceRescheduled, PerformanceScheduled,
};
use eventify_contracts::fleet::{
    GateUpdated, JournalAccepted, NodeEnrolled, NodeRevoked, NodeUpdated, PerformanceConfirmed,
    TicketsDoubted, TicketsQuestioned,
};
use eventify_contracts::inventory::{VenueCreated, VenueUpdated};
use eventify_contracts::order::{
    OrderPaid, OrderRefundGivenUp, OrderRefundOpened, OrderRefunded, RefundReason,
};
use eventify_contracts::payment::{RevocationCause, RevocationRequested};
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_protocol::ids::TicketId;

use crate::contexts::ticketing::jobs::ISSUE_MISSING;
use crate::contexts::ticketing::model::{Batch, FRAUD, PaidOrder};
use crate::contexts::ticketing::{App, acts, store};

pub(super) async fn on_performance_scheduled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceScheduled>,
) -> Result<(), Failure> {
    let PerformanceScheduled {
        performance_id,
        facts,
    } = event.data;
    let which = (performance_id, event.aggregate_version);
    store::upsert_performance(tx, which, facts, app.clock.now()).await?;
    tx.wake(app.jobs.wake(ISSUE_MISSING));
    Ok(())
}

/// Tickets stay good with the codes that their holders have, unless the show has moved beyond the
/// codes' outer bounds.
pub(super) async fn on_performance_rescheduled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceRescheduled>,
) -> Result<(), Failure> {
    let (performance_id, facts) = (event.data.performance_id, event.data.facts);
    let which = (performance_id, event.aggregate_version);
    store::upsert_performance(tx, which, facts, app.clock.now()).await?;
    Ok(acts::tickets::tell_outlived_codes(app, tx, performance_id).await?)
}

/// From now on its tickets admit nobody, whenever their money goes back.
pub(super) async fn on_performance_cancelled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceCancelled>,
) -> Result<(), Failure> {
    Ok(store::insert_cancelled_performance(tx, event.data.performance_id).await?)
}

pub(super) async fn on_performance_confirmed(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceConfirmed>,
) -> Result<(), Failure> {
    let PerformanceConfirmed {
        performance_id,
        version,
        ..
    } = event.data;
    Ok(store::insert_confirmed_performance(tx, performance_id, version).await?)
}

pub(super) async fn on_venue_created(
    _: &App,
    tx: &mut Tx,
    event: Received<VenueCreated>,
) -> Result<(), Failure> {
    let VenueCreated { venue_id, facts } = event.data;
    Ok(store::upsert_venue(tx, venue_id, &facts, event.aggregate_version).await?)
}

pub(super) async fn on_venue_updated(
    _: &App,
    tx: &mut Tx,
    event: Received<VenueUpdated>,
) -> Result<(), Failure> {
    let VenueUpdated { venue_id, facts } = event.data;
    Ok(store::upsert_venue(tx, venue_id, &facts, event.aggregate_version).await?)
}

/// Issues the tickets at once. If something is missing, the job tries again.
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
    store::insert_order(tx, &order).await?;
    acts::issuing::issue(app, tx, order.id).await?;
    Ok(())
}

/// From the request on the tickets admit nobody.
pub(super) async fn on_order_refund_opened(
    app: &App,
    tx: &mut Tx,
    event: Received<OrderRefundOpened>,
) -> Result<(), Failure> {
    Ok(acts::tickets::suspend(app, tx, &event.data).await?)
}

pub(super) async fn on_order_refund_given_up(
    app: &App,
    tx: &mut Tx,
    event: Received<OrderRefundGivenUp>,
) -> Result<(), Failure> {
    Ok(acts::tickets::reinstate(app, tx, &event.data).await?)
}

/// Revokes exactly the tickets that are named. An order that was refunded as a whole before it had
/// any gets none.
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
    let why = (reason, Some(refund.refund_id));
    acts::tickets::revoke_of_order(app, tx, refund.order_id, &refund.ticket_ids, why).await?;
    Ok(())
}

/// Fraud: the card's bank took the money back. The place is not sold again.
pub(super) async fn on_revocation_requested(
    app: &App,
    tx: &mut Tx,
    event: Received<RevocationRequested>,
) -> Result<(), Failure> {
    let requested = event.data;
    // For money that went back, order has the tickets refunded.
    if requested.cause == RevocationCause::RefundedElsewhere {
        return Ok(());
    }
    let order = requested.order_id;
    let of_order = store::list_tickets_of_order(tx, order).await?.into_iter();
    let named = &requested.ticket_ids;
    let is_meant = |id: &TicketId| named.is_empty() || named.contains(id);
    let meant: Vec<_> = of_order.map(|ticket| ticket.id).filter(is_meant).collect();
    acts::tickets::revoke_of_order(app, tx, order, &meant, (FRAUD, None)).await?;
    Ok(())
}

pub(super) async fn on_gate_updated(
    _: &App,
    tx: &mut Tx,
    event: Received<GateUpdated>,
) -> Result<(), Failure> {
    Ok(store::upsert_gate(tx, &event.data).await?)
}

pub(super) async fn on_node_enrolled(
    _: &App,
    tx: &mut Tx,
    event: Received<NodeEnrolled>,
) -> Result<(), Failure> {
    Ok(store::upsert_node(tx, &event.data.node).await?)
}

pub(super) async fn on_node_updated(
    _: &App,
    tx: &mut Tx,
    event: Received<NodeUpdated>,
) -> Result<(), Failure> {
    Ok(store::upsert_node(tx, &event.data.node).await?)
}

/// From then on its scans are dropped.
pub(super) async fn on_node_revoked(
    _: &App,
    tx: &mut Tx,
    event: Received<NodeRevoked>,
) -> Result<(), Failure> {
    Ok(store::upsert_node(tx, &event.data.node).await?)
}

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
    acts::journals::accept(app, tx, &batch).await?;
    Ok(())
}

pub(super) async fn on_tickets_questioned(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketsQuestioned>,
) -> Result<(), Failure> {
    Ok(acts::statements::state_each(app, tx, &event.data).await?)
}

pub(super) async fn on_tickets_doubted(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketsDoubted>,
) -> Result<(), Failure> {
    Ok(acts::statements::restate(app, tx, &event.data).await?)
}
