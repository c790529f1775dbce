//! Money that goes back: never more than came.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{CorrelationId, PaymentId, RefundId, TicketId};
use eventify_protocol::money::Money;

use super::{Payment, State};
use crate::contexts::payment::gateway::RefundStatus;

/// A refund of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    pub(crate) id: RefundId,
    pub(crate) payment_id: PaymentId,
    pub(crate) amount: Money,
    pub(crate) reason: String,
    pub(crate) ticket_ids: Vec<TicketId>,
    pub(crate) state: RefundState,
    pub(crate) provider_ref: Option<String>,
    pub(crate) attempts: i32,
    /// The request that began it.
    pub(crate) correlation: CorrelationId,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RefundState {
    Pending,
    Succeeded,
    Failed(String),
}

/// Why no refund is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefundRefusal {
    #[error("nothing_captured")]
    NothingCaptured,
    #[error("more_than_captured")]
    MoreThanCaptured,
    #[error("other_currency")]
    OtherCurrency,
}

impl Payment {
    /// Whether so much can be sent back beside what is on its way already.
    pub(crate) fn may_refund(&self, amount: Money, pending: Money) -> Result<(), RefundRefusal> {
        let State::Captured {
            captured, refunded, ..
        } = &self.state
        else {
            return Err(RefundRefusal::NothingCaptured);
        };
        let sum = refunded
            .plus(pending)
            .and_then(|gone| gone.plus(amount))
            .map_err(|_| RefundRefusal::OtherCurrency)?;
        if sum.minor() > captured.minor() {
            return Err(RefundRefusal::MoreThanCaptured);
        }
        Ok(())
    }

    /// Money has gone back. Answers whether that was the last of it.
    pub(crate) fn refunded(
        mut self,
        amount: Money,
        now: DateTime<Utc>,
    ) -> Result<(Self, bool), RefundRefusal> {
        self.may_refund(amount, Money::zero(amount.currency()))?;
        let State::Captured {
            captured, refunded, ..
        } = &mut self.state
        else {
            return Err(RefundRefusal::NothingCaptured);
        };
        *refunded = refunded
            .plus(amount)
            .map_err(|_| RefundRefusal::OtherCurrency)?;
        let in_full = refunded == captured;
        Ok((self.touched(now), in_full))
    }
}

impl Refund {
    /// What the provider says about it. `None` when that changes nothing: a refund ends once.
    pub(crate) fn observed(
        mut self,
        provider_ref: &str,
        status: &RefundStatus,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        if self.state != RefundState::Pending {
            return None;
        }
        let state = match status {
            RefundStatus::Pending => RefundState::Pending,
            RefundStatus::Succeeded => RefundState::Succeeded,
            RefundStatus::Failed(reason) => RefundState::Failed(reason.clone()),
        };
        if state == self.state && self.provider_ref.as_deref() == Some(provider_ref) {
            return None;
        }
        self.state = state;
        self.provider_ref = Some(provider_ref.to_owned());
        self.updated_at = now;
        Some(self)
    }

    /// The provider will never do it.
    pub(crate) fn refused(mut self, reason: &str, now: DateTime<Utc>) -> Self {
        self.state = RefundState::Failed(reason.to_owned());
        self.updated_at = now;
        self
    }
}
