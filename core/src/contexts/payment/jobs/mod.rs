//! What time and tasks make payment do.

mod tasks;

use std::time::Duration;

use chrono::TimeDelta;
use eventify_kernel::breaker::CallError;
use eventify_kernel::cause::Cause;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs, at_once};
use eventify_kernel::tasks::{Attempt, Outcome};
use futures_util::FutureExt;

use super::acts::{self, AdvanceError, Step};
use super::gateway::GatewayError;
use super::model::{DELAY_MISSING, Payment, Refund, RefundState};
use super::{App, NAME, store};

pub(crate) use tasks::{
    ComparePages, DrivePayment, DriveRefund, ReadIntent, ReadRefunds, ReadUnknown, Unknown,
};

pub(crate) const DRIVE_PAYMENTS: Job = Job::of(NAME, "drive_payments");
pub(crate) const READ_INTENTS: Job = Job::of(NAME, "read_intents");
pub(crate) const DRIVE_REFUNDS: Job = Job::of(NAME, "drive_refunds");
pub(crate) const READ_REFUNDS: Job = Job::of(NAME, "read_refunds");
pub(crate) const RECONCILE_PAYMENTS: Job = Job::of(NAME, "reconcile_payments");
pub(crate) const COMPARE_WITH_PROVIDER: Job = Job::of(NAME, "compare_with_provider");
pub(crate) const COMPARE_PAGES: Job = Job::of(NAME, "compare_pages");
pub(crate) const READ_UNKNOWN: Job = Job::of(NAME, "read_unknown");
const FORGET_WEBHOOKS: Job = Job::of(NAME, "forget_webhooks");
pub(crate) const WATCH_WEBHOOKS: Job = Job::of(NAME, "watch_webhooks");
pub(crate) const ASK_AGAIN: Job = Job::of(NAME, "ask_again");

const FORGET_EVERY: Duration = Duration::from_secs(3_600);
/// Payments that one reconciliation lists.
const BATCH: u16 = 100;
/// Concurrent calls to the provider in one reconciliation.
const CONCURRENT_CALLS: usize = 16;
/// Attempts of a refund that stands, without anybody's decision: a day and a night.
const OWN_ATTEMPTS: i32 = 24;

/// Pause before a refund that stands is tried again by itself: somebody may have corrected the cause
/// at the provider.
pub(super) fn own_retry_pause() -> TimeDelta {
    TimeDelta::hours(1)
}

/// A refund that an outage holds up for longer than this stands like a refused one.
fn longest_outage() -> TimeDelta {
    TimeDelta::hours(24)
}

pub(super) fn jobs() -> Jobs<App> {
    Jobs::new()
        .tasks(drive_payments)
        .tasks(read_intents)
        .tasks(drive_refunds)
        .tasks(read_refunds)
        .tasks(compare_pages)
        .tasks(read_unknown)
        .every(
            Duration::from_secs(600),
            COMPARE_WITH_PROVIDER,
            compare_with_provider,
        )
        .every(Duration::from_secs(60), WATCH_WEBHOOKS, watch_webhooks)
        .every(FORGET_EVERY, FORGET_WEBHOOKS, forget_webhooks)
        .every(Duration::from_secs(30), ASK_AGAIN, ask_again)
        .every(
            Duration::from_millis(500),
            RECONCILE_PAYMENTS,
            reconcile_payments,
        )
}

/// Sends the next request of a payment until the provider has answered.
async fn drive_payments(app: App, attempt: Attempt<DrivePayment>) -> Result<Outcome, Failure> {
    let mut conn = app.db.read(NAME).await?;
    let payment = store::find(&mut conn, attempt.task.payment_id).await?;
    drop(conn);
    let Some(payment) = payment.filter(|it| it.state.next_request().is_some()) else {
        return Ok(Outcome::Done);
    };
    match acts::advance(&app, &payment).await {
        // With its new state, a payment has withdrawn this task or requested it anew.
        Ok(changed) => Ok(changed.map_or(Outcome::Wait, |_| Outcome::Done)),
        Err(error) => acts::postponed(&app, error),
    }
}

/// Has a webhook about money confirmed.
async fn read_intents(app: App, attempt: Attempt<ReadIntent>) -> Result<Outcome, Failure> {
    match acts::read_intent(&app, &attempt.task, &attempt.cause).await {
        Ok(()) => Ok(Outcome::Done),
        Err(error) => acts::postponed(&app, error),
    }
}

