//! Refunds: together never more than was captured.

use chrono::{DateTime, TimeDelta, Utc};
use eventify_contracts::payment::SettledBy;
use eventify_protocol::ids::{CorrelationId, PaymentId, RefundId, TicketId};
use eventify_protocol::money::Money;

use super::{Payment, Sums};
use crate::contexts::payment::gateway::{RefundStatus, RefundUpdate};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refund {
    pub(crate) id: RefundId,
    pub(crate) payment_id: PaymentId,
    pub(crate) amount: Money,
    pub(crate) reason: String,
    pub(crate) ticket_ids: Vec<TicketId>,
    pub(crate) state: RefundState,
    /// From 1; each attempt after a refusal is a new request to the provider.
    pub(crate) attempt: i32,
    /// How often this attempt was requested under another key.
    pub(crate) requests: i32,
    pub(crate) settled_by: SettledBy,
    /// Of a payment by hand.
    pub(crate) reference: Option<String>,
    /// The provider's id, of this attempt.
    pub(crate) provider_ref: Option<String>,
    /// Of the request that started it.
    pub(crate) correlation: CorrelationId,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RefundState {
    /// Requested from the provider, or on its way.
    Pending,
    Succeeded,
    /// Refused, with a code: it stands until it is tried again or somebody decides.
    Parked(String),
    /// It had succeeded, and the money came back.
    Returned(String),
    /// Given up: no money goes back, the tickets keep their value.
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
    /// The bank has it.
    #[error("disputed")]
    Disputed,
}

/// A refund is on its way for some minutes; a bank that takes longer than this needs somebody's eyes.
fn longest_way() -> TimeDelta {
    TimeDelta::days(3)
}

impl RefundState {
    /// As on the wire and in the store, and why it failed or stands.
    pub(crate) fn name_and_failure(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Pending => ("pending", None),
            Self::Succeeded => ("succeeded", None),
            Self::Parked(code) => ("parked", Some(code)),
            Self::Returned(code) => ("returned", Some(code)),
            Self::Failed(code) => ("failed", Some(code)),
        }
    }

    /// Nothing more happens to it by itself.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed(_))
    }
}

impl Payment {
    /// Checks that an amount can be refunded in addition to pending refunds.
    pub(crate) fn may_refund(
        &self,
        amount: Money,
        pending: Money,
        sums: &Sums,
    ) -> Result<(), RefundRefusal> {
        let amounts = self.state.amounts();
        let (captured, _) = amounts.ok_or(RefundRefusal::NothingCaptured)?;
        if sums.other_currency {
            return Err(RefundRefusal::OtherCurrency);
        }
        let sum = sums
            .gone_back()
            .plus(pending)
            .and_then(|sum| sum.plus(amount))
            .map_err(|_| RefundRefusal::OtherCurrency)?;
        if sum.minor() > captured.minor() {
            return Err(RefundRefusal::MoreThanCaptured);
        }
        if sum.minor() + sums.disputed.minor() > captured.minor() {
            return Err(RefundRefusal::Disputed);
        }
        Ok(())
    }
}

impl Refund {
    /// Whether the provider's data are of its current attempt.
    pub(crate) fn is_about(&self, update: &RefundUpdate) -> bool {
        match &self.provider_ref {
            Some(known) => *known == update.reference,
            None => update.attempt == self.attempt,
        }
    }

    /// Applies the provider's data. `None` when they change nothing, or are of another attempt.
    pub(crate) fn apply(mut self, update: &RefundUpdate, now: DateTime<Utc>) -> Option<Self> {
        if !self.is_about(update) {
            return None;
        }
        let state = match (&self.state, &update.status) {
            (RefundState::Pending, RefundStatus::Pending | RefundStatus::NeedsCustomer) => {
                RefundState::Pending
            }
            (RefundState::Pending, RefundStatus::Failed(code)) => RefundState::Parked(code.clone()),
            (RefundState::Succeeded, RefundStatus::Failed(code)) if self.is_the_providers() => {
                RefundState::Returned(code.clone())
            }
            (RefundState::Succeeded, RefundStatus::NeedsCustomer) if self.is_the_providers() => {
                RefundState::Returned("requires_action".to_owned())
            }
            (
                RefundState::Pending
                | RefundState::Parked(_)
                | RefundState::Returned(_)
                | RefundState::Failed(_),
                RefundStatus::Succeeded,
            ) => RefundState::Succeeded,
            (
                RefundState::Parked(_)
                | RefundState::Returned(_)
                | RefundState::Failed(_)
                | RefundState::Succeeded,
                _,
            ) => return None,
        };
        if state == self.state && self.provider_ref.as_ref() == Some(&update.reference) {
            return None;
        }
        self.state = state;
        self.settled_by = SettledBy::Provider;
        self.provider_ref = Some(update.reference.clone());
        self.updated_at = now;
        Some(self)
    }

