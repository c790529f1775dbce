//! Money at the provider that is marked as this installation's, and whose payment is not here: a restored
//! database has forgotten it, and its seats may be sold again. Each intent carries our id, so what other
//! systems make on the same account stays unread. What is told about an intent that is not here is looked
//! up at the provider, and becomes an item until the money has gone back or somebody has decided.

use eventify_kernel::breaker::CallError;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::money::Money;
use uuid::Uuid;

use super::decisions::{self, Decision, DecisionError};
use super::provider::call;
use super::{AdvanceError, items};
use crate::contexts::payment::gateway::{
    Calls, DisputeStatus, DisputeUpdate, GatewayError, IntentStatus, IntentUpdate, Origin,
    RefundUpdate,
};
use crate::contexts::payment::jobs::{ReadUnknown, Unknown};
use crate::contexts::payment::model::{Act, ItemKind, OpenItem, held, taken};
use crate::contexts::payment::{App, NAME, store};

/// The id that each intent of this installation carries.
pub(super) async fn installation(app: &App) -> DbResult<Uuid> {
    let read = async || {
        let mut conn = app.db.read(NAME).await?;
        store::unknown::installation(&mut conn).await
    };
    app.state.installation.get_or_try_init(read).await.copied()
}

/// Has an intent looked at that no payment here has.
pub(super) async fn intent_told(app: &App, tx: &mut Tx, update: &IntentUpdate) -> DbResult<()> {
    if ours(app, update).await?.is_none() {
        tracing::debug!(
            provider_ref = update.intent.reference,
            "an intent of another system on the same account has no effect"
        );
        return Ok(());
    }
    match update.status {
        IntentStatus::Authorised | IntentStatus::Succeeded | IntentStatus::Canceled => {
            let task = ReadUnknown::new(Unknown::Intent, &update.intent.reference);
            tx.request(app, &task).await
        }
        // It holds no money.
        IntentStatus::AwaitingCustomer | IntentStatus::Processing => Ok(()),
    }
}

/// The same, where money of an intent went back. A refund says nothing of who made the intent: it counts
/// if it names one of ours, or if the intent is known to be.
pub(super) async fn refund_told(
    app: &App,
    tx: &mut Tx,
    intent: &str,
    update: Option<&RefundUpdate>,
) -> DbResult<()> {
    let about = (ItemKind::UnknownPayment, intent);
    let names_one = update.is_some_and(|it| it.refund_id.is_some());
    if names_one || store::unknown::is_open(tx, about).await? {
        let task = ReadUnknown::new(Unknown::Intent, intent);
        tx.request(app, &task).await?;
    }
    Ok(())
}

/// The same, where a bank takes money back: a dispute says nothing of ours at all.
pub(super) async fn dispute_told(app: &App, tx: &mut Tx, update: &DisputeUpdate) -> DbResult<()> {
    let about = (ItemKind::UnknownDispute, update.reference.as_str());
    if update.status == DisputeStatus::Open || store::unknown::is_open(tx, about).await? {
        let task = ReadUnknown::new(Unknown::Dispute, &update.reference);
        tx.request(app, &task).await?;
    }
    Ok(())
}

async fn ours(app: &App, update: &IntentUpdate) -> DbResult<Option<Origin>> {
    let installation = installation(app).await?;
    Ok(update.origin.filter(|it| it.installation == installation))
}

/// Reads at the provider what is told about an object that is not here, and opens or ends its item.
pub(crate) async fn read_unknown(
    app: &App,
    cause: &Cause,
    task: &ReadUnknown,
) -> Result<(), AdvanceError> {
    match read(app, cause, task).await {
        // Of another account, or gone with the endpoint's test data: nothing that is ours.
        Err(AdvanceError::Provider(CallError::Callee(GatewayError::Missing(_)))) => Ok(()),
        result => result,
    }
}

async fn read(app: &App, cause: &Cause, task: &ReadUnknown) -> Result<(), AdvanceError> {
    let gateway = &app.state.gateway;
    let dispute = match task.object {
        Unknown::Intent => None,
        Unknown::Dispute => {
            let retrieve = || gateway.retrieve_dispute(task.reference.clone());
            Some(call(app, Calls::Comparisons, retrieve).await?)
        }
    };
    let reference = match &dispute {
        Some(dispute) => dispute.intent.clone(),
        None => task.reference.clone(),
    };
    let retrieve = || gateway.retrieve_intent(reference.clone());
    let intent = call(app, Calls::Comparisons, retrieve).await?;
    let Some(origin) = ours(app, &intent).await? else {
        return Ok(());
    };
    let (about, what) = match dispute {
        Some(dispute) => (
            (ItemKind::UnknownDispute, task.reference.clone()),
            taken(&dispute),
        ),
        None => {
            let list = || gateway.list_refunds(reference.clone());
            let refunds = call(app, Calls::Comparisons, list).await?;
            (
                (ItemKind::UnknownPayment, reference),
                held(&intent, &refunds),
            )
        }
    };
    let mut tx = app.db.begin(NAME, cause).await?;
    let is_here = store::lock_by_reference(&mut tx, &intent.intent.reference).await?;
    let what = what.filter(|_| is_here.is_none());
    note(app, &mut tx, origin, (about, what)).await?;
    Ok(tx.commit().await?)
}

/// Opens the item, or ends it when no money is left of what it is about.
async fn note(
    app: &App,
    tx: &mut Tx,
    origin: Origin,
    (about, what): ((ItemKind, String), Option<(Money, &'static str)>),
) -> DbResult<()> {
    let Some((amount, reason)) = what else {
        return items::close(app, tx, about, items::by_itself("settled")).await;
    };
    let subject = (about.0, about.1.as_str());
    // What somebody has decided stays decided.
    if store::unknown::is_decided(tx, subject, (amount, reason)).await? {
        return Ok(());
    }
    let ids = (origin.payment_id, origin.order_id);
    items::open_of(app, tx, ids, about, (amount, reason, None)).await
}

/// Does what somebody decided about such an item.
pub(super) async fn decide(
    app: &App,
    cause: &Cause,
    id: Uuid,
    decision: &Decision,
) -> Result<(), DecisionError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let item = store::items::lock(&mut tx, id).await?;
    let item = item.ok_or(DecisionError::Unknown)?;
    if let Some(done) = &item.done {
        return Err(DecisionError::Done(done.act.clone()));
    }
    let acts = item.acts(None, app.clock.now());
    match decision.act {
        act if !acts.contains(&act) => Err(DecisionError::not_allowed(act, acts)),
        Act::Retry => {
            tx.commit().await?;
            Ok(read_unknown(app, cause, &look_up(&item)).await?)
        }
        Act::Accept | Act::PayOtherwise | Act::Revoke => {
            decisions::close(app, &mut tx, &item, decision).await?;
            Ok(tx.commit().await?)
        }
    }
}

fn look_up(item: &OpenItem) -> ReadUnknown {
    let object = match item.kind {
        ItemKind::UnknownDispute => Unknown::Dispute,
        ItemKind::UnknownPayment
        | ItemKind::RefundRefused
        | ItemKind::RefundReturned
        | ItemKind::RefundDelayed
        | ItemKind::RefundedElsewhere
        | ItemKind::AmountDiffers
        | ItemKind::Disputed
        | ItemKind::IntentRefused => Unknown::Intent,
    };
    ReadUnknown::new(object, &item.subject)
}
