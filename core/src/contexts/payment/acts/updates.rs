//! What the provider says, by webhook or comparison, has its effect.

use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::money::Money;

use super::ledger::{self, Moved};
use super::provider::call;
use super::{AdvanceError, items, record, refunds, unknown, webhooks};
use crate::contexts::payment::gateway::{
    Calls, DisputeStatus, DisputeUpdate, IntentStatus, IntentUpdate, RefundStatus, RefundUpdate,
    Subject, WebhookEvent,
};
use crate::contexts::payment::jobs::{DriveRefund, ReadIntent, ReadRefunds};
use crate::contexts::payment::model::{
    FactKind, ItemKind, LearntBy, Payment, RefundState, is_explained,
};
use crate::contexts::payment::{App, NAME, store};

/// The event's id and its effect are written in one transaction: a second delivery has no effect. What is
/// not ours has none at all, and leaves no row.
pub(crate) async fn receive_webhook(app: &App, cause: &Cause, event: WebhookEvent) -> DbResult<()> {
    let WebhookEvent { id, kind, subject } = event;
    let Some(id) = id else {
        // Thin, or nobody's: it does not show that those reach us which we read.
        tracing::debug!(kind, "a signed webhook that we can't read has no effect");
        return Ok(());
    };
    let mut tx = app.db.begin(NAME, cause).await?;
    store::webhooks::note_taken(&mut tx, app.clock.now()).await?;
    if subject == Subject::Ignored {
        tracing::debug!(
            event_id = id,
            kind,
            "a webhook about nothing of ours has no effect"
        );
        return tx.commit().await;
    }
    let provider = app.state.gateway.name();
    if !store::insert_webhook(&mut tx, provider, (&id, &kind), app.clock.now()).await? {
        return Ok(());
    }
    apply(app, &mut tx, subject, LearntBy::Webhook).await?;
    tx.commit().await
}

/// Applies what the provider says about an object. True when that was news.
pub(super) async fn apply(
    app: &App,
    tx: &mut Tx,
    subject: Subject,
    by: LearntBy,
) -> DbResult<bool> {
    match subject {
        // Whoever can sign a webhook must not be able to pay with it.
        Subject::Intent(update)
            if by == LearntBy::Webhook && update.status == IntentStatus::Succeeded =>
        {
            have_confirmed(app, tx, update).await?;
            Ok(false)
        }
        Subject::Intent(update) => apply_to_payment(app, tx, &update, by).await,
        Subject::Refund(update) => apply_refund(app, tx, &update, by).await,
        Subject::RefundsOf { intent, refunded } => {
            match store::lock_by_reference(tx, &intent).await? {
                Some(payment) => refunds_changed(app, tx, &payment, refunded).await?,
                None => unknown::refund_told(app, tx, &intent, None).await?,
            }
            Ok(false)
        }
        Subject::Dispute(update) => apply_dispute(app, tx, &update, by).await,
        Subject::Ignored => Ok(false),
    }
}

/// Pending refunds are looked up. All of the intent are read if more went back than those explain.
async fn refunds_changed(
    app: &App,
    tx: &mut Tx,
    payment: &Payment,
    refunded: Option<Money>,
) -> DbResult<()> {
    let mut on_its_way = Vec::new();
    for refund in store::list_refunds(tx, payment.id).await? {
        if refund.state == RefundState::Pending {
            tx.request(app, &DriveRefund::existing(refund.id)).await?;
            on_its_way.push(refund.amount);
        }
    }
    let facts = store::ledger::list_of_payment(tx, payment.id).await?;
    if !refunded.is_some_and(|refunded| is_explained(refunded, &facts, &on_its_way)) {
        let payment_id = payment.id;
        tx.request(app, &ReadRefunds { payment_id }).await?;
    }
    Ok(())
}

