//! Refunds at the provider.

mod delays;
mod ends;

use eventify_contracts::order::OrderRefundRequested;
use eventify_contracts::payment::{RefundFailed, SettledBy};
use eventify_kernel::breaker::CallError;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::{PaymentId, RefundId};

use super::provider::call;
use super::{AdvanceError, ledger, updates};
use crate::contexts::payment::gateway::{
    Calls, GatewayError, Intent, NewRefund, RefundStatus, RefundUpdate,
};
use crate::contexts::payment::jobs::DriveRefund;
use crate::contexts::payment::model::{LearntBy, Payment, Refund, RefundState};
use crate::contexts::payment::{App, NAME, store};

pub(crate) use delays::note_missing;
pub(super) use ends::end;
use ends::{came_back, stand};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Ended,
    OnItsWay,
    /// Refused: tried again by itself after a while, or when somebody decides so.
    Stands,
}

/// Stores a refund and requests its task. One whose money is not there stands from the beginning.
pub(crate) async fn request_refund(
    app: &App,
    tx: &mut Tx,
    requested: OrderRefundRequested,
) -> DbResult<()> {
    let Some(payment) = store::lock_by_order(tx, requested.order_id).await? else {
        let event = RefundFailed {
            payment_id: None,
            order_id: requested.order_id,
            refund_id: requested.refund_id,
            ticket_ids: requested.ticket_ids,
            failure_reason: "no_payment".to_owned(),
        };
        tx.publish(app.clock.new_id(), 1, &event);
        return Ok(());
    };
    let now = app.clock.now();
    let refund = Refund {
        id: requested.refund_id,
        payment_id: payment.id,
        amount: requested.amount,
        reason: requested.reason.name().to_owned(),
        ticket_ids: requested.ticket_ids,
        state: RefundState::Pending,
        attempt: 1,
        requests: 0,
        settled_by: SettledBy::Provider,
        reference: None,
        provider_ref: None,
        correlation: tx.cause().correlation,
        created_at: now,
        updated_at: now,
    };
    store::insert_refund(tx, &refund).await?;
    begin_pending(app, tx, payment, refund).await
}

/// Has a pending refund sent, if its money is there.
async fn begin_pending(app: &App, tx: &mut Tx, payment: Payment, refund: Refund) -> DbResult<()> {
    let now = app.clock.now();
    let (_, sums) = ledger::read(tx, &payment).await?;
    let elsewhere = ledger::unexplained_elsewhere(tx, &payment, &sums).await?;
    let same = elsewhere.currency() == refund.amount.currency();
    if same && elsewhere.minor() >= refund.amount.minor() {
        if let Some(settled) = refund.settle(SettledBy::Elsewhere, None, now) {
            end(app, tx, payment, settled, LearntBy::Call).await?;
        }
        return Ok(());
    }
    let currency = sums.captured.currency();
    let pending = store::spoken_for(tx, payment.id, currency, Some(refund.id)).await?;
    match payment.may_refund(refund.amount, pending, &sums) {
        Ok(()) => {
            store::update_refund(tx, &refund).await?;
            tx.request(app, &DriveRefund::new(refund.id)).await
        }
        Err(refusal) => match refund.park(&refusal.to_string(), now) {
            Some(parked) => stand(app, tx, payment, &parked).await,
            None => Ok(()),
        },
    }
}

/// A refund that stands is tried once more. False when it does not stand.
pub(crate) async fn begin_attempt(app: &App, tx: &mut Tx, id: RefundId) -> DbResult<bool> {
    let Some((payment, refund)) = lock_both(tx, id).await? else {
        return Ok(false);
    };
    match refund.retry(app.clock.now()) {
        Some(pending) => {
            store::update_refund(tx, &pending).await?;
            begin_pending(app, tx, payment, pending).await?;
            Ok(true)
        }
        None => Ok(false),
    }
}

