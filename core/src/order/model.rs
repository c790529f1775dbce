//! Pure decisions about an order: what it becomes when payment speaks, and what may be refunded.

use chrono::{DateTime, Duration, Utc};
use eventify_protocol::ids::{
    OrderId, PaymentId, PerformanceId, RefundId, ReservationId, TicketId, UserId,
};
use eventify_protocol::money::{Money, MoneyError};

use super::events::{CancelReason, Item, RefundReason};
use crate::reservation::events::ReservationConfirmed;

/// Until so long before the performance a customer gets all the money back; then none
/// (blueprint, "Politique d'annulation/remboursement").
pub(super) fn customer_cancel_limit() -> Duration {
    Duration::hours(24)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) id: OrderId,
    pub(super) reservation_id: ReservationId,
    pub(super) customer_id: UserId,
    pub(super) state: State,
    pub(super) amount: Money,
    pub(super) items: Vec<Item>,
    /// Unpaid by then: cancelled.
    pub(super) pay_until: DateTime<Utc>,
    /// Once payment has taken the request for an intent.
    pub(super) payment_id: Option<PaymentId>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) version: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Payment is being asked, or the customer pays.
    Pending,
    /// Payment didn't answer in time; the work runs on.
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

/// What a capture means for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Captured {
    /// It is paid now.
    Paid(Order),
    /// It had ended: the money goes back.
    TooLate,
    /// It was known.
    Known,
}

/// A ticket of an order, with what was paid for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PaidTicket {
    pub(super) ticket_id: TicketId,
    pub(super) performance_id: PerformanceId,
    pub(super) price: Money,
    /// The refund that has claimed it.
    pub(super) refund_id: Option<RefundId>,
}

/// What the refund policy needs of a performance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Performance {
    pub(super) performance_id: PerformanceId,
    pub(super) owner_id: UserId,
    pub(super) org_id: Option<String>,
    pub(super) start_time: DateTime<Utc>,
    pub(super) cancelled: bool,
}

/// What is to be refunded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RefundPlan {
    pub(super) tickets: Vec<TicketId>,
    pub(super) amount: Money,
    pub(super) reason: RefundReason,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the order is {0} and can't be cancelled")]
    WrongState(&'static str),
    #[error("the tickets of this order are being issued; try again in a moment")]
    NotIssuedYet,
    #[error("ticket {0} does not belong to this order")]
    ForeignTicket(TicketId),
    #[error("ticket {0} is refunded already")]
    AlreadyRefunded(TicketId),
    #[error("there is nothing left to refund")]
    NothingLeft,
    #[error("tickets can be given back until 24 hours before the performance")]
    WindowClosed,
}

impl State {
    /// As on the wire and in the store.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Paid { .. } => "paid",
            Self::PartiallyRefunded { .. } => "partially_refunded",
            Self::Refunded { .. } => "refunded",
            Self::Cancelled(_) => "cancelled",
        }
    }

    pub(super) fn paid_at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Paid { at } => Some(at),
            Self::PartiallyRefunded { paid_at } | Self::Refunded { paid_at } => Some(paid_at),
            Self::Pending | Self::Processing | Self::Cancelled(_) => None,
        }
    }
}

