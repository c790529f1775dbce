//! A verified webhook has its effect.

use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};

use super::{record, refunds};
use crate::contexts::payment::gateway::{IntentUpdate, Subject, WebhookEvent};
use crate::contexts::payment::jobs::DriveRefund;
use crate::contexts::payment::{App, NAME, store};

/// The event's id and its effect are written in one transaction: a second delivery has no effect.
pub(crate) async fn receive_webhook(app: &App, cause: &Cause, event: WebhookEvent) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let provider = app.state.gateway.name();
    if !store::insert_webhook(&mut tx, provider, &event, app.clock.now()).await? {
        return Ok(());
    }
    match event.subject {
        Subject::Intent(update) => apply_to_payment(app, &mut tx, &update).await?,
        Subject::Refund(update) => {
            if let Some(id) = update.refund_id {
                refunds::apply_update(app, &mut tx, id, &update).await?;
            }
        }
        Subject::RefundsOf(reference) => {
            if let Some(payment) = store::lock_by_reference(&mut tx, &reference).await? {
                for id in store::list_pending(&mut tx, payment.id).await? {
                    tx.request(app, &DriveRefund::existing(id)).await?;
                }
            }
        }
        Subject::Ignored => {}
    }
    tx.commit().await
}

async fn apply_to_payment(app: &App, tx: &mut Tx, update: &IntentUpdate) -> DbResult<()> {
    let known = store::lock_by_reference(tx, &update.intent.reference).await?;
    // A webhook that arrives before the call's answer carries our id in its metadata.
    let payment = match (known, update.payment_id) {
        (None, Some(id)) => store::lock(tx, id).await?,
        (known, _) => known,
    };
    if let Some((changed, announcement)) =
        payment.and_then(|payment| payment.apply(update, app.clock.now()))
    {
        record(app, tx, &changed, announcement).await?;
    }
    Ok(())
}
