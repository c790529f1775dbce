//! Refunds: together never more than was captured.

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{CorrelationId, PaymentId, RefundId, TicketId};
use eventify_protocol::money::Money;

use super::{Payment, State};
use crate::contexts::payment::gateway::{RefundStatus, RefundUpdate};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    pub(crate) id: RefundId,
    pub(crate) payment_id: PaymentId,
    pub(crate) amount: Money,
    pub(crate) reason: String,
    pub(crate) ticket_ids: Vec<TicketId>,
    pub(crate) state: RefundState,
    pub(crate) provider_ref: Option<String>,
    /// Of the request that started it.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefundRefusal {
    #[error("nothing_captured")]
    NothingCaptured,
    #[error("more_than_captured")]
    MoreThanCaptured,
    #[error("other_currency")]
    OtherCurrency,
}

impl RefundState {
    /// As on the wire and in the store, and why it failed.
    pub(crate) fn name_and_failure(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Pending => ("pending", None),
            Self::Succeeded => ("succeeded", None),
            Self::Failed(reason) => ("failed", Some(reason)),
        }
    }
}

impl Payment {
    /// Checks that an amount can be refunded in addition to pending refunds.
    pub(crate) fn may_refund(&self, amount: Money, pending: Money) -> Result<(), RefundRefusal> {
        let amounts = self.state.amounts();
        let (captured, refunded) = amounts.ok_or(RefundRefusal::NothingCaptured)?;
        let sum = refunded
            .plus(pending)
            .and_then(|sum| sum.plus(amount))
            .map_err(|_| RefundRefusal::OtherCurrency)?;
        if sum.minor() > captured.minor() {
            return Err(RefundRefusal::MoreThanCaptured);
        }
        Ok(())
    }

    /// Money was sent back; the flag is true when everything has been refunded.
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
    /// Applies the provider's data. `None` when they change nothing: a refund ends once.
    pub(crate) fn apply(mut self, update: &RefundUpdate, now: DateTime<Utc>) -> Option<Self> {
        if self.state != RefundState::Pending {
            return None;
        }
        let state = match &update.status {
            RefundStatus::Pending => RefundState::Pending,
            RefundStatus::Succeeded => RefundState::Succeeded,
            RefundStatus::Failed(reason) => RefundState::Failed(reason.clone()),
        };
        if state == self.state && self.provider_ref.as_ref() == Some(&update.reference) {
            return None;
        }
        self.state = state;
        self.provider_ref = Some(update.reference.clone());
        self.updated_at = now;
        Some(self)
    }

    /// The provider refuses it for good. `None` when it has ended meanwhile.
    pub(crate) fn refused(mut self, reason: &str, now: DateTime<Utc>) -> Option<Self> {
        (self.state == RefundState::Pending).then(|| {
            self.state = RefundState::Failed(reason.to_owned());
            self.updated_at = now;
            self
        })
    }
}