/// Requests a refund from the provider, or looks it up, and applies the answer.
pub(crate) async fn advance_refund(
    app: &App,
    refund: &Refund,
    intent: &Intent,
    may_exist: bool,
) -> Result<Step, AdvanceError> {
    let new = NewRefund {
        refund_id: refund.id,
        attempt: refund.attempt,
        request: refund.requests,
        intent: intent.reference.clone(),
        amount: refund.amount,
    };
    let answer = match call_provider(app, refund, &new, may_exist).await {
        Err(CallError::Callee(
            error @ (GatewayError::Refused(_)
            | GatewayError::MovedOn(_)
            | GatewayError::Declined(_)),
        )) => {
            // What has happened without us shows in the intent's refunds.
            let known = list_refunds(app, &intent.reference).await?;
            Err((error.code(), known))
        }
        answer => Ok(answer?),
    };
    let mut tx = app.db.begin(NAME, &Cause::of(refund.correlation)).await?;
    match answer {
        Ok(update) => apply_update(app, &mut tx, refund.id, &update, LearntBy::Call).await?,
        Err((code, known)) => refused(app, &mut tx, refund, (&code, &known)).await?,
    }
    let now = store::find_refund(&mut tx, refund.id).await?;
    tx.commit().await?;
    Ok(match now.map(|it| it.state) {
        Some(RefundState::Pending) => Step::OnItsWay,
        Some(RefundState::Parked(_)) => Step::Stands,
        Some(RefundState::Succeeded | RefundState::Returned(_) | RefundState::Failed(_)) | None => {
            Step::Ended
        }
    })
}

/// The provider refuses. Our own refund may be there all the same, or another one instead of it.
async fn refused(
    app: &App,
    tx: &mut Tx,
    refund: &Refund,
    (code, known): (&str, &[RefundUpdate]),
) -> DbResult<()> {
    let ours = |it: &&RefundUpdate| it.refund_id == Some(refund.id) && it.attempt == refund.attempt;
    if let Some(update) = known.iter().find(ours) {
        return apply_update(app, tx, refund.id, update, LearntBy::Call).await;
    }
    book_others(app, tx, known, LearntBy::Call).await?;
    if settle_from_elsewhere(app, tx, refund.id).await? {
        return Ok(());
    }
    let Some((payment, current)) = lock_both(tx, refund.id).await? else {
        return Ok(());
    };
    if current.attempt == refund.attempt
        && let Some(parked) = current.park(code, app.clock.now())
    {
        stand(app, tx, payment, &parked).await?;
    }
    Ok(())
}

/// A refund whose outage lasts too long stands like a refused one, so that somebody can pay
/// otherwise; it is tried on.
pub(crate) async fn park_unreachable(app: &App, refund: &Refund, code: &str) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, &Cause::of(refund.correlation)).await?;
    if let Some((payment, current)) = lock_both(&mut tx, refund.id).await?
        && let Some(parked) = current.park(code, app.clock.now())
    {
        stand(app, &mut tx, payment, &parked).await?;
    }
    tx.commit().await
}

/// The provider has failed inside, and would say so again: should the refund not be found there, it is
/// requested under another key.
pub(crate) async fn take_fresh_key(app: &App, refund: &Refund) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, &Cause::of(refund.correlation)).await?;
    if let Some((_, current)) = lock_both(&mut tx, refund.id).await?
        && current == *refund
        && current.provider_ref.is_none()
    {
        let requests = current.requests + 1;
        let fresh = Refund {
            requests,
            ..current
        };
        store::update_refund(&mut tx, &fresh).await?;
    }
    tx.commit().await
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
        let retrieve = || gateway.retrieve_refund(reference.clone());
        return call(app, Calls::Refunds, retrieve).await;
    }
    let is_ours =
        |it: &RefundUpdate| it.refund_id == Some(refund.id) && it.attempt == refund.attempt;
    if may_exist
        && let Some(found) = list_refunds(app, &new.intent)
            .await?
            .into_iter()
            .find(is_ours)
    {
        return Ok(found);
    }
    call(app, Calls::Refunds, || gateway.create_refund(new.clone())).await
}

