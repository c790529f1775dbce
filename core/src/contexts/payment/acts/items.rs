//! Open items and their alarms: one can't be there without the other.

use eventify_kernel::alarms::{self, Alarm};
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::{OrderId, PaymentId, RefundId, UserId};
use eventify_protocol::money::Money;
use serde_json::json;

use crate::contexts::payment::model::{Done, ItemKind, OpenItem, Payment};
use crate::contexts::payment::{App, store};

/// What ended an item.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub(super) act: &'static str,
    pub(super) by: Option<UserId>,
    pub(super) reference: Option<String>,
}

/// Nobody decided: what it was about is over.
pub(super) fn by_itself(act: &'static str) -> Ending {
    Ending {
        act,
        by: None,
        reference: None,
    }
}

/// Opens an item about a payment, or says anew what an open one is about.
pub(super) async fn open(
    app: &App,
    tx: &mut Tx,
    payment: &Payment,
    about: (ItemKind, String),
    what: (Money, &str, Option<RefundId>),
) -> DbResult<()> {
    open_of(app, tx, (payment.id, payment.order_id), about, what).await
}

/// The same, of a payment that need not be here.
pub(super) async fn open_of(
    app: &App,
    tx: &mut Tx,
    (payment_id, order_id): (PaymentId, OrderId),
    (kind, subject): (ItemKind, String),
    (amount, reason, refund_id): (Money, &str, Option<RefundId>),
) -> DbResult<()> {
    let now = app.clock.now();
    let item = OpenItem {
        id: app.clock.new_id(),
        kind,
        subject,
        payment_id,
        order_id,
        refund_id,
        amount,
        reason: reason.to_owned(),
        since: now,
        updated_at: now,
        revoking: None,
        refused: None,
        done: None,
    };
    let id = store::items::upsert(tx, &item).await?;
    let mut alarm = Alarm::new(kind.alarm(), id.to_string(), kind.words())
        .about("orderId", &order_id)
        .with(json!({
            "itemId": id, "subject": item.subject, "orderId": order_id, "paymentId": payment_id,
            "refundId": refund_id, "amount": amount, "reason": reason,
        }));
    if let Some((owner, org)) = store::items::find_sole_organiser(tx, payment_id).await? {
        alarm = alarm.about("organiserId", &owner);
        alarm = org
            .into_iter()
            .fold(alarm, |it, org| it.about("organisationId", &org));
    }
    alarms::raise(tx, &alarm, now).await
}

/// Ends the open item about this, if there is one, and clears its alarm.
pub(super) async fn close(
    app: &App,
    tx: &mut Tx,
    (kind, subject): (ItemKind, String),
    ending: Ending,
) -> DbResult<()> {
    let now = app.clock.now();
    let done = Done {
        act: ending.act.to_owned(),
        by: ending.by,
        reference: ending.reference,
        at: now,
    };
    if let Some(id) = store::items::close(tx, (kind, &subject), &done).await? {
        alarms::clear(tx, kind.alarm(), &id.to_string(), now).await?;
    }
    Ok(())
}

/// Ends all items of a payment of these kinds.
pub(super) async fn close_all(
    app: &App,
    tx: &mut Tx,
    payment: &Payment,
    kinds: &[ItemKind],
    ending: &Ending,
) -> DbResult<()> {
    for item in store::items::list_open_of_payment(tx, payment.id).await? {
        if kinds.contains(&item.kind) {
            close(app, tx, (item.kind, item.subject), ending.clone()).await?;
        }
    }
    Ok(())
}
