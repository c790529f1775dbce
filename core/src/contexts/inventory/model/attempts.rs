//! Attempts: one seat, one payer (DECISIONS 45).
//!
//! A caller that got no answer can't know whether its hold was taken. It says "undo this attempt" and
//! may try again under the same hold id, and nobody knows in which order the three arrive. So a
//! release of this kind names the attempt that it undoes, never the hold: the hold ends only when no
//! attempt is left standing, and an attempt that was undone before it arrived is refused.

use eventify_contracts::reservation::EndReason;
use uuid::Uuid;

use super::hold::HoldRefusal;

/// One request for a hold. Its repeats on the way (a breaker's second try) carry the same id; who
/// asks again after a failure makes a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttemptId(pub Uuid);

/// What is known of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptState {
    Standing,
    Undone,
}

impl AttemptState {
    /// After the attempt arrived, once more perhaps.
    ///
    /// # Errors
    /// [`HoldRefusal::Undone`]: its caller has given it up.
    pub(crate) fn arrived(known: Option<Self>) -> Result<Self, HoldRefusal> {
        match known {
            None | Some(Self::Standing) => Ok(Self::Standing),
            Some(Self::Undone) => Err(HoldRefusal::Undone),
        }
    }
}

/// What ends a hold. It is kept with the hold: an operator who finds a paid order without places has
/// to know where they went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndedBy {
    /// Its time passed.
    Expiry,
    /// Its last attempt was undone.
    Undo,
    /// The service account that took it.
    Holder,
    /// The end of its cart.
    Cart(EndReason),
    /// Its unpaid order was cancelled.
    OrderCancelled,
    /// Its order's money went back: the only end that frees sold places.
    OrderRefunded,
}

impl EndedBy {
    /// As in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Expiry => "expiry",
            Self::Undo => "undo",
            Self::Holder => "holder",
            Self::Cart(EndReason::Expired) => "cart_expired",
            Self::Cart(EndReason::UserCancelled) => "cart_user_cancelled",
            Self::Cart(EndReason::PaymentFailed) => "cart_payment_failed",
            Self::Cart(EndReason::PaymentTimeout) => "cart_payment_timeout",
            Self::Cart(EndReason::EventCancelled) => "cart_event_cancelled",
            Self::OrderCancelled => "order_cancelled",
            Self::OrderRefunded => "order_refunded",
        }
    }
}

#[cfg(test)]
mod tests;
