//! What payment hears, and what time makes it do.

use std::time::Duration;

use chrono::{DateTime, Utc};
use eventify_protocol::ids::RefundId;
use futures_util::FutureExt;

use super::api::{AskError, Told, ask, call, write};
use super::model::{Payment, Refund, RefundState};
use super::{NAME, store};
use crate::contexts::payment::App;
use crate::contexts::payment::gateway::{About, NewRefund, PspError, PspEvent, RefundSeen};
use eventify_contracts::order::{OrderCancelled, OrderRefundRequested};
use eventify_contracts::payment::{PaymentRefunded, RefundFailed};
use eventify_kernel::breaker::CallError;
use eventify_kernel::bus::Consumers;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, DbResult, Tx};
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs, at_once};

/// Rows that a job takes at once.
const BATCH: u16 = 100;
/// Questions to the provider at once.
const CONCURRENT_CALLS: usize = 16;
/// Longest pause between two attempts, in seconds.
const MAX_PAUSE_SECONDS: i64 = 60;

pub(super) fn consumers() -> Consumers<App> {
    Consumers::new()
        .on(on_order_cancelled)
        .on(on_order_refund_requested)
}

pub(super) const DRIVE_PAYMENTS: Job = Job::of(NAME, "drive_payments");
pub(super) const DRIVE_REFUNDS: Job = Job::of(NAME, "drive_refunds");
pub(super) const RECONCILE_PAYMENTS: Job = Job::of(NAME, "reconcile_payments");

pub(super) fn jobs() -> Jobs<App> {
    Jobs::new()
        .every(Duration::from_secs(1), DRIVE_PAYMENTS, drive_payments)
        .every(Duration::from_secs(1), DRIVE_REFUNDS, drive_refunds)
        .every(
            Duration::from_millis(500),
            RECONCILE_PAYMENTS,
            reconcile_payments,
        )
}

/// Nobody shall pay for it any more. The payment may not even exist yet.
async fn on_order_cancelled(
    app: &App,
    tx: &mut Tx,
    event: Received<OrderCancelled>,
) -> Result<(), Failure> {
    let order = event.data.order_id;
    store::end_order(tx, order).await?;
    let Some(payment) = store::lock_by_order(tx, order).await? else {
        return Ok(());
    };
    if let Some(ended) = payment.order_ended(app.clock.now()) {
        write(app, tx, &ended, None).await?;
    }
    Ok(())
}

async fn on_order_refund_requested(
    app: &App,
    tx: &mut Tx,
    event: Received<OrderRefundRequested>,
) -> Result<(), Failure> {
    let (asked, now) = (event.data, app.clock.now());
    let Some(payment) = store::lock_by_order(tx, asked.order_id).await? else {
        refuse(app, tx, None, &asked, "no_payment");
        return Ok(());
    };
    let pending = store::pending_sum(tx, payment.id, payment.amount.currency()).await?;
    if let Err(refusal) = payment.may_refund(asked.amount, pending) {
        refuse(app, tx, Some(&payment), &asked, &refusal.to_string());
        return Ok(());
    }
    let refund = Refund {
        id: asked.refund_id,
        payment_id: payment.id,
        amount: asked.amount,
        reason: asked.reason.name().to_owned(),
        ticket_ids: asked.ticket_ids,
        state: RefundState::Pending,
        provider_ref: None,
        attempts: 0,
        correlation: event.cause.correlation,
        created_at: now,
        updated_at: now,
    };
    store::add_refund(tx, &refund).await?;
    tx.wake(app.jobs.wake(DRIVE_REFUNDS));
    Ok(())
}

fn refuse(
    app: &App,
    tx: &mut Tx,
    payment: Option<&Payment>,
    asked: &OrderRefundRequested,
    reason: &str,
) {
    let event = RefundFailed {
        payment_id: payment.map(|payment| payment.id),
        order_id: asked.order_id,
        refund_id: asked.refund_id,
        ticket_ids: asked.ticket_ids.clone(),
        failure_reason: reason.to_owned(),
    };
    tx.publish(
        app.clock.new_id(),
        payment.map_or(1, |payment| payment.version),
        &event,
    );
}

