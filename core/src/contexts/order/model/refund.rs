//! The refund policy, and what a refund is made of.

use chrono::{DateTime, Duration, Utc};
use eventify_contracts::order::{Item, RefundReason};
use eventify_contracts::ticketing::{NotGood, TicketFacts};
use eventify_protocol::ids::{PerformanceId, RefundId, TicketId, UserId};
use eventify_protocol::money::{Money, MoneyError};

use super::{Order, Refusal, State};

/// A customer gets all money back until this long before a performance begins, and nothing afterwards
/// (blueprint, "Politique d'annulation/remboursement").
pub(crate) fn customer_cancel_limit() -> Duration {
    Duration::hours(24)
}

/// A ticket of an order, with what was paid for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PaidTicket {
    pub(crate) ticket_id: TicketId,
    pub(crate) performance_id: PerformanceId,
    pub(crate) price: Money,
    /// The refund that includes it.
    pub(crate) refund_id: Option<RefundId>,
}

/// What the refund policy needs to know about a performance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Performance {
    pub(crate) performance_id: PerformanceId,
    pub(crate) owner_id: UserId,
    pub(crate) org_id: Option<String>,
    /// When guests come: at the doors, or at a start before them.
    pub(crate) begins: DateTime<Utc>,
    pub(crate) cancelled: bool,
}

/// What decides what a customer may give back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CustomerPolicy<'a> {
    pub(crate) performances: &'a [Performance],
    /// Tickets of the order that were used or revoked.
    pub(crate) not_good: &'a [(TicketId, NotGood)],
    pub(crate) now: DateTime<Utc>,
}

/// What is to be refunded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefundPlan {
    pub(crate) tickets: Vec<TicketId>,
    pub(crate) amount: Money,
    pub(crate) reason: RefundReason,
    /// The organiser's explanation.
    pub(crate) note: Option<String>,
}

impl Order {
    /// The customer returns tickets: exactly the named ones, or all that may still be given back.
    pub(crate) fn customer_refund(
        &self,
        tickets: &[PaidTicket],
        named: Option<&[TicketId]>,
        policy: &CustomerPolicy<'_>,
    ) -> Result<RefundPlan, Refusal> {
        let chosen = self.choose(tickets, named)?;
        let judged: Vec<_> = chosen.iter().map(|it| (it, policy.refusal(it))).collect();
        let refundable: Vec<_> = judged
            .iter()
            .filter(|(_, refusal)| refusal.is_none())
            .map(|(ticket, _)| **ticket)
            .collect();
        let refusals: Vec<_> = judged.into_iter().filter_map(|(_, it)| it).collect();
        if refusals.contains(&Refusal::PerformanceNotKnown) {
            // Nobody knows yet whether it is too late for them.
            return Err(Refusal::PerformanceNotKnown);
        }
        match refusals.into_iter().next() {
            Some(refusal) if named.is_some() || refundable.is_empty() => Err(refusal),
            Some(_) | None => self.plan(&refundable, RefundReason::UserRequest),
        }
    }

    /// The organiser or an administrator refunds tickets, at any time.
    pub(crate) fn goodwill_refund(
        &self,
        tickets: &[PaidTicket],
        named: &[TicketId],
        reason: RefundReason,
    ) -> Result<RefundPlan, Refusal> {
        self.plan(&self.choose(tickets, Some(named))?, reason)
    }

    /// The whole order: no ticket was issued, or the money came too late.
    pub(crate) fn full_refund(&self, amount: Money, reason: RefundReason) -> RefundPlan {
        RefundPlan {
            tickets: Vec::new(),
            amount,
            reason,
            note: None,
        }
    }

    /// What was paid for a ticket: the unit price of its line. A zone can be sold in several
    /// categories, so a line of the ticket's category comes first.
    pub(crate) fn price_of(&self, ticket: &TicketFacts) -> Option<Money> {
        let is_place = |item: &&Item| {
            item.performance_id == ticket.performance_id
                && item.seat_id == ticket.seat_id
                && item.bucket_id == ticket.bucket_id
        };
        let mut lines = self.items.iter().filter(is_place);
        let same_category = lines
            .clone()
            .find(|it| it.price_category == ticket.category);
        Some(same_category.or_else(|| lines.next())?.unit_price)
    }

    pub(crate) fn price_of_all(&self, tickets: &[PaidTicket]) -> Result<Money, MoneyError> {
        let nothing = Money::zero(self.amount.currency());
        let mut prices = tickets.iter().map(|ticket| ticket.price);
        prices.try_fold(nothing, Money::plus)
    }

    fn choose(
        &self,
        tickets: &[PaidTicket],
        named: Option<&[TicketId]>,
    ) -> Result<Vec<PaidTicket>, Refusal> {
        // Of an order that went back as a whole too: the second one hears of the first.
        let again = named.into_iter().flatten().find_map(|id| {
            let ticket = tickets.iter().find(|it| it.ticket_id == *id)?;
            Some(Refusal::AlreadyRefunded(*id, ticket.refund_id?))
        });
        if let Some(refusal) = again {
            return Err(refusal);
        }
        match self.state {
            State::Paid { .. } | State::PartiallyRefunded { .. } => {}
            State::Pending | State::Processing | State::Refunded { .. } | State::Cancelled(_) => {
                return Err(Refusal::WrongState(self.state));
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
        let amount = self
            .price_of_all(tickets)
            .map_err(|_: MoneyError| Refusal::NothingLeft)?;
        Ok(RefundPlan {
            tickets: tickets.iter().map(|ticket| ticket.ticket_id).collect(),
            amount,
            reason,
            note: None,
        })
    }
}

impl CustomerPolicy<'_> {
    fn refusal(&self, ticket: &PaidTicket) -> Option<Refusal> {
        let of = |(id, _): &&(TicketId, NotGood)| *id == ticket.ticket_id;
        match self.not_good.iter().find(of) {
            Some((id, NotGood::Used)) => return Some(Refusal::Used(*id)),
            Some((id, NotGood::Revoked)) => return Some(Refusal::Revoked(*id)),
            None => {}
        }
        let mut performances = self.performances.iter();
        match performances.find(|it| it.performance_id == ticket.performance_id) {
            Some(it) if it.cancelled || self.now + customer_cancel_limit() <= it.begins => None,
            Some(_) => Some(Refusal::WindowClosed),
            None => Some(Refusal::PerformanceNotKnown),
        }
    }
}

impl Performance {
    /// Whether a user decides about its refunds: the owner, or a member of the organisation.
    pub(crate) fn is_run_by(&self, user: UserId, org: Option<&str>) -> bool {
        self.owner_id == user || (org.is_some() && self.org_id.as_deref() == org)
    }
}
