//! A refund from the request to its end: tickets first, money afterwards.
//!
//! ```text
//! request ──opened──▶ ticketing suspends ──suspended──▶ requested ──▶ payment ──▶ complete
//!    │                        └── none that its customer may give back ──▶ failed
//!    └── without tickets ───────────────────────────────▲
//! ```

use chrono::TimeDelta;
use eventify_contracts::order::{
    OrderRefundGivenUp, OrderRefundOpened, OrderRefundRequested, OrderRefunded,
};
use eventify_contracts::payment::SettledBy;
use eventify_contracts::ticketing::{NotGood, NotSuspended};
use eventify_kernel::alarms::{self, Alarm};
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, Tx};
use eventify_protocol::ids::{OrderId, RefundId, TicketId, UserId};
use serde_json::json;

use super::RequestedRefund;
use crate::contexts::order::model::{Order, PaidTicket, RefundPlan};
use crate::contexts::order::store::{self, Refund};
use crate::contexts::order::{App, NAME};

/// Refunds that are asked for again at once.
const AT_ONCE: u16 = 100;

/// A message has long come through its retry queues by then.
fn stuck_after() -> TimeDelta {
    TimeDelta::minutes(10)
}

/// Reserves the tickets for a refund and has them suspended. Without tickets the money is asked for at
/// once.
pub(crate) async fn request_refund(
    app: &App,
    tx: &mut Tx,
    order: Order,
    plan: RefundPlan,
    by: Option<UserId>,
) -> DbResult<RequestedRefund> {
    let refund_id = RefundId(app.clock.new_id());
    store::insert_refund(tx, refund_id, order.id, &plan, by, app.clock.now()).await?;
    let order = if plan.tickets.is_empty() {
        ask_for_money(app, tx, order, refund_id, plan.clone()).await?
    } else {
        publish_opened(app, tx, &order, refund_id, &plan);
        order
    };
    Ok(RequestedRefund {
        order,
        refund_id,
        plan,
    })
}

fn publish_opened(app: &App, tx: &mut Tx, order: &Order, refund_id: RefundId, plan: &RefundPlan) {
    let event = OrderRefundOpened {
        order_id: order.id,
        refund_id,
        ticket_ids: plan.tickets.clone(),
        reason: plan.reason,
    };
    tx.publish(app.clock.new_id(), order.version, &event);
}

/// Asks once more for refunds whose tickets were not suspended in time, and says so: a message of them is
/// parked somewhere.
pub(crate) async fn reopen_stuck(app: &App) -> DbResult<()> {
    const KIND: &str = "order.refunds_stuck";
    let mut conn = app.db.read(NAME).await?;
    let now = app.clock.now();
    let since = now - stuck_after();
    let refunds = store::count_stuck(&mut conn, since).await?;
    if refunds == 0 {
        return alarms::clear(&mut conn, KIND, NAME, now).await;
    }
    let alarm = Alarm::new(
        KIND,
        NAME,
        "refunds wait for their tickets to be suspended, and are asked for again each ten minutes: \
              see the parked messages of ticketing and order (eventify-core dlq)",
    )
    .with(json!({ "refunds": refunds }));
    alarms::raise(&mut conn, &alarm, now).await?;
    let due = store::list_stuck(&mut conn, since, AT_ONCE).await?;
    drop(conn);
    // One that can't be read holds up no other.
    let mut result = Ok(());
    for (refund, order) in due {
        result = result.and(reopen(app, order, refund).await);
    }
    result
}

async fn reopen(app: &App, order: OrderId, id: RefundId) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, &Cause::fresh(&app.clock)).await?;
    let order = store::lock(&mut tx, order).await?;
    let refund = store::find_refund(&mut tx, id).await?;
    let (Some(order), Some(refund)) = (order, refund) else {
        return Ok(());
    };
    if refund.status != store::OPENED {
        return Ok(());
    }
    let tickets = store::list_tickets_of_refund(&mut tx, id).await?;
    let plan = RefundPlan {
        tickets: ids_of(&tickets),
        amount: refund.amount,
        reason: refund.reason,
        note: refund.note,
    };
    store::mark_refund(&mut tx, id, (store::OPENED, None), app.clock.now()).await?;
    publish_opened(app, &mut tx, &order, id, &plan);
    tx.commit().await
}