/// A verified webhook: its id and its effect in one transaction. A second delivery does nothing.
pub(super) async fn on_psp_event(app: &App, cause: &Cause, event: PspEvent) -> DbResult<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, cause).await?;
    if !store::first_time(&mut tx, app.state.gateway.name(), &event, now).await? {
        return Ok(());
    }
    match event.about {
        About::Intent(seen) => {
            let known = store::lock_by_reference(&mut tx, &seen.intent.reference).await?;
            // A webhook that overtakes the call's answer is known by what we gave the intent.
            let payment = match (known, seen.payment_id) {
                (None, Some(id)) => store::lock(&mut tx, id).await?,
                (known, _) => known,
            };
            match payment.and_then(|payment| payment.observed(&seen, now)) {
                Some((changed, news)) => write(app, &mut tx, &changed, news).await?,
                None => tracing::debug!(event = event.id, "the webhook changes nothing"),
            }
        }
        About::Refund(seen) => {
            if let Some(id) = seen.refund_id {
                take_refund_word(app, &mut tx, id, &seen, now).await?;
            }
        }
        About::RefundsOf(reference) => {
            if let Some(payment) = store::lock_by_reference(&mut tx, &reference).await? {
                store::hasten(&mut tx, payment.id, now).await?;
                tx.wake(app.jobs.wake(DRIVE_REFUNDS));
            }
        }
        About::Nothing => {}
    }
    tx.commit().await
}

/// Asks the provider for what is written down, until it has answered.
async fn drive_payments(app: &App, _: &Cause) -> Result<(), Failure> {
    loop {
        let mut conn = app.db.read(NAME).await?;
        let due = store::due(&mut conn, app.clock.now(), BATCH).await?;
        drop(conn);
        if due.is_empty() {
            return Ok(());
        }
        at_once(CONCURRENT_CALLS, due, |(payment, attempts)| {
            drive(app.clone(), payment, attempts).boxed()
        })
        .await?;
    }
}

async fn drive(app: App, payment: Payment, attempts: i32) -> DbResult<()> {
    match ask(&app, &payment).await {
        Ok(Told::Changed(_)) => Ok(()),
        Ok(Told::Nothing) => put_off(&app, &payment, attempts).await,
        Err(AskError::Psp(error)) => {
            tracing::warn!(payment = %payment.id, %error, "the provider is asked again later");
            put_off(&app, &payment, attempts).await
        }
        Err(AskError::Db(error)) => Err(error),
    }
}

async fn put_off(app: &App, payment: &Payment, attempts: i32) -> DbResult<()> {
    let mut conn = app.db.read(NAME).await?;
    store::postpone(&mut conn, payment.id, app.clock.now() + pause(attempts)).await
}

/// 1, 2, 4 … 60 seconds.
fn pause(attempts: i32) -> chrono::Duration {
    let doubled = 1_i64 << attempts.clamp(0, 6);
    chrono::Duration::seconds(doubled.min(MAX_PAUSE_SECONDS))
}

/// Asks about payments of which nothing was heard: the webhook that never came.
async fn reconcile_payments(app: &App, _: &Cause) -> Result<(), Failure> {
    let since = app.clock.now() - app.state.settings.reconcile_after();
    let mut conn = app.db.read(NAME).await?;
    let silent = store::silent(&mut conn, since, BATCH).await?;
    drop(conn);
    at_once(CONCURRENT_CALLS, silent, |payment| {
        reconcile(app.clone(), payment).boxed()
    })
    .await
}

async fn reconcile(app: App, payment: Payment) -> Result<(), Failure> {
    match ask(&app, &payment).await {
        Ok(_) => Ok(()),
        Err(AskError::Db(error)) => Err(error.into()),
        Err(AskError::Psp(error)) => {
            tracing::warn!(payment = %payment.id, %error, "reconciliation goes on later");
            Ok(())
        }
    }
}

