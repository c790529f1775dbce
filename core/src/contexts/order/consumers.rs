//! One function for each foreign event.

use eventify_contracts::event_management::{
    PerformanceCancelled, PerformanceFacts, PerformanceRescheduled, PerformanceScheduled,
};
use eventify_contracts::order::{CancelReason, OrderPlaced, RefundReason, RevocationRefused};
use eventify_contracts::payment::{
    PaymentCaptured, PaymentFailed, PaymentRefunded, RefundFailed, RefundParked, RefundReturned,
    RefundedElsewhere, RevocationCause, RevocationRequested,
};
use eventify_contracts::reservation::ReservationConfirmed;
use eventify_contracts::ticketing::{TicketIssueFailed, TicketIssued, TicketsSuspended};
use eventify_kernel::bus::Consumers;
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_protocol::ids::{OrderId, PerformanceId, RefundId};

use super::App;
use super::acts::{self, Settled, request_refund};
use super::jobs::{CANCEL_UNPAID, REFUND_CANCELLED_PERFORMANCES, RequestIntent};
use super::model::{Captured, Order, PaidTicket, RefundPlan, Refusal};
use super::store::{self, PerformanceRow};

pub(super) fn consumers() -> Consumers<App> {
    Consumers::new()
        .on(on_performance_scheduled)
        .on(on_performance_rescheduled)
        .on(on_performance_cancelled)
        .on(on_reservation_confirmed)
        .on(on_payment_captured)
        .on(on_payment_failed)
        .on(on_tickets_suspended)
        .on(on_payment_refunded)
        .on(on_refund_parked)
        .on(on_refund_returned)
        .on(on_refunded_elsewhere)
        .on(on_revocation_requested)
        .on(on_refund_failed)
        .on(on_ticket_issued)
        .on(on_ticket_issue_failed)
}

async fn on_performance_scheduled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceScheduled>,
) -> Result<(), Failure> {
    let row = performance(
        event.data.performance_id,
        event.data.facts,
        event.aggregate_version,
    );
    Ok(store::upsert_performance(tx, &row).await?)
}

/// Until when a customer gets everything back moves with the beginning.
async fn on_performance_rescheduled(
    _: &App,
    tx: &mut Tx,
    event: Received<PerformanceRescheduled>,
) -> Result<(), Failure> {
    let row = performance(
        event.data.performance_id,
        event.data.facts,
        event.aggregate_version,
    );
    Ok(store::upsert_performance(tx, &row).await?)
}

fn performance(id: PerformanceId, facts: PerformanceFacts, version: i32) -> PerformanceRow {
    PerformanceRow {
        performance_id: id,
        event_id: facts.event_id,
        owner_id: facts.owner_id.into(),
        org_id: facts.org_id,
        start_time: facts.times.start_time,
        doors_at: facts.times.doors_at,
        version,
    }
}

/// The jobs cancel unpaid orders and refund paid ones.
async fn on_performance_cancelled(
    app: &App,
    tx: &mut Tx,
    event: Received<PerformanceCancelled>,
) -> Result<(), Failure> {
    store::insert_cancelled_performance(tx, event.data.performance_id).await?;
    tx.wake(app.jobs.wake(CANCEL_UNPAID));
    tx.wake(app.jobs.wake(REFUND_CANCELLED_PERFORMANCES));
    Ok(())
}

async fn on_reservation_confirmed(
    app: &App,
    tx: &mut Tx,
    event: Received<ReservationConfirmed>,
) -> Result<(), Failure> {
    let order_id = OrderId(app.clock.new_id());
    let correlation = event.cause.correlation;
    let order = Order::place(order_id, &event.data, correlation, app.clock.now());
    if !store::insert(tx, &order).await? {
        return Ok(());
    }
    let placed = OrderPlaced {
        order_id,
        reservation_id: order.reservation_id,
        customer_id: order.customer_id,
        amount: order.amount,
        items: order.items.clone(),
    };
    tx.publish(app.clock.new_id(), order.version, &placed);
    if !order.is_free() {
        tx.request(app, &RequestIntent { order_id }).await?;
    } else if let Captured::Paid(order) = order.captured(None, app.clock.now()) {
        acts::record_paid(app, tx, &order).await?;
    }
    Ok(())
}

