//! What time and tasks make payment do.

use std::time::Duration;

use eventify_kernel::cause::Cause;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs, at_once};
use eventify_kernel::tasks::{Attempt, Outcome, Task};
use eventify_protocol::ids::{PaymentId, RefundId};
use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::acts::{self, AdvanceError};
use super::model::{Payment, RefundState};
use super::{App, NAME, store};

pub(crate) const DRIVE_PAYMENTS: Job = Job::of(NAME, "drive_payments");
pub(crate) const DRIVE_REFUNDS: Job = Job::of(NAME, "drive_refunds");
pub(crate) const RECONCILE_PAYMENTS: Job = Job::of(NAME, "reconcile_payments");

/// Payments that one reconciliation lists.
const BATCH: u16 = 100;
/// Concurrent calls to the provider in one reconciliation.
const CONCURRENT_CALLS: usize = 16;

pub(super) fn jobs() -> Jobs<App> {
    Jobs::new()
        .tasks(drive_payments)
        .tasks(drive_refunds)
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

/// Sends the next request of a payment until the provider has answered.
async fn drive_payments(app: App, attempt: Attempt<DrivePayment>) -> Result<Outcome, Failure> {
    let mut conn = app.db.read(NAME).await?;
    let payment = store::find(&mut conn, attempt.task.payment_id).await?;
    drop(conn);
    let Some(payment) = payment.filter(|it| it.state.next_request().is_some()) else {
        return Ok(Outcome::Done);
    };
    let changed = acts::advance(&app, &payment)
        .await
        .map_err(Failure::retry)?;
    // With its new state, a payment has withdrawn this task or requested it anew.
    Ok(changed.map_or(Outcome::Wait, |_| Outcome::Done))
}

/// Requests a refund from the provider and looks it up until it has ended.
async fn drive_refunds(app: App, attempt: Attempt<DriveRefund>) -> Result<Outcome, Failure> {
    let DriveRefund {
        refund_id,
        may_exist,
    } = attempt.task;
    let mut conn = app.db.read(NAME).await?;
    let refund = store::find_refund(&mut conn, refund_id).await?;
    let Some(refund) = refund.filter(|it| it.state == RefundState::Pending) else {
        return Ok(Outcome::Done);
    };
    let payment = store::find(&mut conn, refund.payment_id).await?;
    drop(conn);
    let intent = payment.as_ref().and_then(|it| it.state.intent());
    let intent = intent.ok_or_else(|| Failure::park("the payment has no intent"))?;
    let may_exist = may_exist || attempt.earlier > 0;
    let advanced = acts::advance_refund(&app, &refund, intent, may_exist).await;
    match advanced.map_err(Failure::retry)? {
        true => Ok(Outcome::Done),
        false => Ok(Outcome::Wait),
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