/// Sends money back, and asks about refunds on their way.
async fn drive_refunds(app: &App, _: &Cause) -> Result<(), Failure> {
    loop {
        let mut conn = app.db.read(NAME).await?;
        let due = store::due_refunds(&mut conn, app.clock.now(), BATCH).await?;
        drop(conn);
        if due.is_empty() {
            return Ok(());
        }
        at_once(CONCURRENT_CALLS, due, |refund| {
            drive_refund(app.clone(), refund).boxed()
        })
        .await?;
    }
}

async fn drive_refund(app: App, refund: Refund) -> DbResult<()> {
    let app = &app;
    let mut conn = app.db.read(NAME).await?;
    let payment = store::find(&mut conn, refund.payment_id).await?;
    drop(conn);
    let intent = payment.as_ref().and_then(|payment| payment.state.intent());
    let Some(intent) = intent else {
        return Err(DbError::impossible_row(format!(
            "refund {} has no intent",
            refund.id
        )));
    };
    let new = NewRefund {
        refund_id: refund.id,
        intent: intent.reference.clone(),
        amount: refund.amount,
    };
    let answer = ask_refund(app, &refund, &new).await;
    let now = app.clock.now();
    let mut tx = app.db.begin(NAME, &Cause::of(refund.correlation)).await?;
    match answer {
        Ok(seen) => take_refund_word(app, &mut tx, refund.id, &seen, now).await?,
        Err(CallError::Callee(PspError::Refused(code))) => {
            let locked = lock_both(&mut tx, refund.id).await?;
            if let Some((payment, refund)) = locked {
                end_refund(app, &mut tx, payment, refund.refused(&code, now)).await?;
            }
        }
        Err(error) => {
            tracing::warn!(refund = %refund.id, %error, "the refund is tried again later");
            store::postpone_refund(&mut tx, refund.id, now + pause(refund.attempts)).await?;
        }
    }
    tx.commit().await
}

/// A known refund is asked about; one whose answer may have been lost is looked for before it is
/// asked for again, for not every provider remembers idempotency keys for ever.
async fn ask_refund(
    app: &App,
    refund: &Refund,
    new: &NewRefund,
) -> Result<RefundSeen, CallError<PspError>> {
    if let Some(reference) = &refund.provider_ref {
        return call(app, || app.state.gateway.refund_state(reference.clone())).await;
    }
    if refund.attempts > 0
        && let Some(found) = call(app, || app.state.gateway.find_refund(new.clone())).await?
    {
        return Ok(found);
    }
    call(app, || app.state.gateway.refund(new.clone())).await
}

/// The provider's word about a refund, from an answer or a webhook.
async fn take_refund_word(
    app: &App,
    tx: &mut Tx,
    id: RefundId,
    seen: &RefundSeen,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let Some((payment, refund)) = lock_both(tx, id).await? else {
        return Ok(());
    };
    let attempts = refund.attempts;
    match refund.observed(&seen.reference, &seen.status, now) {
        Some(pending) if pending.state == RefundState::Pending => {
            store::save_refund(tx, &pending, Some(now + pause(attempts))).await
        }
        Some(ended) => end_refund(app, tx, payment, ended).await,
        None => store::postpone_refund(tx, id, now + pause(attempts)).await,
    }
}

/// Payment first, refund second: everybody locks in this order.
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

/// Writes the end of a refund and tells it.
async fn end_refund(app: &App, tx: &mut Tx, payment: Payment, refund: Refund) -> DbResult<()> {
    store::save_refund(tx, &refund, None).await?;
    let (payment_id, order_id) = (payment.id, payment.order_id);
    if let RefundState::Failed(reason) = &refund.state {
        let event = RefundFailed {
            payment_id: Some(payment_id),
            order_id,
            refund_id: refund.id,
            ticket_ids: refund.ticket_ids,
            failure_reason: reason.clone(),
        };
        tx.publish(app.clock.new_id(), payment.version, &event);
        return Ok(());
    }
    let (payment, in_full) = payment
        .refunded(refund.amount, refund.updated_at)
        .map_err(DbError::impossible_row)?;
    write(app, tx, &payment, None).await?;
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
