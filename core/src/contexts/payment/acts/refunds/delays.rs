//! Refunds that the provider has and whose money doesn't arrive: somebody has to see them.

use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbResult, Tx};

use super::super::items;
use super::lock_both;
use crate::contexts::payment::gateway::RefundStatus;
use crate::contexts::payment::model::{DELAY_MISSING, ItemKind, Payment, Refund, RefundState};
use crate::contexts::payment::{App, NAME, store};

const KIND: ItemKind = ItemKind::RefundDelayed;

/// Opens or closes the item of a pending refund, by what the provider says of it now.
pub(super) async fn check(
    app: &App,
    tx: &mut Tx,
    payment: &Payment,
    refund: &Refund,
    status: &RefundStatus,
) -> DbResult<()> {
    let subject = refund.id.to_string();
    let accepted_at = store::items::accepted_at(tx, (KIND, &subject)).await?;
    match refund.delay(status, accepted_at, app.clock.now()) {
        Some(reason) => {
            let what = (refund.amount, reason, Some(refund.id));
            items::open(app, tx, payment, (KIND, subject), what).await
        }
        None => items::close(app, tx, (KIND, subject), items::by_itself("on_its_way")).await,
    }
}

/// The provider has made the refund, and for a day now doesn't know it: this is another account.
pub(crate) async fn note_missing(app: &App, refund: &Refund) -> DbResult<()> {
    let mut tx = app.db.begin(NAME, &Cause::of(refund.correlation)).await?;
    let Some((payment, current)) = lock_both(&mut tx, refund.id).await? else {
        return Ok(());
    };
    let same = current.provider_ref == refund.provider_ref;
    if !same || current.state != RefundState::Pending {
        return Ok(());
    }
    let subject = refund.id.to_string();
    let accepted_at = store::items::accepted_at(&mut tx, (KIND, &subject)).await?;
    if !current.may_wait(accepted_at, app.clock.now()) {
        let what = (refund.amount, DELAY_MISSING, Some(refund.id));
        items::open(app, &mut tx, &payment, (KIND, subject), what).await?;
    }
    tx.commit().await
}