async fn apply_to_payment(
    app: &App,
    tx: &mut Tx,
    update: &IntentUpdate,
    by: LearntBy,
) -> DbResult<bool> {
    let Some(payment) = lock_of_intent(tx, update).await? else {
        unknown::intent_told(app, tx, update).await?;
        return Ok(false);
    };
    let changed = payment.apply(update, app.clock.now());
    let is_news = changed.is_some();
    if let Some((changed, announcement)) = changed {
        record(app, tx, &changed, (announcement, by)).await?;
    }
    Ok(is_news)
}

/// A webhook that arrives before the call's answer carries our id in its metadata.
async fn lock_of_intent(tx: &mut Tx, update: &IntentUpdate) -> DbResult<Option<Payment>> {
    let known = store::lock_by_reference(tx, &update.intent.reference).await?;
    match (known, update.payment_id) {
        (None, Some(id)) => {
            let named = store::lock(tx, id).await?;
            // Another one than its own is an intent that was requested twice: nobody can pay with it.
            Ok(named.filter(|it| it.state.intent().is_none()))
        }
        (known, _) => Ok(known),
    }
}

/// Requests that the provider is asked, where the money would be news.
async fn have_confirmed(app: &App, tx: &mut Tx, update: IntentUpdate) -> DbResult<()> {
    let Some(payment) = lock_of_intent(tx, &update).await? else {
        return unknown::intent_told(app, tx, &update).await;
    };
    let payment_id = payment.id;
    if payment.apply(&update, app.clock.now()).is_some() {
        let reference = update.intent.reference;
        let task = ReadIntent {
            payment_id,
            reference,
        };
        tx.request(app, &task).await?;
    }
    Ok(())
}

/// Applies what the provider says about an intent that is paid according to a webhook.
pub(crate) async fn read_intent(
    app: &App,
    task: &ReadIntent,
    cause: &Cause,
) -> Result<(), AdvanceError> {
    let retrieve = || app.state.gateway.retrieve_intent(task.reference.clone());
    let update = call(app, Calls::Reads, retrieve).await?;
    let mut tx = app.db.begin(NAME, cause).await?;
    if update.status != IntentStatus::Succeeded {
        webhooks::contradicted(&mut tx, task.payment_id, app.clock.now()).await?;
    }
    apply_to_payment(app, &mut tx, &update, LearntBy::Webhook).await?;
    tx.commit().await?;
    Ok(())
}

/// A refund is ours if it says so and we know it, or if we know the provider's id.
async fn apply_refund(
    app: &App,
    tx: &mut Tx,
    update: &RefundUpdate,
    by: LearntBy,
) -> DbResult<bool> {
    let named = match update.refund_id {
        Some(id) => store::find_refund(tx, id).await?,
        None => None,
    };
    let ours = match named {
        Some(refund) => Some(refund),
        None => store::find_refund_by_reference(tx, &update.reference).await?,
    };
    let Some(refund) = ours else {
        return book_foreign_refund(app, tx, update, by).await;
    };
    // A second object of the same attempt is other money, too.
    let other_object = refund.is_settled_otherwise()
        || update.attempt != refund.attempt
        || refund.provider_ref.is_some();
    if other_object && refund.provider_ref.as_ref() != Some(&update.reference) {
        return book_foreign_refund(app, tx, update, by).await;
    }
    if by == LearntBy::Webhook && refund.must_be_looked_up(update) {
        tx.request(app, &DriveRefund::existing(refund.id)).await?;
        return Ok(false);
    }
    let before = refund.state;
    refunds::apply_update(app, tx, refund.id, update, by).await?;
    let after = store::find_refund(tx, refund.id).await?;
    Ok(after.is_some_and(|it| it.state != before))
}

