//! What people decide about open items.

use eventify_contracts::payment::SettledBy;
use eventify_kernel::cause::Cause;
use eventify_kernel::db::{DbError, Tx};
use eventify_protocol::ids::{TicketId, UserId};
use eventify_protocol::money::Money;
use uuid::Uuid;

use super::items::{self, Ending};
use super::ledger::{self, Moved};
use super::{AdvanceError, advance, record, refunds, revocations, unknown};
use crate::contexts::payment::model::{
    Act, FactKind, ItemKind, LearntBy, OpenItem, Payment, Refund,
};
use crate::contexts::payment::{App, NAME, store};

/// Somebody's decision.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) act: Act,
    pub(crate) by: UserId,
    /// Of a payment by another way.
    pub(crate) reference: Option<String>,
    /// Whose value ends; empty: all of the order.
    pub(crate) tickets: Vec<TicketId>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecisionError {
    #[error("there is no such open item")]
    Unknown,
    #[error("the item is done: {0}")]
    Done(String),
    /// With what may be done instead.
    #[error("'{act}' can't be done here; {}", allowed(.acts))]
    NotAllowed {
        act: &'static str,
        acts: Vec<&'static str>,
    },
    #[error("ticket {0} does not belong to this order")]
    ForeignTicket(TicketId),
    #[error("ticket {0} belongs to a refund of its own, which ends its value")]
    InRefund(TicketId),
    #[error("the money that went back is less than the order's: name the tickets that it was for")]
    TicketsNotNamed,
    #[error(transparent)]
    Provider(#[from] AdvanceError),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl DecisionError {
    pub(super) fn not_allowed(act: Act, acts: &[Act]) -> Self {
        Self::NotAllowed {
            act: act.name(),
            acts: acts.iter().map(|act| act.name()).collect(),
        }
    }
}

fn allowed(acts: &[&'static str]) -> String {
    match acts {
        [] => "an attempt is on its way: wait for its end".to_owned(),
        acts => format!("allowed: {}", acts.join(", ")),
    }
}

/// What a decision is about, locked.
struct About {
    item: OpenItem,
    payment: Payment,
    refund: Option<Refund>,
}

/// Does what was decided, once. The item as it is afterwards.
pub(crate) async fn decide(
    app: &App,
    cause: &Cause,
    id: Uuid,
    decision: Decision,
) -> Result<OpenItem, DecisionError> {
    let mut conn = app.db.read(NAME).await?;
    let item = store::items::find(&mut conn, id).await?;
    drop(conn);
    match item.ok_or(DecisionError::Unknown)?.kind {
        ItemKind::UnknownPayment | ItemKind::UnknownDispute => {
            unknown::decide(app, cause, id, &decision).await?;
        }
        ItemKind::RefundRefused
        | ItemKind::RefundReturned
        | ItemKind::RefundDelayed
        | ItemKind::RefundedElsewhere
        | ItemKind::AmountDiffers
        | ItemKind::Disputed
        | ItemKind::IntentRefused => decide_known(app, cause, id, &decision).await?,
    }
    tracing::info!(code = "payment.item_decided", item_id = %id, act = decision.act.name(),
        user_id = %decision.by, "somebody has decided about an open item");
    let mut conn = app.db.read(NAME).await?;
    let item = store::items::find(&mut conn, id).await?;
    item.ok_or(DecisionError::Unknown)
}

/// Of a payment that is here.
async fn decide_known(
    app: &App,
    cause: &Cause,
    id: Uuid,
    decision: &Decision,
) -> Result<(), DecisionError> {
    let mut tx = app.db.begin(NAME, cause).await?;
    let about = lock(&mut tx, id).await?;
    let acts = about.item.acts(about.refund.as_ref(), app.clock.now());
    let refused = || DecisionError::not_allowed(decision.act, acts);
    if !acts.contains(&decision.act) {
        return Err(refused());
    }
    let asks_again = matches!(
        (about.item.kind, decision.act),
        (ItemKind::AmountDiffers, Act::Retry)
    );
    if asks_again {
        tx.commit().await?;
        advance(app, &about.payment).await?;
    } else {
        if !act(app, &mut tx, about, decision).await? {
            return Err(refused());
        }
        tx.commit().await?;
    }
    Ok(())
}

async fn lock(tx: &mut Tx, id: Uuid) -> Result<About, DecisionError> {
    let found = store::items::find(tx, id).await?;
    let found = found.ok_or(DecisionError::Unknown)?;
    let payment = store::lock(tx, found.payment_id).await?;
    let payment = payment.ok_or(DecisionError::Unknown)?;
    // Whoever decided before held the same lock.
    let item = store::items::find(tx, id).await?;
    let item = item.ok_or(DecisionError::Unknown)?;
    if let Some(done) = &item.done {
        return Err(DecisionError::Done(done.act.clone()));
    }
    let refund = match item.refund_id {
        Some(id) => store::lock_refund(tx, id).await?,
        None => None,
    };
    Ok(About {
        item,
        payment,
        refund,
    })
}

/// False when that can't be done as things are.
async fn act(
    app: &App,
    tx: &mut Tx,
    about: About,
    decision: &Decision,
) -> Result<bool, DecisionError> {
    match about.item.kind {
        ItemKind::RefundRefused | ItemKind::RefundReturned => {
            about_refund(app, tx, about, decision).await
        }
        // Its end is the provider's, and closes the next item.
        ItemKind::RefundDelayed if decision.act == Act::Accept => {
            close(app, tx, &about.item, decision).await?;
            Ok(true)
        }
        ItemKind::RefundDelayed => about_refund(app, tx, about, decision).await,
        ItemKind::RefundedElsewhere | ItemKind::Disputed => {
            match decision.act {
                Act::Revoke => {
                    revocations::begin(app, tx, (&about.item, &about.payment), decision).await?;
                }
                Act::Retry | Act::Accept | Act::PayOtherwise => {
                    close(app, tx, &about.item, decision).await?;
                }
            }
            Ok(true)
        }
        ItemKind::AmountDiffers => about_amount(app, tx, about, decision).await,
        ItemKind::IntentRefused => {
            let Some(again) = about.payment.create_again(app.clock.now()) else {
                return Ok(false);
            };
            record(app, tx, &again, (None, LearntBy::Staff)).await?;
            Ok(true)
        }
        // Decided in `unknown`.
        ItemKind::UnknownPayment | ItemKind::UnknownDispute => Ok(false),
    }
}

async fn about_refund(
    app: &App,
    tx: &mut Tx,
    about: About,
    decision: &Decision,
) -> Result<bool, DecisionError> {
    let Some(refund) = about.refund else {
        return Ok(false);
    };
    let now = app.clock.now();
    let ended = match decision.act {
        // The item stays open until the money is there.
        Act::Retry => return Ok(refunds::begin_attempt(app, tx, refund.id).await?),
        Act::PayOtherwise => refund.settle(SettledBy::Hand, decision.reference.clone(), now),
        Act::Accept => refund.give_up(now),
        Act::Revoke => None,
    };
    let Some(ended) = ended else {
        return Ok(false);
    };
    close(app, tx, &about.item, decision).await?;
    refunds::end(app, tx, about.payment, ended, LearntBy::Staff).await?;
    Ok(true)
}

async fn about_amount(
    app: &App,
    tx: &mut Tx,
    about: About,
    decision: &Decision,
) -> Result<bool, DecisionError> {
    let About { item, payment, .. } = about;
    match decision.act {
        Act::Accept => {
            let Some((paid, announcement)) = payment.accept_amount(app.clock.now()) else {
                return Ok(false);
            };
            close(app, tx, &item, decision).await?;
            record(app, tx, &paid, (announcement, LearntBy::Staff)).await?;
        }
        Act::PayOtherwise => {
            // Of an ended order, with an amount that nobody told, there is only the reference.
            let nothing = Money::zero(payment.amount.currency());
            let (captured, refunded) = payment.state.amounts().unwrap_or((nothing, nothing));
            let left = captured.minor() - refunded.minor();
            let left = Money::from_minor(captured.currency(), left.max(0));
            let moved = Moved {
                kind: FactKind::PaidByHand,
                amount: left.unwrap_or(captured),
                reference: decision.reference.clone().unwrap_or_default(),
                refund_id: None,
                happened_at: None,
            };
            close(app, tx, &item, decision).await?;
            ledger::book(app, tx, payment, moved, LearntBy::Staff).await?;
        }
        Act::Retry | Act::Revoke => return Ok(false),
    }
    Ok(true)
}

pub(super) async fn close(
    app: &App,
    tx: &mut Tx,
    item: &OpenItem,
    decision: &Decision,
) -> Result<(), DecisionError> {
    let ending = Ending {
        act: decision.act.name(),
        by: Some(decision.by),
        reference: decision.reference.clone(),
    };
    let about = (item.kind, item.subject.clone());
    Ok(items::close(app, tx, about, ending).await?)
}
