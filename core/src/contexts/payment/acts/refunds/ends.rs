//! How refunds end, stand or come back: written, booked, published.

use eventify_contracts::payment::{
    PaymentRefunded, RefundFailed, RefundParked, RefundReturned, SettledBy,
};
use eventify_kernel::db::{DbResult, Tx};

use super::super::items;
use super::super::ledger::{self, Moved};
use super::super::revocations;
use crate::contexts::payment::jobs::{DriveRefund, own_retry_pause};
use crate::contexts::payment::model::{FactKind, ItemKind, LearntBy, Payment, Refund, RefundState};
use crate::contexts::payment::{App, store};

/// Each word about a refund has a version of its own, by which order tells which one is the last.
async fn next_version(app: &App, tx: &mut Tx, payment: Payment) -> DbResult<Payment> {
    let payment = payment.touched(app.clock.now());
    store::update(tx, &payment).await?;
    Ok(payment)
}

/// Writes and publishes that a refund stands, and opens its item.
pub(crate) async fn stand(
    app: &App,
    tx: &mut Tx,
    payment: Payment,
    refund: &Refund,
) -> DbResult<()> {
    let payment = next_version(app, tx, payment).await?;
    store::update_refund(tx, refund).await?;
    let (_, failure) = refund.state.name_and_failure();
    let reason = failure.unwrap_or_default();
    let task = DriveRefund::new(refund.id);
    tx.request_at(app, &task, app.clock.now() + own_retry_pause())
        .await?;
    let delayed = (ItemKind::RefundDelayed, refund.id.to_string());
    items::close(app, tx, delayed, items::by_itself("refused")).await?;
    let about = (ItemKind::RefundRefused, refund.id.to_string());
    let what = (refund.amount, reason, Some(refund.id));
    items::open(app, tx, &payment, about, what).await?;
    let event = RefundParked {
        payment_id: payment.id,
        order_id: payment.order_id,
        refund_id: refund.id,
        ticket_ids: refund.ticket_ids.clone(),
        reason: reason.to_owned(),
    };
    tx.publish(app.clock.new_id(), payment.version, &event);
    Ok(())
}

/// Money that had gone back is ours again: the guest waits for it.
pub(crate) async fn came_back(
    app: &App,
    tx: &mut Tx,
    payment: Payment,
    refund: Refund,
    by: LearntBy,
) -> DbResult<()> {
    store::update_refund(tx, &refund).await?;
    tx.withdraw::<DriveRefund>(refund.id.as_uuid()).await?;
    let moved = Moved {
        kind: FactKind::Returned,
        amount: refund.amount,
        reference: refund.provider_ref.clone().unwrap_or_default(),
        refund_id: Some(refund.id),
        happened_at: None,
    };
    let (payment, _) = ledger::book(app, tx, payment, moved, by).await?;
    let payment = next_version(app, tx, payment).await?;
    let (_, failure) = refund.state.name_and_failure();
    let reason = failure.unwrap_or_default().to_owned();
    let about = (ItemKind::RefundReturned, refund.id.to_string());
    let what = (refund.amount, reason.as_str(), Some(refund.id));
    items::open(app, tx, &payment, about, what).await?;
    let event = RefundReturned {
        payment_id: payment.id,
        order_id: payment.order_id,
        refund_id: refund.id,
        amount: refund.amount,
        reason,
    };
    tx.publish(app.clock.new_id(), payment.version, &event);
    Ok(())
}

/// Writes, books and publishes the end of a refund, and ends its items.
pub(crate) async fn end(
    app: &App,
    tx: &mut Tx,
    payment: Payment,
    refund: Refund,
    by: LearntBy,
) -> DbResult<()> {
    store::update_refund(tx, &refund).await?;
    tx.withdraw::<DriveRefund>(refund.id.as_uuid()).await?;
    let payment = next_version(app, tx, payment).await?;
    let (payment_id, order_id) = (payment.id, payment.order_id);
    if let RefundState::Failed(reason) = refund.state.clone() {
        revocations::refund_ended(app, tx, &payment, &refund).await?;
        let event = RefundFailed {
            payment_id: Some(payment_id),
            order_id,
            refund_id: refund.id,
            ticket_ids: refund.ticket_ids,
            failure_reason: reason,
        };
        tx.publish(app.clock.new_id(), payment.version, &event);
        return Ok(());
    }
    let payment = book_end(app, tx, payment, &refund, by).await?;
    for kind in [
        ItemKind::RefundRefused,
        ItemKind::RefundReturned,
        ItemKind::RefundDelayed,
    ] {
        let about = (kind, refund.id.to_string());
        items::close(app, tx, about, items::by_itself("settled")).await?;
    }
    let in_full = payment.state.name() == "refunded";
    let event = PaymentRefunded {
        payment_id,
        order_id,
        refund_id: refund.id,
        amount: refund.amount,
        ticket_ids: refund.ticket_ids,
        in_full,
        settled_by: refund.settled_by,
        reference: refund.reference,
    };
    tx.publish(app.clock.new_id(), payment.version, &event);
    Ok(())
}

async fn book_end(
    app: &App,
    tx: &mut Tx,
    payment: Payment,
    refund: &Refund,
    by: LearntBy,
) -> DbResult<Payment> {
    let (kind, reference) = match refund.settled_by {
        SettledBy::Provider => (FactKind::Refunded, refund.provider_ref.clone()),
        SettledBy::Hand => (FactKind::PaidByHand, refund.reference.clone()),
        // Booked when it was learnt. Now somebody has said what it was for.
        SettledBy::Elsewhere => {
            revocations::refund_ended(app, tx, &payment, refund).await?;
            return Ok(payment);
        }
    };
    let moved = Moved {
        kind,
        amount: refund.amount,
        reference: reference.unwrap_or_else(|| refund.id.to_string()),
        refund_id: Some(refund.id),
        happened_at: None,
    };
    let (payment, _) = ledger::book(app, tx, payment, moved, by).await?;
    Ok(payment)
}
