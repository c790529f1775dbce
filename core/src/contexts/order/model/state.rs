//! The order and its states.

use chrono::{DateTime, Duration, Utc};
use eventify_contracts::order::{CancelReason, Item};
use eventify_contracts::reservation::ReservationConfirmed;
use eventify_protocol::ids::{
    CorrelationId, OrderId, PaymentId, PerformanceId, ReservationId, UserId,
};
use eventify_protocol::money::Money;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: OrderId,
    pub(crate) reservation_id: ReservationId,
    pub(crate) customer_id: UserId,
    /// The box office that sold it.
    pub(crate) seller_id: Option<UserId>,
    pub(crate) state: State,
    pub(crate) amount: Money,
    pub(crate) items: Vec<Item>,
    /// An order that is unpaid by then is cancelled, if there was something to pay.
    pub(crate) pay_until: DateTime<Utc>,
    /// Set when the payment intent exists.
    pub(crate) payment_id: Option<PaymentId>,
    /// What went back at the provider without us.
    pub(crate) refunded_elsewhere: Money,
    /// Of the request that started the reservation.
    pub(crate) correlation: CorrelationId,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) version: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The payment intent is requested, or the customer pays.
    Pending,
    /// Payment didn't answer in time; the request continues in the background.
    Processing,
    Paid {
        at: DateTime<Utc>,
    },
    PartiallyRefunded {
        paid_at: DateTime<Utc>,
    },
    Refunded {
        paid_at: DateTime<Utc>,
    },
    Cancelled(CancelReason),
}

/// The effect of a capture on an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Captured {
    Paid(Box<Order>),
    /// The order had been cancelled: the money is refunded.
    TooLate,
    AlreadyPaid,
}

impl State {
    /// As on the wire and in the store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Paid { .. } => "paid",
            Self::PartiallyRefunded { .. } => "partially_refunded",
            Self::Refunded { .. } => "refunded",
            Self::Cancelled(_) => "cancelled",
        }
    }

    pub(crate) fn paid_at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Paid { at } => Some(at),
            Self::PartiallyRefunded { paid_at } | Self::Refunded { paid_at } => Some(paid_at),
            Self::Pending | Self::Processing | Self::Cancelled(_) => None,
        }
    }

    pub(crate) fn cancel_reason(self) -> Option<CancelReason> {
        match self {
            Self::Cancelled(reason) => Some(reason),
            Self::Pending
            | Self::Processing
            | Self::Paid { .. }
            | Self::PartiallyRefunded { .. }
            | Self::Refunded { .. } => None,
        }
    }
}

impl Order {
    pub(crate) fn place(
        id: OrderId,
        confirmed: &ReservationConfirmed,
        correlation: CorrelationId,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            reservation_id: confirmed.reservation_id,
            customer_id: confirmed.customer_id,
            seller_id: confirmed.seller_id,
            state: State::Pending,
            amount: confirmed.amount,
            items: confirmed.items.clone(),
            pay_until: confirmed.confirmed_until,
            payment_id: None,
            refunded_elsewhere: Money::zero(confirmed.amount.currency()),
            correlation,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// What it is for, each once.
    pub(crate) fn performances(&self) -> Vec<PerformanceId> {
        let mut ids: Vec<_> = self.items.iter().map(|item| item.performance_id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    pub(crate) fn is_unpaid(&self) -> bool {
        matches!(self.state, State::Pending | State::Processing)
    }

    /// Nothing to pay: there is no payment intent.
    pub(crate) fn is_free(&self) -> bool {
        self.amount.minor() == 0
    }

    /// The payment intent exists: the time to pay begins.
    pub(crate) fn with_payment(
        mut self,
        payment_id: PaymentId,
        pay_within: Duration,
        now: DateTime<Utc>,
    ) -> Self {
        self.payment_id = Some(payment_id);
        self.pay_until = self.pay_until.max(now + pay_within);
        if self.state == State::Processing {
            self.state = State::Pending;
        }
        self.touched(now)
    }

    /// Payment hasn't answered in time. `None` when the state shows it already, or it is no longer
    /// relevant.
    pub(crate) fn payment_delayed(mut self, now: DateTime<Utc>) -> Option<Self> {
        (self.state == State::Pending && self.payment_id.is_none()).then(|| {
            self.state = State::Processing;
            self.touched(now)
        })
    }

    pub(crate) fn captured(mut self, payment: Option<PaymentId>, now: DateTime<Utc>) -> Captured {
        match self.state {
            State::Pending | State::Processing => {
                self.state = State::Paid { at: now };
                self.payment_id = payment.or(self.payment_id);
                Captured::Paid(Box::new(self.touched(now)))
            }
            State::Cancelled(_) => Captured::TooLate,
            State::Paid { .. } | State::PartiallyRefunded { .. } | State::Refunded { .. } => {
                Captured::AlreadyPaid
            }
        }
    }

    /// Cancels an unpaid order; `None` when it has ended or is paid.
    pub(crate) fn cancel_unpaid(
        mut self,
        reason: CancelReason,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        self.is_unpaid().then(|| {
            self.state = State::Cancelled(reason);
            self.touched(now)
        })
    }

    /// Money was refunded; `left` says whether any ticket is still paid for. `None` when the state
    /// shows it already, or the order had never been paid.
    pub(crate) fn refunded(mut self, left: bool, now: DateTime<Utc>) -> Option<Self> {
        let paid_at = self.state.paid_at()?;
        let state = if left {
            State::PartiallyRefunded { paid_at }
        } else {
            State::Refunded { paid_at }
        };
        (self.state != state).then(|| {
            self.state = state;
            self.touched(now)
        })
    }

    fn touched(mut self, now: DateTime<Utc>) -> Self {
        self.updated_at = now;
        self.version += 1;
        self
    }
}