/// Requests a refund from the provider and looks it up until it has ended. One that stands is tried
/// again by itself for a while.
async fn drive_refunds(app: App, attempt: Attempt<DriveRefund>) -> Result<Outcome, Failure> {
    let DriveRefund {
        refund_id,
        may_exist,
    } = attempt.task;
    let mut conn = app.db.read(NAME).await?;
    let Some(refund) = store::find_refund(&mut conn, refund_id).await? else {
        return Ok(Outcome::Done);
    };
    if refund.state != RefundState::Pending && !(may_exist && refund.provider_ref.is_some()) {
        if !refund.stands() || refund.attempt > OWN_ATTEMPTS {
            return Ok(Outcome::Done);
        }
        let mut tx = app.db.begin(NAME, &attempt.cause).await?;
        acts::begin_attempt(&app, &mut tx, refund_id).await?;
        tx.commit().await?;
        // With its new state it has requested this task anew, or withdrawn it.
        return Ok(Outcome::Done);
    }
    let payment = store::find(&mut conn, refund.payment_id).await?;
    drop(conn);
    let intent = payment.as_ref().and_then(|it| it.state.intent());
    let intent = intent.ok_or_else(|| Failure::park("the payment has no intent"))?;
    let may_exist = may_exist || attempt.earlier > 0;
    match acts::advance_refund(&app, &refund, intent, may_exist).await {
        Ok(Step::Ended | Step::Stands) => Ok(Outcome::Done),
        Ok(Step::OnItsWay) => Ok(Outcome::Wait),
        Err(AdvanceError::Provider(CallError::Callee(GatewayError::Failed))) => {
            acts::take_fresh_key(&app, &refund).await?;
            Err(Failure::retry(GatewayError::Failed))
        }
        Err(error) => {
            match held_up_for_long(&app, &refund, &error) {
                Some(code) if refund.provider_ref.is_none() => {
                    acts::park_unreachable(&app, &refund, code).await?;
                    return Ok(Outcome::Done);
                }
                // It was made once, so it is asked for on, and somebody looks into the other account.
                Some(DELAY_MISSING) => acts::note_missing(&app, &refund).await?,
                Some(_) | None => {}
            }
            acts::postponed(&app, error)
        }
    }
}

/// Why a refund has been held up for too long: our key is refused, or the provider doesn't know what it
/// is asked about. Where nobody answers, it may have been made, and somebody might pay twice.
fn held_up_for_long(app: &App, refund: &Refund, error: &AdvanceError) -> Option<&'static str> {
    let AdvanceError::Provider(CallError::Callee(error)) = error else {
        return None;
    };
    let code = match error {
        GatewayError::KeyRejected(_) => "key_rejected",
        GatewayError::Missing(_) => DELAY_MISSING,
        GatewayError::Unavailable(_)
        | GatewayError::Failed
        | GatewayError::SlowDown(_)
        | GatewayError::Declined(_)
        | GatewayError::MovedOn(_)
        | GatewayError::Refused(_) => return None,
    };
    let since = refund.updated_at + longest_outage();
    (since <= app.clock.now()).then_some(code)
}

/// Books what the provider has refunded without us.
async fn read_refunds(app: App, attempt: Attempt<ReadRefunds>) -> Result<Outcome, Failure> {
    match acts::read_refunds(&app, attempt.task.payment_id, &attempt.cause).await {
        Ok(()) => Ok(Outcome::Done),
        Err(error) => acts::postponed(&app, error),
    }
}

/// Begins the daily comparison.
async fn compare_with_provider(app: &App, cause: &Cause) -> Result<(), Failure> {
    Ok(acts::compare_when_due(app, cause).await?)
}

/// Reads pages of a comparison.
async fn compare_pages(app: App, attempt: Attempt<ComparePages>) -> Result<Outcome, Failure> {
    match acts::compare_page(&app, &attempt.cause, &attempt.task).await {
        Ok(None) => Ok(Outcome::Done),
        Ok(after) => {
            let mut tx = app.db.begin(NAME, &attempt.cause).await?;
            let next = ComparePages {
                after,
                ..attempt.task
            };
            tx.request(&app, &next).await?;
            tx.commit().await?;
            Ok(Outcome::Done)
        }
        Err(error) => acts::postponed(&app, error),
    }
}

/// Reads what is told about an object that is not here.
async fn read_unknown(app: App, attempt: Attempt<ReadUnknown>) -> Result<Outcome, Failure> {
    match acts::read_unknown(&app, &attempt.cause, &attempt.task).await {
        Ok(()) => Ok(Outcome::Done),
        Err(error) => acts::postponed(&app, error),
    }
}

/// Raises and clears the alarms about webhooks.
async fn watch_webhooks(app: &App, cause: &Cause) -> Result<(), Failure> {
    Ok(acts::watch_webhooks(app, cause).await?)
}

/// Ends the alarms of an outage that is over.
async fn ask_again(app: &App, _: &Cause) -> Result<(), Failure> {
    Ok(acts::ask_again(app).await?)
}

/// Looks up payments without news at the provider: a webhook may have been lost.
async fn reconcile_payments(app: &App, _: &Cause) -> Result<(), Failure> {
    let since = app.clock.now() - app.state.settings.reconcile_after();
    let mut conn = app.db.read(NAME).await?;
    let silent = store::list_silent(&mut conn, since, BATCH).await?;
    drop(conn);
    at_once(CONCURRENT_CALLS, silent, |payment| {
        reconcile(app.clone(), payment).boxed()
    })
    .await
}

async fn reconcile(app: App, payment: Payment) -> Result<(), Failure> {
    match acts::advance(&app, &payment).await {
        Ok(_) => Ok(()),
        Err(AdvanceError::Db(error)) => Err(error.into()),
        Err(AdvanceError::Provider(error)) => {
            tracing::warn!(code = "payment.reconciliation_delayed", payment_id = %payment.id, %error,
                "a payment could not be looked up at the provider; it is tried again");
            Ok(())
        }
    }
}

/// The provider repeats none of these any more.
async fn forget_webhooks(app: &App, _: &Cause) -> Result<(), Failure> {
    let before = app.clock.now() - app.state.settings.keep_webhooks();
    let mut conn = app.db.read(NAME).await?;
    while store::delete_webhooks(&mut conn, before).await? {}
    Ok(())
}
