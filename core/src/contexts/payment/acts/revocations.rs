//! Tickets that lose their value by somebody's decision. The item stays open until ticketing has revoked
//! them: order or ticketing may refuse, and the tickets may be still to come.

use eventify_contracts::payment::{RevocationCause, RevocationRequested};
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::{OrderId, TicketId, UserId};
use eventify_protocol::money::Money;
use uuid::Uuid;

use super::decisions::{self, Decision, DecisionError};
use super::items::{self, Ending};
use super::ledger;
use crate::contexts::payment::model::{
    Act, IssuedTicket, ItemKind, OpenItem, Payment, Refund, RefundState, Revoking,
};
use crate::contexts::payment::{App, store};

/// Asks order and ticketing to end the tickets' value, as soon as there are tickets.
pub(super) async fn begin(
    app: &App,
    tx: &mut Tx,
    (item, payment): (&OpenItem, &Payment),
    decision: &Decision,
) -> Result<(), DecisionError> {
    let of_order = store::orders::list_issued(tx, item.order_id).await?;
    let is_foreign = |id: &&TicketId| !of_order.iter().any(|ticket| ticket.id == **id);
    if let Some(foreign) = decision.tickets.iter().find(is_foreign) {
        return Err(DecisionError::ForeignTicket(*foreign));
    }
    let refunds = store::list_refunds(tx, payment.id).await?;
    let has_refund = |id: &TicketId| {
        let mut refunds = refunds.iter();
        refunds.any(|it| it.ticket_ids.contains(id) && !matches!(it.state, RefundState::Failed(_)))
    };
    if item.kind == ItemKind::RefundedElsewhere
        && let Some(taken) = decision.tickets.iter().find(|id| has_refund(id))
    {
        return Err(DecisionError::InRefund(*taken));
    }
    let settled = settled(tx, item, payment).await?;
    let (_, sums) = ledger::read(tx, payment).await?;
    let is_all = decision.tickets.is_empty();
    if item.kind == ItemKind::RefundedElsewhere && is_all && settled.minor() < sums.captured.minor()
    {
        return Err(DecisionError::TicketsNotNamed);
    }
    let is_left = |id: &TicketId| item.kind == ItemKind::Disputed || !has_refund(id);
    let revoking = Revoking {
        tickets: match is_all {
            true => of_order.iter().map(|it| it.id).filter(is_left).collect(),
            false => decision.tickets.clone(),
        },
        by: decision.by,
        since: app.clock.now(),
    };
    if revoking.is_done(&of_order) {
        return decisions::close(app, tx, item, decision).await;
    }
    store::items::begin_revoking(tx, item.id, &revoking).await?;
    if !of_order.is_empty() {
        let named = (decision.tickets.clone(), decision.by);
        request(app, tx, (item, payment), named, settled);
    }
    Ok(())
}

/// What went back without us and counts for the tickets. Nothing, where the bank took it.
async fn settled(tx: &mut Tx, item: &OpenItem, payment: &Payment) -> DbResult<Money> {
    if item.kind == ItemKind::Disputed {
        return Ok(Money::zero(item.amount.currency()));
    }
    let (_, sums) = ledger::read(tx, payment).await?;
    let left = ledger::unexplained_elsewhere(tx, payment, &sums).await?;
    Ok(match item.amount.minor() < left.minor() {
        true => item.amount,
        false => left,
    })
}

fn request(
    app: &App,
    tx: &mut Tx,
    (item, payment): (&OpenItem, &Payment),
    (ticket_ids, decided_by): (Vec<TicketId>, UserId),
    settled: Money,
) {
    let cause = match item.kind {
        ItemKind::Disputed => RevocationCause::Fraud,
        ItemKind::RefundRefused
        | ItemKind::RefundReturned
        | ItemKind::RefundDelayed
        | ItemKind::RefundedElsewhere
        | ItemKind::AmountDiffers
        | ItemKind::IntentRefused
        | ItemKind::UnknownPayment
        | ItemKind::UnknownDispute => RevocationCause::RefundedElsewhere,
    };
    let event = RevocationRequested {
        payment_id: payment.id,
        order_id: item.order_id,
        ticket_ids,
        cause,
        settled,
        decided_by,
        item_id: Some(item.id),
    };
    tx.publish(app.clock.new_id(), payment.version, &event);
}

