//! What time and tasks make payment do.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use eventify_kernel::breaker::CallError;
use eventify_kernel::cause::Cause;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs, at_once};
use eventify_kernel::tasks::{Attempt, Outcome, Task};
use eventify_protocol::ids::{PaymentId, RefundId};
use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::acts::{self, AdvanceError, Step};
use super::gateway::{GatewayError, Made};
use super::model::{DELAY_MISSING, Payment, Refund, RefundState};
use super::{App, NAME, store};

pub(crate) const DRIVE_PAYMENTS: Job = Job::of(NAME, "drive_payments");
pub(crate) const READ_INTENTS: Job = Job::of(NAME, "read_intents");
pub(crate) const DRIVE_REFUNDS: Job = Job::of(NAME, "drive_refunds");
pub(crate) const READ_REFUNDS: Job = Job::of(NAME, "read_refunds");
pub(crate) const RECONCILE_PAYMENTS: Job = Job::of(NAME, "reconcile_payments");
pub(crate) const COMPARE_WITH_PROVIDER: Job = Job::of(NAME, "compare_with_provider");
pub(crate) const COMPARE_PAGES: Job = Job::of(NAME, "compare_pages");

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
        .every(
            Duration::from_secs(600),
            COMPARE_WITH_PROVIDER,
            compare_with_provider,
        )
        .every(
            Duration::from_millis(500),
            RECONCILE_PAYMENTS,
            reconcile_payments,
        )
}

/// The payment has a next request to the provider.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct DrivePayment {
    pub(super) payment_id: PaymentId,
}

impl Task for DrivePayment {
    const JOB: Job = DRIVE_PAYMENTS;

    fn key(&self) -> Uuid {
        self.payment_id.as_uuid()
    }
}

/// A webhook says that the money of an intent came: the provider itself has to say so.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ReadIntent {
    pub(super) payment_id: PaymentId,
    /// The provider's id.
    pub(super) reference: String,
}

impl Task for ReadIntent {
    const JOB: Job = READ_INTENTS;

    fn key(&self) -> Uuid {
        self.payment_id.as_uuid()
    }
}

/// The refund is pending.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct DriveRefund {
    refund_id: RefundId,
    /// The provider may have it, although its answer was lost.
    may_exist: bool,
}

impl DriveRefund {
    pub(super) fn new(refund_id: RefundId) -> Self {
        Self {
            refund_id,
            may_exist: false,
        }
    }

    pub(super) fn existing(refund_id: RefundId) -> Self {
        Self {
            refund_id,
            may_exist: true,
        }
    }
}

impl Task for DriveRefund {
    const JOB: Job = DRIVE_REFUNDS;

    fn key(&self) -> Uuid {
        self.refund_id.as_uuid()
    }
}

/// Refunds of a payment's intent have changed at the provider.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct ReadRefunds {
    pub(super) payment_id: PaymentId,
}

impl Task for ReadRefunds {
    const JOB: Job = READ_REFUNDS;

    fn key(&self) -> Uuid {
        self.payment_id.as_uuid()
    }
}

/// A part of a comparison has more pages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ComparePages {
    pub(super) part: Uuid,
    pub(super) comparison_id: Uuid,
    pub(super) made: Part,
    pub(super) since: DateTime<Utc>,
    pub(super) after: Option<String>,
}

/// [`Made`], as it is stored.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    Intents,
    Refunds,
    Disputes,
}

impl Task for ComparePages {
    const JOB: Job = COMPARE_PAGES;
    /// The shop goes first.
    const CONCURRENCY: u16 = 1;

    fn key(&self) -> Uuid {
        self.part
    }
}

impl From<Made> for Part {
    fn from(made: Made) -> Self {
        match made {
            Made::Intents => Self::Intents,
            Made::Refunds => Self::Refunds,
            Made::Disputes => Self::Disputes,
        }
    }
}

impl From<Part> for Made {
    fn from(part: Part) -> Self {
        match part {
            Part::Intents => Self::Intents,
            Part::Refunds => Self::Refunds,
            Part::Disputes => Self::Disputes,
        }
    }
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
