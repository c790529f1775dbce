//! What can be done with payments. The provider is called outside of every transaction.

mod comparison;
mod decisions;
mod intents;
mod items;
mod ledger;
mod provider;
mod refunds;
mod revocations;
mod unknown;
mod updates;
mod webhooks;

use eventify_contracts::payment::{PaymentCaptured, PaymentFailed};
use eventify_kernel::db::{DbResult, Tx};

use super::jobs::DrivePayment;
use super::model::{Announcement, ItemKind, LearntBy, Payment, State};
use super::{App, store};

pub(super) use comparison::{compare_page, compare_when_due, start_comparison};
pub(super) use decisions::{Decision, DecisionError, decide};
pub use intents::{
    Closed, CreatedIntent, IntentError, IntentRequest, IntentState, close_intent, create_intent,
};
pub(super) use intents::{advance, order_ended, refresh};
pub(super) use provider::{AdvanceError, ask_again, postponed};
pub(super) use refunds::{
    Step, advance_refund, begin_attempt, note_missing, park_unreachable, read_refunds,
    request_refund, take_fresh_key,
};
pub(super) use revocations::{refused as revocation_refused, ticket_revoked, tickets_issued};
pub(super) use unknown::read_unknown;
pub(super) use updates::{read_intent, receive_webhook};
pub(super) use webhooks::{RefusalLog, watch_webhooks, webhook_refused};

/// Writes the new state of a payment, books what was captured, opens and closes the items that it
/// makes, requests the task that its next request to the provider needs, and publishes its result.
pub(super) async fn record(
    app: &App,
    tx: &mut Tx,
    payment: &Payment,
    (announcement, learnt_by): (Option<Announcement>, LearntBy),
) -> DbResult<()> {
    store::update(tx, payment).await?;
    let (payment_id, order_id) = (payment.id, payment.order_id);
    tx.arrived(order_id.as_uuid());
    match payment.state.next_request() {
        Some(_) => tx.request(app, &DrivePayment { payment_id }).await?,
        None => tx.withdraw::<DrivePayment>(payment_id.as_uuid()).await?,
    }
    match &payment.state {
        State::Differs { captured, .. } => {
            ledger::book_capture(app, tx, payment, learnt_by).await?;
            let reason = match captured.currency() == payment.amount.currency() {
                true => "amount_differs",
                false => "currency_differs",
            };
            let about = (ItemKind::AmountDiffers, payment_id.to_string());
            items::open(app, tx, payment, about, (*captured, reason, None)).await?;
        }
        State::Captured { captured, .. } => {
            ledger::book_capture(app, tx, payment, learnt_by).await?;
            if *captured == payment.amount {
                let about = (ItemKind::AmountDiffers, payment_id.to_string());
                items::close(app, tx, about, items::by_itself("captured")).await?;
            }
        }
        State::Creating { parked: Some(code) } => {
            let about = (ItemKind::IntentRefused, payment_id.to_string());
            let what = (payment.amount, code.as_str(), None);
            items::open(app, tx, payment, about, what).await?;
        }
        State::AwaitingCustomer(_) => {
            let about = (ItemKind::IntentRefused, payment_id.to_string());
            items::close(app, tx, about, items::by_itself("created")).await?;
        }
        State::Creating { parked: None } | State::Capturing(_) | State::Ended { .. } => {}
    }
    match announcement {
        Some(Announcement::Captured(amount)) => {
            let event = PaymentCaptured {
                payment_id,
                order_id,
                amount,
            };
            tx.publish(app.clock.new_id(), payment.version, &event);
        }
        Some(Announcement::Failed(failure_reason)) => {
            let event = PaymentFailed {
                payment_id,
                order_id,
                failure_reason,
            };
            tx.publish(app.clock.new_id(), payment.version, &event);
        }
        None => {}
    }
    Ok(())
}