async fn on_payment_captured(
    app: &App,
    tx: &mut Tx,
    event: Received<PaymentCaptured>,
) -> Result<(), Failure> {
    let order = lock(tx, event.data.order_id).await?;
    let payment_id = Some(event.data.payment_id);
    match order.clone().captured(payment_id, app.clock.now()) {
        Captured::Paid(order) => acts::record_paid(app, tx, &order).await?,
        Captured::TooLate => {
            // What came, which need not be what it would have cost.
            let plan = order.full_refund(event.data.amount, RefundReason::LatePayment);
            request_refund(app, tx, order, plan, None).await?;
        }
        Captured::AlreadyPaid => {}
    }
    Ok(())
}

async fn on_payment_failed(
    app: &App,
    tx: &mut Tx,
    event: Received<PaymentFailed>,
) -> Result<(), Failure> {
    let order = lock(tx, event.data.order_id).await?;
    acts::cancel_unpaid(app, tx, order, CancelReason::PaymentFailed).await?;
    Ok(())
}

/// The tickets admit nobody any more: now the money may go.
async fn on_tickets_suspended(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketsSuspended>,
) -> Result<(), Failure> {
    let (id, refused) = (event.data.refund_id, event.data.refused);
    let order = lock(tx, event.data.order_id).await?;
    let refund = store::find_refund(tx, id).await?;
    let refund = refund.ok_or_else(|| Failure::park(format!("there is no refund {id}")))?;
    let suspended = event.data.tickets.iter().map(|ticket| ticket.ticket_id);
    acts::refunds::let_go(app, tx, &order, id, suspended).await?;
    if refund.status == store::OPENED {
        acts::refunds::suspended(app, tx, order, refund, &refused).await?;
    }
    Ok(())
}

async fn on_payment_refunded(
    app: &App,
    tx: &mut Tx,
    event: Received<PaymentRefunded>,
) -> Result<(), Failure> {
    let id = event.data.refund_id;
    let order = lock(tx, event.data.order_id).await?;
    let refund = store::find_refund(tx, id).await?;
    let refund = refund.ok_or_else(|| Failure::park(format!("there is no refund {id}")))?;
    let plan = RefundPlan {
        tickets: event.data.ticket_ids,
        amount: refund.amount,
        reason: refund.reason,
        note: refund.note,
    };
    let settled = Settled {
        by: event.data.settled_by,
        reference: event.data.reference,
    };
    let (is_newer, now) = (
        store::is_newer(tx, id, event.aggregate_version).await?,
        app.clock.now(),
    );
    if refund.settled_by.is_some() {
        // Its tickets lost their value when the money went back for the first time.
        if is_newer {
            let settlement = (settled.by, settled.reference.as_deref());
            store::mark_refund_succeeded(tx, id, settlement, now).await?;
        }
        return Ok(());
    }
    let later = (refund.status.as_str(), refund.failure_reason.as_deref());
    acts::complete_refund(app, tx, order, id, plan, &settled).await?;
    if !is_newer {
        store::mark_refund(tx, id, later, now).await?;
    }
    Ok(())
}

/// The provider refuses. Payment has an open item: the tickets stay with the refund until somebody
/// has decided.
async fn on_refund_parked(
    app: &App,
    tx: &mut Tx,
    event: Received<RefundParked>,
) -> Result<(), Failure> {
    let (version, parked) = (event.aggregate_version, event.data);
    let refund = (parked.order_id, parked.refund_id);
    mark_refund(app, tx, refund, version, (store::PARKED, &parked.reason)).await
}

/// The money came back to us. The tickets stay revoked, and the guest waits for it.
async fn on_refund_returned(
    app: &App,
    tx: &mut Tx,
    event: Received<RefundReturned>,
) -> Result<(), Failure> {
    let (version, returned) = (event.aggregate_version, event.data);
    let refund = (returned.order_id, returned.refund_id);
    mark_refund(
        app,
        tx,
        refund,
        version,
        (store::RETURNED, &returned.reason),
    )
    .await
}

/// Writes a refund's status, unless payment has told a newer one before.
async fn mark_refund(
    app: &App,
    tx: &mut Tx,
    (order, refund): (OrderId, RefundId),
    version: i32,
    (status, reason): (&str, &str),
) -> Result<(), Failure> {
    lock(tx, order).await?;
    if store::is_newer(tx, refund, version).await? {
        let now = app.clock.now();
        store::mark_refund(tx, refund, (status, Some(reason)), now).await?;
    }
    Ok(())
}

/// The order shows it; what becomes of the tickets is decided at payment's open item.
async fn on_refunded_elsewhere(
    _: &App,
    tx: &mut Tx,
    event: Received<RefundedElsewhere>,
) -> Result<(), Failure> {
    let elsewhere = event.data;
    let order = lock(tx, elsewhere.order_id).await?;
    let (total, version) = (elsewhere.total, event.aggregate_version);
    // Of money in another currency, payment's own ledger tells.
    if total.currency() == order.amount.currency() {
        store::update_elsewhere(tx, order.id, total, version).await?;
    }
    Ok(())
}

