//! A hold that exists, and its states.

use chrono::{DateTime, Utc};
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{HoldId, OrderId, UserId};
use uuid::Uuid;

use super::attempts::EndedBy;
use super::hold::{Held, HoldRefusal};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) id: HoldId,
    pub(crate) status: HoldStatus,
    pub(crate) fingerprint: Option<Hash32>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    /// The cart or service account that took it.
    pub(crate) owner: Option<Uuid>,
    pub(crate) customer: Option<UserId>,
    pub(crate) order: Option<OrderId>,
}

/// `held → confirmed → sold`, and `released` from each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldStatus {
    /// Expires by itself.
    Held,
    /// Waits for its payment.
    Confirmed,
    /// Paid.
    Sold,
    /// Over. Also of a hold that was released before it came.
    Released,
}

impl Hold {
    /// The answer to a repeat of its request: what it got, if it still has it.
    pub(crate) fn answer(
        &self,
        fingerprint: Hash32,
        held: Held,
        now: DateTime<Utc>,
    ) -> Result<Held, HoldRefusal> {
        if self.fingerprint.is_some_and(|first| first != fingerprint) {
            return Err(HoldRefusal::IdReused);
        }
        match self.expires_at {
            Some(expires_at) if self.is_active(now) => Ok(Held { expires_at, ..held }),
            _ => Err(HoldRefusal::Ended),
        }
    }

    pub(crate) fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.status == HoldStatus::Held && !self.is_active(now)
    }

    /// Whether it has its places, and can be bound to a confirmed reservation.
    pub(crate) fn is_active(&self, now: DateTime<Utc>) -> bool {
        match self.status {
            HoldStatus::Held => self.expires_at.is_some_and(|expires_at| expires_at > now),
            HoldStatus::Confirmed | HoldStatus::Sold => true,
            HoldStatus::Released => false,
        }
    }

    pub(crate) fn is_sold(&self) -> bool {
        self.status == HoldStatus::Sold
    }

    pub(crate) fn is_released(&self) -> bool {
        self.status == HoldStatus::Released
    }

    /// Whether this ends it. Undoing an attempt never frees what a customer has confirmed or paid:
    /// the cart or the order ends that.
    pub(crate) fn is_ended_by(&self, by: EndedBy, now: DateTime<Utc>) -> bool {
        match by {
            EndedBy::Expiry => self.has_expired(now),
            EndedBy::Undo => self.status == HoldStatus::Held,
            EndedBy::Holder | EndedBy::Cart(_) | EndedBy::OrderCancelled => {
                !self.is_released() && !self.is_sold()
            }
            EndedBy::OrderRefunded => !self.is_released(),
        }
    }

    /// Whether this order may buy its places: the hold is the customer's, and no other order has it.
    pub(crate) fn may_be_sold_to(&self, order: OrderId, customer: UserId) -> bool {
        !self.is_released()
            && self.customer == Some(customer)
            && self.order.is_none_or(|has| has == order)
    }
}

impl HoldStatus {
    /// From a row.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "held" => Some(Self::Held),
            "confirmed" => Some(Self::Confirmed),
            "sold" => Some(Self::Sold),
            "released" => Some(Self::Released),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use eventify_protocol::ids::{PerformanceId, VenueId};

    use super::*;

    const FINGERPRINT: Hash32 = Hash32([1; 32]);

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn hold(status: HoldStatus, expires_at: Option<DateTime<Utc>>) -> Hold {
        Hold {
            id: HoldId(Uuid::from_u128(1)),
            status,
            fingerprint: expires_at.map(|_| FINGERPRINT),
            expires_at,
            owner: None,
            customer: None,
            order: None,
        }
    }

    /// Until when the places of a repeated request are held.
    fn answer(hold: &Hold) -> Result<DateTime<Utc>, HoldRefusal> {
        let held = Held {
            hold: hold.id,
            performance: PerformanceId(Uuid::nil()),
            venue: VenueId(Uuid::nil()),
            expires_at: now(),
            seats: vec![],
            buckets: vec![],
        };
        let answer = hold.answer(FINGERPRINT, held, now());
        answer.map(|held| held.expires_at)
    }

    #[test]
    fn a_repeat_gets_its_first_answer_and_a_hold_never_comes_back() {
        let until = now() + Duration::minutes(3);
        assert_eq!(answer(&hold(HoldStatus::Held, Some(until))), Ok(until));
        assert_eq!(answer(&hold(HoldStatus::Confirmed, Some(now()))), Ok(now()));
        for ended in [
            hold(HoldStatus::Held, Some(now())),
            hold(HoldStatus::Released, Some(until)),
            hold(HoldStatus::Released, None),
        ] {
            assert_eq!(answer(&ended), Err(HoldRefusal::Ended), "{ended:?}");
        }
        let other = Hold {
            fingerprint: Some(Hash32::ZERO),
            ..hold(HoldStatus::Held, Some(until))
        };
        assert_eq!(answer(&other), Err(HoldRefusal::IdReused));
    }
}
