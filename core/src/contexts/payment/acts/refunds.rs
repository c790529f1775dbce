//! Refunds at the provider.

use eventify_contracts::order::OrderRefundRequested;
use eventify_contracts::payment::{PaymentRefunded, RefundFailed};
use eventify_kernel::breaker::CallError;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, Tx};
use eventify_protocol::ids::RefundId;

use super::{AdvanceError, call, record};
use crate::contexts::payment::gateway::{GatewayError, Intent, NewRefund, RefundUpdate};
use crate::contexts::payment::jobs::DriveRefund;
use crate::contexts::payment::model::{Payment, Refund, RefundState};
use crate::contexts::payment::{App, NAME, store};

/// Stores a refund and requests its task, or publishes why it is refused.
pub(crate) async fn request_refund(
    app: &App,
    tx: &mut Tx,
    requested: OrderRefundRequested,
) -> DbResult<()> {
    let payment = store::lock_by_order(tx, requested.order_id).await?;
    let refusal = match &payment {
        None => Some("no_payment".to_owned()),
        Some(payment) => {
            let pending = store::pending_sum(tx, payment.id, payment.amount.currency()).await?;
            let refusal = payment.may_refund(requested.amount, pending).err();
            refusal.map(|it| it.to_string())
        }
    };
    match (payment, refusal) {
        (Some(payment), None) => {
            let now = app.clock.now();
            let refund = Refund {
                id: requested.refund_id,
                payment_id: payment.id,
                amount: requested.amount,
                reason: requested.reason.name().to_owned(),
                ticket_ids: requested.ticket_ids,
                state: RefundState::Pending,
                provider_ref: None,
                correlation: tx.cause().correlation,
                created_at: now,
                updated_at: now,
            };
            store::insert_refund(tx, &refund).await?;
            tx.request(app, &DriveRefund::new(refund.id)).await
        }
        (payment, refusal) => {
            let event = RefundFailed {
                payment_id: payment.as_ref().map(|payment| payment.id),
                order_id: requested.order_id,
                refund_id: requested.refund_id,
                ticket_ids: requested.ticket_ids,
                failure_reason: refusal.unwrap_or_default(),
            };
            let version = payment.map_or(1, |payment| payment.version);
            tx.publish(app.clock.new_id(), version, &event);
            Ok(())
        }
    }
}

/// Requests a refund from the provider, or looks it up, and applies the answer. True when it has
/// ended.
pub(crate) async fn advance_refund(
    app: &App,
    refund: &Refund,
    intent: &Intent,
    may_exist: bool,
) -> Result<bool, AdvanceError> {
    let new = NewRefund {
        refund_id: refund.id,
        intent: intent.reference.clone(),
        amount: refund.amount,
    };
    let answer = match call_provider(app, refund, &new, may_exist).await {
        Err(CallError::Callee(GatewayError::Refused(code))) => Err(code),
        answer => Ok(answer?),
    };
    let mut tx = app.db.begin(NAME, &Cause::of(refund.correlation)).await?;
    let has_ended = match answer {
        Ok(update) => apply_update(app, &mut tx, refund.id, &update).await?,
        Err(code) => {
            if let Some((payment, refund)) = lock_both(&mut tx, refund.id).await?
                && let Some(refused) = refund.refused(&code, app.clock.now())
            {
                end(app, &mut tx, payment, refused).await?;
            }
            true
        }
    };
    tx.commit().await?;
    Ok(has_ended)
}

/// A refund that may exist is searched before it is requested: not every provider remembers
/// idempotency keys forever.
async fn call_provider(
    app: &App,
    refund: &Refund,
    new: &NewRefund,
    may_exist: bool,
) -> Result<RefundUpdate, CallError<GatewayError>> {
    let gateway = &app.state.gateway;
    if let Some(reference) = &refund.provider_ref {
        return call(app, || gateway.retrieve_refund(reference.clone())).await;
    }
    if may_exist && let Some(found) = call(app, || gateway.find_refund(new.clone())).await? {
        return Ok(found);
    }
    call(app, || gateway.create_refund(new.clone())).await
}

/// Applies the provider's data of a refund, from an answer or a webhook. True when it has ended.
pub(super) async fn apply_update(
    app: &App,
    tx: &mut Tx,
    id: RefundId,
    update: &RefundUpdate,
) -> DbResult<bool> {
    let Some((payment, refund)) = lock_both(tx, id).await? else {
        return Ok(true);
    };
    let has_ended = refund.state != RefundState::Pending;
    match refund.apply(update, app.clock.now()) {
        None => Ok(has_ended),
        Some(pending) if pending.state == RefundState::Pending => {
            store::update_refund(tx, &pending).await?;
            Ok(false)
        }
        Some(ended) => {
            end(app, tx, payment, ended).await?;
            Ok(true)
        }
    }
}

/// Everybody locks in this order: the payment first, then the refund.
async fn lock_both(tx: &mut Tx, id: RefundId) -> DbResult<Option<(Payment, Refund)>> {
    let Some(refund) = store::find_refund(tx, id).await? else {
        return Ok(None);
    };
    let Some(payment) = store::lock(tx, refund.payment_id).await? else {
        return Ok(None);
    };
    let refund = store::lock_refund(tx, id).await?;
    Ok(refund.map(|refund| (payment, refund)))
}

/// Writes and publishes the end of a refund.
async fn end(app: &App, tx: &mut Tx, payment: Payment, refund: Refund) -> DbResult<()> {
    store::update_refund(tx, &refund).await?;
    tx.withdraw::<DriveRefund>(refund.id.as_uuid()).await?;
    let (payment_id, order_id) = (payment.id, payment.order_id);
    if let RefundState::Failed(reason) = refund.state {
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
    let (payment, in_full) = payment
        .refunded(refund.amount, refund.updated_at)
        .map_err(DbError::impossible_row)?;
    record(app, tx, &payment, None).await?;
    let event = PaymentRefunded {
        payment_id,
        order_id,
        refund_id: refund.id,
        amount: refund.amount,
        ticket_ids: refund.ticket_ids,
        in_full,
    };
    tx.publish(app.clock.new_id(), payment.version, &event);
    Ok(())
}