/// Money went back without us, or such money came back.
pub(super) async fn book_foreign_refund(
    app: &App,
    tx: &mut Tx,
    update: &RefundUpdate,
    by: LearntBy,
) -> DbResult<bool> {
    let payment = match &update.intent {
        Some(intent) => store::lock_by_reference(tx, intent).await?,
        None => None,
    };
    if let (None, Some(intent)) = (&payment, &update.intent) {
        unknown::refund_told(app, tx, intent, Some(update)).await?;
    }
    let Some((payment, amount)) = payment.zip(update.amount) else {
        return Ok(false);
    };
    let facts = store::ledger::list_of_payment(tx, payment.id).await?;
    let has = |kind| {
        let mut of_object = facts.iter().filter(|it| it.reference == update.reference);
        of_object.any(|it| it.kind == kind)
    };
    if has(FactKind::Refunded) {
        // An earlier attempt of ours, which is booked.
        return Ok(false);
    }
    let went = has(FactKind::RefundedElsewhere);
    let kind = match &update.status {
        // On its way: from the account's view the money is gone.
        RefundStatus::Succeeded | RefundStatus::Pending | RefundStatus::NeedsCustomer if !went => {
            FactKind::RefundedElsewhere
        }
        RefundStatus::Failed(_) if went && !has(FactKind::Returned) => FactKind::Returned,
        RefundStatus::Succeeded
        | RefundStatus::Pending
        | RefundStatus::NeedsCustomer
        | RefundStatus::Failed(_) => return Ok(false),
    };
    let moved = Moved {
        kind,
        amount,
        reference: update.reference.clone(),
        refund_id: None,
        happened_at: update.made_at,
    };
    let (payment, _) = ledger::book(app, tx, payment, moved, by).await?;
    let about = (ItemKind::RefundedElsewhere, update.reference.clone());
    if kind == FactKind::Returned {
        items::close(app, tx, about, items::by_itself("returned")).await?;
        return Ok(true);
    }
    items::open(
        app,
        tx,
        &payment,
        about,
        (amount, "refunded_elsewhere", None),
    )
    .await?;
    settle_standing(app, tx, &payment).await?;
    Ok(true)
}

/// A refund of ours that stands may have been paid by it.
async fn settle_standing(app: &App, tx: &mut Tx, payment: &Payment) -> DbResult<()> {
    for refund in store::list_refunds(tx, payment.id).await? {
        if matches!(refund.state, RefundState::Parked(_)) {
            refunds::settle_from_elsewhere(app, tx, refund.id).await?;
        }
    }
    Ok(())
}

async fn apply_dispute(
    app: &App,
    tx: &mut Tx,
    update: &DisputeUpdate,
    by: LearntBy,
) -> DbResult<bool> {
    let Some(mut payment) = store::lock_by_reference(tx, &update.intent).await? else {
        unknown::dispute_told(app, tx, update).await?;
        return Ok(false);
    };
    let facts = store::ledger::list_of_payment(tx, payment.id).await?;
    let has = |kind| {
        let mut of_object = facts.iter().filter(|it| it.reference == update.reference);
        of_object.any(|it| it.kind == kind)
    };
    let decided = match update.status {
        DisputeStatus::Open => None,
        DisputeStatus::Won => Some(FactKind::DisputeWon),
        DisputeStatus::Lost => Some(FactKind::DisputeLost),
    };
    let new = [Some(FactKind::Disputed), decided].into_iter().flatten();
    let new: Vec<_> = new.filter(|kind| !has(*kind)).collect();
    let amount = update.amount.unwrap_or(payment.amount);
    for kind in &new {
        let moved = Moved {
            kind: *kind,
            amount,
            reference: update.reference.clone(),
            refund_id: None,
            happened_at: update.made_at.filter(|_| *kind == FactKind::Disputed),
        };
        (payment, _) = ledger::book(app, tx, payment, moved, by).await?;
    }
    let about = (ItemKind::Disputed, update.reference.clone());
    let reason = match update.status {
        DisputeStatus::Won => {
            items::close(app, tx, about, items::by_itself("won")).await?;
            return Ok(!new.is_empty());
        }
        DisputeStatus::Lost => "lost",
        DisputeStatus::Open => update.reason.as_str(),
    };
    // What somebody has decided stays decided.
    let is_open = store::items::list_open_of_payment(tx, payment.id).await?;
    let is_open = is_open.iter().any(|it| it.subject == update.reference);
    if is_open || new.contains(&FactKind::Disputed) {
        items::open(app, tx, &payment, about, (amount, reason, None)).await?;
    }
    Ok(!new.is_empty())
}
