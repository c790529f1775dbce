//! What can be done with payments. The provider is called behind the breaker `pay_psp`, outside of
//! every transaction.

mod intents;
mod refunds;
mod webhook;

use eventify_contracts::payment::{PaymentCaptured, PaymentFailed};
use eventify_kernel::breaker::{CallError, IsFault};
use eventify_kernel::db::{DbError, DbResult, Tx};

use super::gateway::{GatewayCall, GatewayError};
use super::jobs::DrivePayment;
use super::model::{Announcement, Payment};
use super::{App, store};

pub use intents::{CreatedIntent, IntentError, IntentRequest, create_intent};
pub(super) use intents::{advance, refresh};
pub(super) use refunds::{advance_refund, request_refund};
pub(super) use webhook::receive_webhook;

/// Why a payment or refund could not be advanced.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdvanceError {
    /// The next request stays stored with the state.
    #[error(transparent)]
    Provider(#[from] CallError<GatewayError>),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl IsFault for GatewayError {
    fn is_fault(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Calls the provider behind the breaker.
async fn call<T: Send + 'static>(
    app: &App,
    attempt: impl Fn() -> GatewayCall<T>,
) -> Result<T, CallError<GatewayError>> {
    app.state.breaker.call(attempt).await
}

/// Writes the new state of a payment, requests the task that its next request to the provider
/// needs, and publishes its result.
pub(super) async fn record(
    app: &App,
    tx: &mut Tx,
    payment: &Payment,
    announcement: Option<Announcement>,
) -> DbResult<()> {
    store::update(tx, payment).await?;
    let (payment_id, order_id) = (payment.id, payment.order_id);
    match payment.state.next_request() {
        Some(_) => tx.request(app, &DrivePayment { payment_id }).await?,
        None => tx.withdraw::<DrivePayment>(payment_id.as_uuid()).await?,
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