async fn list_refunds(
    app: &App,
    intent: &str,
) -> Result<Vec<RefundUpdate>, CallError<GatewayError>> {
    let list = || app.state.gateway.list_refunds(intent.to_owned());
    call(app, Calls::Refunds, list).await
}

/// Reads the refunds of a payment's intent, and books those that are not ours.
pub(crate) async fn read_refunds(
    app: &App,
    id: PaymentId,
    cause: &Cause,
) -> Result<(), AdvanceError> {
    let mut conn = app.db.read(NAME).await?;
    let payment = store::find(&mut conn, id).await?;
    drop(conn);
    let intent = payment.as_ref().and_then(|it| it.state.intent());
    let Some(intent) = intent else {
        return Ok(());
    };
    let known = list_refunds(app, &intent.reference).await?;
    let mut tx = app.db.begin(NAME, cause).await?;
    book_others(app, &mut tx, &known, LearntBy::Webhook).await?;
    tx.commit().await?;
    Ok(())
}

async fn book_others(app: &App, tx: &mut Tx, known: &[RefundUpdate], by: LearntBy) -> DbResult<()> {
    for update in known {
        let named = match update.refund_id {
            Some(id) => store::find_refund(tx, id).await?,
            None => None,
        };
        let by_reference = store::find_refund_by_reference(tx, &update.reference).await?;
        // One that failed before we heard of it moved nothing.
        let failed = matches!(update.status, RefundStatus::Failed(_));
        if named.is_none() && by_reference.is_none() && !failed {
            updates::book_foreign_refund(app, tx, update, by).await?;
        }
    }
    Ok(())
}

/// Counts money that went back without us for a refund, if there is enough of it.
pub(crate) async fn settle_from_elsewhere(app: &App, tx: &mut Tx, id: RefundId) -> DbResult<bool> {
    let Some((payment, refund)) = lock_both(tx, id).await? else {
        return Ok(false);
    };
    let (_, sums) = ledger::read(tx, &payment).await?;
    let elsewhere = ledger::unexplained_elsewhere(tx, &payment, &sums).await?;
    let enough = elsewhere.currency() == refund.amount.currency()
        && elsewhere.minor() >= refund.amount.minor();
    let settled = refund.settle(SettledBy::Elsewhere, None, app.clock.now());
    match settled {
        Some(settled) if enough => {
            end(app, tx, payment, settled, LearntBy::Call).await?;
            Ok(true)
        }
        Some(_) | None => Ok(false),
    }
}

/// Applies the provider's data of a refund, from an answer, a webhook or a comparison.
pub(super) async fn apply_update(
    app: &App,
    tx: &mut Tx,
    id: RefundId,
    update: &RefundUpdate,
    by: LearntBy,
) -> DbResult<()> {
    let Some((payment, refund)) = lock_both(tx, id).await? else {
        return Ok(());
    };
    let is_current = refund.is_about(update);
    let Some(changed) = refund.clone().apply(update, app.clock.now()) else {
        if is_current && refund.state == RefundState::Pending {
            delays::check(app, tx, &payment, &refund, &update.status).await?;
        }
        return Ok(());
    };
    match changed.state {
        RefundState::Pending => {
            store::update_refund(tx, &changed).await?;
            delays::check(app, tx, &payment, &changed, &update.status).await
        }
        RefundState::Parked(_) => stand(app, tx, payment, &changed).await,
        RefundState::Returned(_) => came_back(app, tx, payment, changed, by).await,
        RefundState::Succeeded | RefundState::Failed(_) => end(app, tx, payment, changed, by).await,
    }
}

/// Everybody locks in this order: the payment first, then the refund.
pub(super) async fn lock_both(tx: &mut Tx, id: RefundId) -> DbResult<Option<(Payment, Refund)>> {
    let Some(refund) = store::find_refund(tx, id).await? else {
        return Ok(None);
    };
    let Some(payment) = store::lock(tx, refund.payment_id).await? else {
        return Ok(None);
    };
    let refund = store::lock_refund(tx, id).await?;
    Ok(refund.map(|refund| (payment, refund)))
}