impl Order {
    pub(super) fn place(id: OrderId, confirmed: &ReservationConfirmed, now: DateTime<Utc>) -> Self {
        Self {
            id,
            reservation_id: confirmed.reservation_id,
            customer_id: confirmed.customer_id,
            state: State::Pending,
            amount: confirmed.amount,
            items: confirmed.items.clone(),
            pay_until: confirmed.confirmed_until,
            payment_id: None,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    pub(super) fn is_unpaid(&self) -> bool {
        matches!(self.state, State::Pending | State::Processing)
    }

    /// Nothing to pay: no payment is asked for.
    pub(super) fn is_free(&self) -> bool {
        self.amount.minor() == 0
    }

    /// Payment has taken the request.
    pub(super) fn with_payment(mut self, payment_id: PaymentId, now: DateTime<Utc>) -> Self {
        self.payment_id = Some(payment_id);
        if self.state == State::Processing {
            self.state = State::Pending;
        }
        self.touched(now)
    }

    /// Payment hasn't answered in time. `None` when that is known or doesn't matter any more.
    pub(super) fn still_waiting(mut self, now: DateTime<Utc>) -> Option<Self> {
        (self.state == State::Pending && self.payment_id.is_none()).then(|| {
            self.state = State::Processing;
            self.touched(now)
        })
    }

    pub(super) fn captured(mut self, payment: Option<PaymentId>, now: DateTime<Utc>) -> Captured {
        match self.state {
            State::Pending | State::Processing => {
                self.state = State::Paid { at: now };
                self.payment_id = payment.or(self.payment_id);
                Captured::Paid(self.touched(now))
            }
            State::Cancelled(_) => Captured::TooLate,
            State::Paid { .. } | State::PartiallyRefunded { .. } | State::Refunded { .. } => {
                Captured::Known
            }
        }
    }

    /// Ends an unpaid order; `None` when it has ended, or is paid.
    pub(super) fn cancel_unpaid(
        mut self,
        reason: CancelReason,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        self.is_unpaid().then(|| {
            self.state = State::Cancelled(reason);
            self.touched(now)
        })
    }

    /// Money went back; `left` says whether any ticket is still paid for. `None` when the state
    /// says so already, or the order had never been paid.
    pub(super) fn refunded(mut self, left: bool, now: DateTime<Utc>) -> Option<Self> {
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

    /// The customer gives tickets back: all of those that are in time, or exactly those named.
    pub(super) fn customer_refund(
        &self,
        tickets: &[PaidTicket],
        performances: &[Performance],
        named: Option<&[TicketId]>,
        now: DateTime<Utc>,
    ) -> Result<RefundPlan, Refusal> {
        let in_time = |ticket: &PaidTicket| {
            performances
                .iter()
                .find(|performance| performance.performance_id == ticket.performance_id)
                .is_some_and(|performance| {
                    performance.cancelled || now + customer_cancel_limit() <= performance.start_time
                })
        };
        let chosen = self.choose(tickets, named)?;
        let refundable: Vec<_> = chosen.iter().copied().filter(in_time).collect();
        if refundable.is_empty() || (named.is_some() && refundable.len() < chosen.len()) {
            return Err(Refusal::WindowClosed);
        }
        self.plan(&refundable, RefundReason::UserRequest)
    }

    /// The organiser or an administrator gives money back, at any time.
    pub(super) fn goodwill_refund(
        &self,
        tickets: &[PaidTicket],
        named: &[TicketId],
        reason: RefundReason,
    ) -> Result<RefundPlan, Refusal> {
        self.plan(&self.choose(tickets, Some(named))?, reason)
    }

    /// Everything: no ticket was issued, or the money came too late.
    pub(super) fn full_refund(&self, reason: RefundReason) -> RefundPlan {
        RefundPlan {
            tickets: Vec::new(),
            amount: self.amount,
            reason,
        }
    }

    fn choose(
        &self,
        tickets: &[PaidTicket],
        named: Option<&[TicketId]>,
    ) -> Result<Vec<PaidTicket>, Refusal> {
        match self.state {
            State::Paid { .. } | State::PartiallyRefunded { .. } => {}
            State::Pending | State::Processing | State::Refunded { .. } | State::Cancelled(_) => {
                return Err(Refusal::WrongState(self.state.name()));
            }
        }
        if tickets.is_empty() {
            return Err(Refusal::NotIssuedYet);
        }
        let Some(named) = named else {
            let left: Vec<_> = tickets
                .iter()
                .filter(|ticket| ticket.refund_id.is_none())
                .copied()
                .collect();
            return if left.is_empty() {
                Err(Refusal::NothingLeft)
            } else {
                Ok(left)
            };
        };
        let mut chosen: Vec<PaidTicket> = Vec::with_capacity(named.len());
        for id in named {
            let ticket = tickets
                .iter()
                .find(|ticket| ticket.ticket_id == *id)
                .ok_or(Refusal::ForeignTicket(*id))?;
            if ticket.refund_id.is_some() {
                return Err(Refusal::AlreadyRefunded(*id));
            }
            if !chosen.contains(ticket) {
                chosen.push(*ticket);
            }
        }
        if chosen.is_empty() {
            Err(Refusal::NothingLeft)
        } else {
            Ok(chosen)
        }
    }

    fn plan(&self, tickets: &[PaidTicket], reason: RefundReason) -> Result<RefundPlan, Refusal> {
        let amount = tickets
            .iter()
            .try_fold(Money::zero(self.amount.currency()), |sum, ticket| {
                sum.plus(ticket.price)
            })
            .map_err(|_: MoneyError| Refusal::NothingLeft)?;
        Ok(RefundPlan {
            tickets: tickets.iter().map(|ticket| ticket.ticket_id).collect(),
            amount,
            reason,
        })
    }

    fn touched(mut self, now: DateTime<Utc>) -> Self {
        self.updated_at = now;
        self.version += 1;
        self
    }
}

impl Performance {
    /// Whether a user decides about refunds of this performance: owner, or same organisation.
    pub(super) fn is_run_by(&self, user: UserId, org: Option<&str>) -> bool {
        self.owner_id == user || (org.is_some() && self.org_id.as_deref() == org)
    }
}

/// What was paid for a ticket: the unit price of the line that it was issued for.
pub(super) fn price_of(items: &[Item], matches: impl Fn(&Item) -> bool) -> Option<Money> {
    items
        .iter()
        .find(|item| matches(item))
        .map(|item| item.unit_price)
}

#[cfg(test)]
mod tests {
    use eventify_protocol::money::Currency;
    use uuid::Uuid;

    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_900_000_000 + hour * 3600, 0).unwrap()
    }

    fn euro(minor: i64) -> Money {
        Money::from_minor(Currency::Eur, minor).unwrap()
    }

    fn order() -> Order {
        let confirmed = ReservationConfirmed {
            reservation_id: Uuid::from_u128(1).into(),
            customer_id: Uuid::from_u128(2).into(),
            amount: euro(7800),
            confirmed_until: at(1),
            items: Vec::new(),
        };
        Order::place(Uuid::from_u128(3).into(), &confirmed, at(0))
    }

    fn paid() -> Order {
        match order().captured(None, at(0)) {
            Captured::Paid(order) => order,
            other => panic!("{other:?}"),
        }
    }

    fn ticket(number: u128, performance: u128) -> PaidTicket {
        PaidTicket {
            ticket_id: Uuid::from_u128(number).into(),
            performance_id: Uuid::from_u128(performance).into(),
            price: euro(3900),
            refund_id: None,
        }
    }

    fn performance(number: u128, start: i64) -> Performance {
        Performance {
            performance_id: Uuid::from_u128(number).into(),
            owner_id: Uuid::from_u128(9).into(),
            org_id: Some("hall".to_owned()),
            start_time: at(start),
            cancelled: false,
        }
    }

    #[test]
    fn a_capture_pays_once_and_comes_too_late_for_a_cancelled_order() {
        let paid = paid();
        assert_eq!(paid.state, State::Paid { at: at(0) });
        assert_eq!(paid.clone().captured(None, at(1)), Captured::Known);
        assert_eq!(paid.cancel_unpaid(CancelReason::PaymentFailed, at(1)), None);
        let cancelled = order()
            .cancel_unpaid(CancelReason::PaymentTimeout, at(1))
            .unwrap();
        assert_eq!(cancelled.clone().captured(None, at(2)), Captured::TooLate);
        assert_eq!(
            cancelled
                .clone()
                .cancel_unpaid(CancelReason::PaymentFailed, at(2)),
            None
        );
        assert_eq!(cancelled.refunded(false, at(3)), None, "it was never paid");
    }

    #[test]
    fn waiting_for_payment_shows_and_passes() {
        let waiting = order().still_waiting(at(0)).unwrap();
        assert_eq!(waiting.state, State::Processing);
        assert_eq!(waiting.clone().still_waiting(at(0)), None);
        let answered = waiting.with_payment(Uuid::nil().into(), at(0));
        assert_eq!(answered.state, State::Pending);
        assert_eq!(answered.still_waiting(at(0)), None);
    }

    #[test]
    fn a_customer_gives_back_until_24_hours_before() {
        let (order, tickets) = (paid(), [ticket(1, 10), ticket(2, 20)]);
        let performances = [performance(10, 24), performance(20, 23)];
        let plan = order
            .customer_refund(&tickets, &performances, None, at(0))
            .unwrap();
        assert_eq!(
            (plan.tickets, plan.amount),
            (vec![tickets[0].ticket_id], euro(3900))
        );
        let late = [tickets[1].ticket_id];
        assert_eq!(
            order.customer_refund(&tickets, &performances, Some(&late), at(0)),
            Err(Refusal::WindowClosed)
        );
        assert_eq!(
            order.customer_refund(&tickets, &performances, None, at(2)),
            Err(Refusal::WindowClosed)
        );
        let mut cancelled = performances;
        cancelled[1].cancelled = true;
        let plan = order
            .customer_refund(&tickets, &cancelled, Some(&late), at(2))
            .unwrap();
        assert_eq!(
            plan.tickets, late,
            "a cancelled performance is refunded at any time"
        );
    }

    #[test]
    fn an_organiser_gives_back_at_any_time_but_each_ticket_once() {
        let (order, mut tickets) = (paid(), [ticket(1, 10), ticket(2, 10)]);
        let reason = RefundReason::OrganiserDecision;
        let twice = [tickets[0].ticket_id, tickets[0].ticket_id];
        let plan = order.goodwill_refund(&tickets, &twice, reason).unwrap();
        assert_eq!((plan.tickets.len(), plan.amount), (1, euro(3900)));
        tickets[0].refund_id = Some(Uuid::nil().into());
        assert_eq!(
            order.goodwill_refund(&tickets, &twice, reason),
            Err(Refusal::AlreadyRefunded(tickets[0].ticket_id))
        );
        let foreign = ticket(7, 10).ticket_id;
        assert_eq!(
            order.goodwill_refund(&tickets, &[foreign], reason),
            Err(Refusal::ForeignTicket(foreign))
        );
        assert_eq!(
            order.goodwill_refund(&tickets, &[], reason),
            Err(Refusal::NothingLeft)
        );
        assert_eq!(
            order.goodwill_refund(&[], &twice, reason),
            Err(Refusal::NotIssuedYet)
        );
    }

    #[test]
    fn refunds_end_in_refunded() {
        let part = paid().refunded(true, at(1)).unwrap();
        assert_eq!(part.state.name(), "partially_refunded");
        let all = part.refunded(false, at(2)).unwrap();
        assert_eq!(all.state, State::Refunded { paid_at: at(0) });
        assert_eq!(all.clone().refunded(false, at(3)), None);
        let refused = all.customer_refund(&[ticket(1, 10)], &[], None, at(3));
        assert_eq!(refused, Err(Refusal::WrongState("refunded")));
    }

    #[test]
    fn organisers_decide_about_their_own() {
        let performance = performance(10, 24);
        assert!(performance.is_run_by(Uuid::from_u128(9).into(), None));
        assert!(performance.is_run_by(Uuid::nil().into(), Some("hall")));
        assert!(!performance.is_run_by(Uuid::nil().into(), Some("other")));
        assert!(!performance.is_run_by(Uuid::nil().into(), None));
    }
}