/// The tickets of a refund admit nobody any more: its money is asked for. What its customer can't give
/// back, because somebody has been admitted meanwhile, leaves the refund.
pub(crate) async fn suspended(
    app: &App,
    tx: &mut Tx,
    order: Order,
    refund: Refund,
    refused: &[NotSuspended],
) -> DbResult<()> {
    let id = refund.refund_id;
    let of_refund = store::list_tickets_of_refund(tx, id).await?.into_iter();
    let is_refused = |it: &PaidTicket| refused.iter().any(|no| no.ticket_id == it.ticket_id);
    let (left_out, left): (Vec<_>, Vec<_>) = of_refund.partition(is_refused);
    let now = app.clock.now();
    if left.is_empty() {
        let reason = match refused.first().map(|it| it.because) {
            Some(NotGood::Used) | None => "ticket_used",
            Some(NotGood::Revoked) => "ticket_revoked",
        };
        return store::mark_refund_failed(tx, id, reason, now).await;
    }
    let mut amount = refund.amount;
    if !left_out.is_empty() {
        amount = order.price_of_all(&left).map_err(DbError::impossible_row)?;
        store::leave_out(tx, id, &ids_of(&left_out), &amount, now).await?;
    }
    let plan = RefundPlan {
        tickets: ids_of(&left),
        amount,
        reason: refund.reason,
        note: refund.note,
    };
    ask_for_money(app, tx, order, id, plan).await?;
    Ok(())
}

/// Ticketing has suspended tickets that are no longer under this refund: what asked for it came late, or
/// was replayed. They are good again.
pub(crate) async fn let_go(
    app: &App,
    tx: &mut Tx,
    order: &Order,
    id: RefundId,
    suspended: impl Iterator<Item = TicketId>,
) -> DbResult<()> {
    let of_refund = ids_of(&store::list_tickets_of_refund(tx, id).await?);
    let left = suspended.filter(|ticket| !of_refund.contains(ticket));
    let left = left.collect();
    publish_given_up(app, tx, order, id, left);
    Ok(())
}

fn ids_of(tickets: &[PaidTicket]) -> Vec<TicketId> {
    tickets.iter().map(|ticket| ticket.ticket_id).collect()
}

/// Nothing goes back. Tickets of the refund that were suspended are good again.
pub(crate) fn publish_given_up(
    app: &App,
    tx: &mut Tx,
    order: &Order,
    refund_id: RefundId,
    ticket_ids: Vec<TicketId>,
) {
    if ticket_ids.is_empty() {
        return;
    }
    let event = OrderRefundGivenUp {
        order_id: order.id,
        refund_id,
        ticket_ids,
    };
    tx.publish(app.clock.new_id(), order.version, &event);
}

/// Requests the money from payment. What cost nothing needs no payment.
async fn ask_for_money(
    app: &App,
    tx: &mut Tx,
    order: Order,
    refund_id: RefundId,
    plan: RefundPlan,
) -> DbResult<Order> {
    if plan.amount.minor() == 0 {
        return complete_refund(app, tx, order, refund_id, plan, &Settled::default()).await;
    }
    store::mark_refund(tx, refund_id, (store::REQUESTED, None), app.clock.now()).await?;
    let event = OrderRefundRequested {
        order_id: order.id,
        refund_id,
        ticket_ids: plan.tickets,
        amount: plan.amount,
        reason: plan.reason,
        note: plan.note,
    };
    tx.publish(app.clock.new_id(), order.version, &event);
    Ok(order)
}

/// Who sent the money of a refund.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settled {
    pub(crate) by: SettledBy,
    pub(crate) reference: Option<String>,
}

/// Writes and publishes that the money of a refund has been sent back.
pub(crate) async fn complete_refund(
    app: &App,
    tx: &mut Tx,
    order: Order,
    refund_id: RefundId,
    plan: RefundPlan,
    settled: &Settled,
) -> DbResult<Order> {
    let now = app.clock.now();
    let settlement = (settled.by, settled.reference.as_deref());
    store::mark_refund_succeeded(tx, refund_id, settlement, now).await?;
    let left = !plan.tickets.is_empty() && store::has_paid_tickets(tx, order.id).await?;
    let order = match order.clone().refunded(left, now) {
        Some(changed) => {
            store::update(tx, &changed).await?;
            changed
        }
        None => order,
    };
    let event = OrderRefunded {
        order_id: order.id,
        refund_id,
        reason: plan.reason,
        note: plan.note,
        ticket_ids: plan.tickets,
        partial: left,
        items: order.items.clone(),
    };
    tx.publish(app.clock.new_id(), order.version, &event);
    Ok(order)
}