    /// Whether a webhook says what a later one may have made obsolete: then the provider is asked
    /// what is so now.
    pub(crate) fn must_be_looked_up(&self, update: &RefundUpdate) -> bool {
        let is_current = self.provider_ref.as_ref() == Some(&update.reference);
        is_current
            && match (&self.state, &update.status) {
                (RefundState::Succeeded, RefundStatus::NeedsCustomer)
                | (RefundState::Returned(_), RefundStatus::Succeeded) => true,
                (
                    RefundState::Pending
                    | RefundState::Parked(_)
                    | RefundState::Failed(_)
                    | RefundState::Succeeded
                    | RefundState::Returned(_),
                    _,
                ) => false,
            }
    }

    fn is_the_providers(&self) -> bool {
        self.settled_by == SettledBy::Provider
    }

    /// It has ended, and not by the provider: what the provider sends all the same is other money.
    pub(crate) fn is_settled_otherwise(&self) -> bool {
        self.state == RefundState::Succeeded && !self.is_the_providers()
    }

    /// Refused: by the provider, or because the money is not there. `None` when it is not pending.
    pub(crate) fn park(mut self, code: &str, now: DateTime<Utc>) -> Option<Self> {
        (self.state == RefundState::Pending).then(|| {
            self.state = RefundState::Parked(code.to_owned());
            self.updated_at = now;
            self
        })
    }

    /// Tried once more, as a new request. `None` when it does not stand.
    pub(crate) fn retry(mut self, now: DateTime<Utc>) -> Option<Self> {
        self.stands().then(|| {
            self.state = RefundState::Pending;
            self.attempt += 1;
            self.requests = 0;
            self.provider_ref = None;
            self.updated_at = now;
            self
        })
    }

    /// Why the money of a refund that the provider has doesn't arrive, if somebody should look at it: at
    /// once when the guest has to do something, else after some days, and as long again after somebody
    /// accepted to wait.
    pub(crate) fn delay(
        &self,
        status: &RefundStatus,
        accepted_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<&'static str> {
        if self.state != RefundState::Pending {
            return None;
        }
        match status {
            _ if self.may_wait(accepted_at, now) => None,
            RefundStatus::NeedsCustomer => Some("requires_action"),
            RefundStatus::Pending if self.updated_at + longest_way() <= now => Some("pending"),
            RefundStatus::Pending | RefundStatus::Succeeded | RefundStatus::Failed(_) => None,
        }
    }

    /// Somebody has accepted to wait for this attempt, not long ago.
    pub(crate) fn may_wait(&self, accepted_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        accepted_at.is_some_and(|at| at >= self.updated_at && now < at + longest_way())
    }

    /// The money went back by another way than a request of ours. `None` when it has ended.
    pub(crate) fn settle(
        mut self,
        by: SettledBy,
        reference: Option<String>,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        (!self.state.is_final()).then(|| {
            if self.state == RefundState::Pending {
                // Should what the provider has arrive all the same, it is other money.
                self.provider_ref = None;
            }
            self.state = RefundState::Succeeded;
            self.settled_by = by;
            self.reference = reference;
            self.updated_at = now;
            self
        })
    }

    /// No money goes back. `None` where that can't be: it has ended, no ticket keeps its value by
    /// it, or the show is off.
    pub(crate) fn give_up(mut self, now: DateTime<Utc>) -> Option<Self> {
        if !self.may_be_given_up() {
            return None;
        }
        let RefundState::Parked(code) = self.state else {
            return None;
        };
        self.state = RefundState::Failed(code);
        self.updated_at = now;
        Some(self)
    }

    /// Whether it waits for a decision.
    pub(crate) fn stands(&self) -> bool {
        matches!(
            self.state,
            RefundState::Parked(_) | RefundState::Returned(_)
        )
    }

    pub(crate) fn may_be_given_up(&self) -> bool {
        let off = self.reason == "event_cancelled";
        matches!(self.state, RefundState::Parked(_)) && !self.ticket_ids.is_empty() && !off
    }
}
