//! What ticketing and payment say of money that goes back.

use eventify_contracts::order::{RefundReason, RevocationRefused};
use eventify_contracts::payment::{
    PaymentRefunded, RefundFailed, RefundParked, RefundReturned, RefundedElsewhere,
    RevocationCause, RevocationRequested,
};
use eventify_contracts::ticketing::{TicketRevoked, TicketsSuspended};
use eventify_kernel::db::Tx;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_protocol::ids::{OrderId, RefundId};

use super::lock;
use crate::contexts::order::acts::{self, Settled, request_refund};
use crate::contexts::order::model::{RefundPlan, Refusal};
use crate::contexts::order::{App, store};

/// The tickets admit nobody any more: now the money may go.
pub(super) async fn on_tickets_suspended(
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

pub(super) async fn on_payment_refunded(
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
pub(super) async fn on_refund_parked(
    app: &App,
    tx: &mut Tx,
    event: Received<RefundParked>,
) -> Result<(), Failure> {
    let (version, parked) = (event.aggregate_version, event.data);
    let refund = (parked.order_id, parked.refund_id);
    mark_refund(app, tx, refund, version, (store::PARKED, &parked.reason)).await
}

/// The money came back to us. The tickets stay revoked, and the guest waits for it.
pub(super) async fn on_refund_returned(
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
pub(super) async fn on_refunded_elsewhere(
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
pub(super) async fn on_revocation_requested(
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
pub(super) async fn on_refund_failed(
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

/// The order shows which of its tickets are worth nothing any more, also those that lost their value without a
/// refund.
pub(super) async fn on_ticket_revoked(
    _: &App,
    tx: &mut Tx,
    event: Received<TicketRevoked>,
) -> Result<(), Failure> {
    let revoked = event.data;
    let (ticket, order) = (revoked.ticket_id, revoked.order_id);
    Ok(store::insert_revoked(tx, ticket, order, &revoked.reason).await?)
}
