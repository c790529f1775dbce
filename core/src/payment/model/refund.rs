//! Money that goes back: never more than came.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{CorrelationId, PaymentId, RefundId, TicketId};
use eventify_protocol::money::Money;

use super::{Payment, State};
use crate::psp::RefundStatus;

/// A refund of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::payment) struct Refund {
    pub(in crate::payment) id: RefundId,
    pub(in crate::payment) payment_id: PaymentId,
    pub(in crate::payment) amount: Money,
    pub(in crate::payment) reason: String,
    pub(in crate::payment) ticket_ids: Vec<TicketId>,
    pub(in crate::payment) state: RefundState,
    pub(in crate::payment) provider_ref: Option<String>,
    pub(in crate::payment) attempts: i32,
    /// The request that began it.
    pub(in crate::payment) correlation: CorrelationId,
    pub(in crate::payment) created_at: DateTime<Utc>,
    pub(in crate::payment) updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::payment) enum RefundState {
    Pending,
    Succeeded,
    Failed(String),
}

/// Why no refund is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::payment) enum RefundRefusal {
    #[error("nothing_captured")]
    NothingCaptured,
    #[error("more_than_captured")]
    MoreThanCaptured,
    #[error("other_currency")]
    OtherCurrency,
}

impl Payment {
    /// Whether so much can be sent back beside what is on its way already.
    pub(in crate::payment) fn may_refund(
        &self,
        amount: Money,
        pending: Money,
    ) -> Result<(), RefundRefusal> {
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
    pub(in crate::payment) fn refunded(
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
    pub(in crate::payment) fn observed(
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
    pub(in crate::payment) fn refused(mut self, reason: &str, now: DateTime<Utc>) -> Self {
        self.state = RefundState::Failed(reason.to_owned());
        self.updated_at = now;
        self
    }
}