/// The tickets of an order are there: what was decided about them before is asked for now.
pub(crate) async fn tickets_issued(app: &App, tx: &mut Tx, order: OrderId) -> DbResult<()> {
    let Some((payment, open)) = lock(tx, order).await? else {
        return Ok(());
    };
    let issued = store::orders::list_issued(tx, order).await?;
    for (item, revoking) in open {
        if !revoking.tickets.is_empty() {
            continue;
        }
        let all = Revoking {
            tickets: issued.iter().map(|it| it.id).collect(),
            since: app.clock.now(),
            ..revoking
        };
        store::items::begin_revoking(tx, item.id, &all).await?;
        let settled = settled(tx, &item, &payment).await?;
        request(app, tx, (&item, &payment), (Vec::new(), all.by), settled);
    }
    Ok(())
}

/// A ticket is revoked, for whatever reason: a decision about it may be carried out.
pub(crate) async fn ticket_revoked(
    app: &App,
    tx: &mut Tx,
    (order, ticket): (OrderId, TicketId),
) -> DbResult<()> {
    store::orders::insert_revoked(tx, order, ticket).await?;
    let Some((_, open)) = lock(tx, order).await? else {
        return Ok(());
    };
    if open.is_empty() {
        return Ok(());
    }
    let of_order: Vec<IssuedTicket> = store::orders::list_issued(tx, order).await?;
    for (item, revoking) in open {
        if revoking.is_done(&of_order) {
            close(app, tx, item, &revoking).await?;
        }
    }
    Ok(())
}

/// Order can't do it: the item waits for another decision, unless there is nothing left to decide.
pub(crate) async fn refused(
    app: &App,
    tx: &mut Tx,
    order: OrderId,
    (item_id, reason): (Uuid, &str),
) -> DbResult<()> {
    let Some((payment, open)) = lock(tx, order).await? else {
        return Ok(());
    };
    let Some((item, _)) = open.into_iter().find(|(item, _)| item.id == item_id) else {
        return Ok(());
    };
    store::items::refuse_revoking(tx, item.id, reason, app.clock.now()).await?;
    if item.kind == ItemKind::RefundedElsewhere && settled(tx, &item, &payment).await?.minor() == 0
    {
        let about = (item.kind, item.subject);
        items::close(app, tx, about, items::by_itself("settled")).await?;
    }
    Ok(())
}

/// A refund ended: money that went back without us is explained, or the tickets are good again.
pub(super) async fn refund_ended(
    app: &App,
    tx: &mut Tx,
    payment: &Payment,
    refund: &Refund,
) -> DbResult<()> {
    let (_, sums) = ledger::read(tx, payment).await?;
    let left = ledger::unexplained_elsewhere(tx, payment, &sums).await?;
    let given_up = matches!(refund.state, RefundState::Failed(_));
    for item in store::items::list_open_of_payment(tx, payment.id).await? {
        if item.kind != ItemKind::RefundedElsewhere {
            continue;
        }
        match item.revoking.clone() {
            Some(_) if given_up => {
                let (reason, now) = ("refund_given_up", app.clock.now());
                store::items::refuse_revoking(tx, item.id, reason, now).await?;
            }
            // There are no tickets, and won't be.
            Some(revoking) if refund.ticket_ids.is_empty() && left.minor() == 0 => {
                close(app, tx, item, &revoking).await?;
            }
            None if !given_up && left.minor() == 0 => {
                let about = (item.kind, item.subject);
                items::close(app, tx, about, items::by_itself("settled")).await?;
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// The payment of an order, locked, with its items whose decision is not carried out yet.
async fn lock(
    tx: &mut Tx,
    order: OrderId,
) -> DbResult<Option<(Payment, Vec<(OpenItem, Revoking)>)>> {
    let Some(payment) = store::lock_by_order(tx, order).await? else {
        return Ok(None);
    };
    let open = store::items::list_open_of_payment(tx, payment.id).await?;
    let revoking = |item: OpenItem| {
        let revoking = item.revoking.clone()?;
        Some((item, revoking))
    };
    Ok(Some((
        payment,
        open.into_iter().filter_map(revoking).collect(),
    )))
}

async fn close(app: &App, tx: &mut Tx, item: OpenItem, revoking: &Revoking) -> DbResult<()> {
    let ending = Ending {
        act: Act::Revoke.name(),
        by: Some(revoking.by),
        reference: None,
    };
    items::close(app, tx, (item.kind, item.subject), ending).await
}