/// Tickets lose their value for money that went back without us: a refund of ours whose money is
/// there. Fraud is ticketing's alone: nothing is refunded.
async fn on_revocation_requested(
    app: &App,
    tx: &mut Tx,
    event: Received<RevocationRequested>,
) -> Result<(), Failure> {
    let requested = event.data;
    if requested.cause == RevocationCause::Fraud {
        return Ok(());
    }
    let order = lock(tx, requested.order_id).await?;
    let tickets = store::list_tickets(tx, order.id).await?;
    let left = tickets.iter().filter(|ticket| ticket.refund_id.is_none());
    let meant = match requested.ticket_ids.is_empty() {
        true => left.map(|ticket| ticket.ticket_id).collect(),
        false => requested.ticket_ids,
    };
    let plan = order.goodwill_refund(&tickets, &meant, RefundReason::OrganiserDecision);
    let plan = match (plan, requested.item_id) {
        (Ok(plan), _) => plan,
        // Payment has heard of them before us.
        (Err(Refusal::NotIssuedYet), _) => return Err(Failure::retry(Refusal::NotIssuedYet)),
        (Err(refusal), Some(item_id)) => {
            let event = RevocationRefused {
                order_id: order.id,
                item_id,
                reason: refusal.code().to_owned(),
            };
            tx.publish(app.clock.new_id(), order.version, &event);
            return Ok(());
        }
        // A decision of the release before, which has closed its item.
        (Err(_), None) => return Ok(()),
    };
    let covered = plan.amount.minor() <= requested.settled.minor();
    let plan = RefundPlan {
        // Never more than what went back: nothing is sent once more.
        amount: if covered {
            plan.amount
        } else {
            requested.settled
        },
        ..plan
    };
    request_refund(app, tx, order, plan, Some(requested.decided_by)).await?;
    Ok(())
}

/// Somebody decided that nothing goes back: the tickets keep their value.
async fn on_refund_failed(
    app: &App,
    tx: &mut Tx,
    event: Received<RefundFailed>,
) -> Result<(), Failure> {
    let failed = event.data;
    let order = lock(tx, failed.order_id).await?;
    tracing::warn!(code = "order.refund_failed", order_id = %failed.order_id,
        refund_id = %failed.refund_id, reason = failed.failure_reason, "a refund was given up");
    // Payment may have known no such order, and given no version.
    let is_newer = store::is_newer(tx, failed.refund_id, event.aggregate_version).await?;
    if is_newer || failed.payment_id.is_none() {
        let reason = failed.failure_reason.as_str();
        store::mark_refund_failed(tx, failed.refund_id, reason, app.clock.now()).await?;
        acts::refunds::publish_given_up(app, tx, &order, failed.refund_id, failed.ticket_ids);
    }
    Ok(())
}

async fn on_ticket_issued(
    _: &App,
    tx: &mut Tx,
    event: Received<TicketIssued>,
) -> Result<(), Failure> {
    let order = lock(tx, event.data.order_id).await?;
    let mut tickets = Vec::with_capacity(event.data.tickets.len());
    for ticket in &event.data.tickets {
        let ticket_id = ticket.ticket_id;
        let unknown = || Failure::park(format!("ticket {ticket_id} was not ordered"));
        tickets.push(PaidTicket {
            ticket_id,
            performance_id: ticket.performance_id,
            price: order.price_of(ticket).ok_or_else(unknown)?,
            refund_id: None,
        });
    }
    Ok(store::insert_tickets(tx, order.id, &tickets).await?)
}

async fn on_ticket_issue_failed(
    app: &App,
    tx: &mut Tx,
    event: Received<TicketIssueFailed>,
) -> Result<(), Failure> {
    let order = lock(tx, event.data.order_id).await?;
    let has_refund = !store::list_refunds(tx, order.id).await?.is_empty();
    if order.state.paid_at().is_some() && !has_refund {
        let plan = order.full_refund(order.amount, RefundReason::TicketIssueFailed);
        request_refund(app, tx, order, plan, None).await?;
    }
    Ok(())
}

/// The order that an event is about. It was written before others could publish about it.
async fn lock(tx: &mut Tx, id: OrderId) -> Result<Order, Failure> {
    let order = store::lock(tx, id).await?;
    order.ok_or_else(|| Failure::park(format!("there is no order {id}")))
}
