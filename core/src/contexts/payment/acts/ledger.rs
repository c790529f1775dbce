//! Facts are booked, and a payment shows what they add up to.

use chrono::{DateTime, Utc};
use eventify_contracts::payment::RefundedElsewhere;
use eventify_kernel::db::{DbResult, Tx};
use eventify_protocol::ids::RefundId;
use eventify_protocol::money::Money;

use super::record;
use crate::contexts::payment::model::{Fact, FactKind, LearntBy, Payment, Sums};
use crate::contexts::payment::{App, store};

/// What moved how much money.
#[derive(Clone, Debug)]
pub(super) struct Moved {
    pub(super) kind: FactKind,
    pub(super) amount: Money,
    /// The provider's id, or that of a payment by hand.
    pub(super) reference: String,
    pub(super) refund_id: Option<RefundId>,
    pub(super) happened_at: Option<DateTime<Utc>>,
}

/// The facts of a payment that this transaction has locked, and their sums.
pub(super) async fn read(tx: &mut Tx, payment: &Payment) -> DbResult<(Vec<Fact>, Sums)> {
    let facts = store::ledger::list_of_payment(tx, payment.id).await?;
    let sums = Sums::of(&facts, payment.amount.currency());
    Ok((facts, sums))
}

/// Books a fact about a payment that this transaction has locked; returns the payment with what the
/// ledger adds up to now. Money that moved without us is told to order.
pub(super) async fn book(
    app: &App,
    tx: &mut Tx,
    payment: Payment,
    moved: Moved,
    learnt_by: LearntBy,
) -> DbResult<(Payment, Sums)> {
    let now = app.clock.now();
    let (_, before) = read(tx, &payment).await?;
    let fact = Fact {
        payment_id: payment.id,
        kind: moved.kind,
        amount: moved.amount,
        reference: moved.reference,
        refund_id: moved.refund_id,
        learnt_by,
        happened_at: moved.happened_at.unwrap_or(now),
    };
    store::ledger::insert(tx, &fact, now).await?;
    let (_, sums) = read(tx, &payment).await?;
    let payment = match payment.clone().with_sums(&sums, now) {
        Some(changed) => {
            record(app, tx, &changed, (None, learnt_by)).await?;
            changed
        }
        None => payment,
    };
    if sums.refunded_elsewhere != before.refunded_elsewhere {
        let event = RefundedElsewhere {
            payment_id: payment.id,
            order_id: payment.order_id,
            total: sums.refunded_elsewhere,
        };
        tx.publish(app.clock.new_id(), payment.version, &event);
    }
    Ok((payment, sums))
}

/// Books what was captured, unless that is the ledger's last word about it.
pub(super) async fn book_capture(
    app: &App,
    tx: &mut Tx,
    payment: &Payment,
    learnt_by: LearntBy,
) -> DbResult<()> {
    let amounts = payment.state.amounts();
    let Some(((captured, _), intent)) = amounts.zip(payment.state.intent()) else {
        return Ok(());
    };
    let facts = store::ledger::list_of_payment(tx, payment.id).await?;
    let known = facts.iter().rfind(|it| it.kind == FactKind::Captured);
    if known.is_some_and(|it| it.amount == captured) {
        return Ok(());
    }
    let now = app.clock.now();
    let fact = Fact {
        payment_id: payment.id,
        kind: FactKind::Captured,
        amount: captured,
        reference: intent.reference.clone(),
        refund_id: None,
        learnt_by,
        happened_at: now,
    };
    store::ledger::insert(tx, &fact, now).await
}

/// What went back without us and nobody has explained: it counts for the next refund first, so that
/// no money goes back twice.
pub(super) async fn unexplained_elsewhere(
    tx: &mut Tx,
    payment: &Payment,
    sums: &Sums,
) -> DbResult<Money> {
    let currency = sums.captured.currency();
    let explained = store::ledger::explained_elsewhere(tx, payment.id, currency).await?;
    let left = sums.refunded_elsewhere.minor() - explained.minor();
    Ok(Money::from_minor(currency, left.max(0)).unwrap_or(Money::zero(currency)))
}
