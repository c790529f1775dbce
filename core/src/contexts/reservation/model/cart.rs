//! The cart and its states.

use chrono::{DateTime, Duration, Utc};
use eventify_contracts::reservation::{EndReason, Item};
use eventify_protocol::ids::{CorrelationId, HoldId, ReservationId, UserId};
use eventify_protocol::money::{Money, MoneyError};
use uuid::Uuid;

use super::{MAX_ITEMS_PER_RESERVATION, Refusal};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub(crate) id: ReservationId,
    pub(crate) customer_id: UserId,
    /// The box office that opened it in the customer's name.
    pub(crate) seller_id: Option<UserId>,
    pub(crate) state: State,
    /// Pending: the cart must be confirmed by then. Confirmed: the order must be paid by then.
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) items: Vec<CartItem>,
    /// Of the request that started the cart.
    pub(crate) correlation: CorrelationId,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) version: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Confirmed,
    Cancelled(EndReason),
    Expired,
}

impl State {
    /// Why it ended, if it has.
    pub(crate) fn end_reason(self) -> Option<EndReason> {
        match self {
            Self::Pending | Self::Confirmed => None,
            Self::Cancelled(reason) => Some(reason),
            Self::Expired => Some(EndReason::Expired),
        }
    }
}

/// A line of the cart, with the id under which it can be taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CartItem {
    pub(crate) item_id: Uuid,
    pub(crate) item: Item,
}

impl CartItem {
    /// Same seat, or same zone in the same category.
    fn is_same_place(&self, other: &Self) -> bool {
        let place = |line: &Self| {
            let Item {
                performance_id,
                seat_id,
                bucket_id,
                price_category,
                ..
            } = line.item;
            (performance_id, seat_id, bucket_id, price_category)
        };
        place(self) == place(other)
    }
}

impl Reservation {
    pub(crate) fn start(
        id: ReservationId,
        (customer_id, seller_id): (UserId, Option<UserId>),
        lifetime: Duration,
        correlation: CorrelationId,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            customer_id,
            seller_id,
            state: State::Pending,
            expires_at: now + lifetime,
            items: Vec::new(),
            correlation,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    pub(crate) fn must_be_open(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        match self.state {
            State::Pending if now < self.expires_at => Ok(()),
            State::Pending | State::Expired => Err(Refusal::Expired),
            State::Confirmed => Err(Refusal::Confirmed),
            State::Cancelled(_) => Err(Refusal::Cancelled),
        }
    }

    /// Whether places of this hold are in the cart.
    pub(crate) fn has_hold(&self, hold: HoldId) -> bool {
        self.items.iter().any(|line| line.item.hold_id == hold)
    }

    pub(crate) fn must_have_room(&self, more: u32) -> Result<(), Refusal> {
        let present: u32 = self.items.iter().map(|line| line.item.qty).sum();
        match present.checked_add(more) {
            Some(all) if all <= MAX_ITEMS_PER_RESERVATION => Ok(()),
            Some(_) | None => Err(Refusal::TooManyItems),
        }
    }

    /// Puts held and priced places into the cart.
    pub(crate) fn add(mut self, lines: Vec<CartItem>, now: DateTime<Utc>) -> Result<Self, Refusal> {
        self.must_be_open(now)?;
        self.must_have_room(lines.iter().map(|line| line.item.qty).sum())?;
        for line in lines {
            if self.items.iter().any(|other| other.is_same_place(&line)) {
                return Err(Refusal::Duplicate);
            }
            self.items.push(line);
        }
        self.total()?;
        Ok(self.touched(now))
    }

    /// Removes a line; `None` when there is no such line.
    pub(crate) fn remove(
        mut self,
        item_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<(Self, Item)>, Refusal> {
        self.must_be_open(now)?;
        let Some(index) = self.items.iter().position(|line| line.item_id == item_id) else {
            return Ok(None);
        };
        let removed = self.items.remove(index).item;
        Ok(Some((self.touched(now), removed)))
    }

    /// The sum of all lines; `None` for an empty cart.
    pub(crate) fn total(&self) -> Result<Option<Money>, Refusal> {
        let mut total: Option<Money> = None;
        for CartItem { item, .. } in &self.items {
            let price = item
                .unit_price
                .times(item.qty)
                .map_err(|error| amount_refusal(&error))?;
            total = Some(match total {
                None => price,
                Some(sum) => sum.plus(price).map_err(|error| amount_refusal(&error))?,
            });
        }
        Ok(total)
    }

    /// Whether the cart is confirmed already; a refusal when it can't be confirmed.
    pub(crate) fn is_confirmed(&self, now: DateTime<Utc>) -> Result<bool, Refusal> {
        if self.state == State::Confirmed {
            return Ok(true);
        }
        self.must_be_open(now)?;
        if self.items.is_empty() {
            Err(Refusal::Empty)
        } else {
            Ok(false)
        }
    }

    /// The customer orders exactly these places and must pay by `pay_until`.
    pub(crate) fn confirm(
        mut self,
        pay_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(Self, Money), Refusal> {
        self.must_be_open(now)?;
        let amount = self.total()?.ok_or(Refusal::Empty)?;
        self.state = State::Confirmed;
        self.expires_at = pay_until;
        Ok((self.touched(now), amount))
    }

    /// The customer cancels the open cart; `None` when it has ended already.
    pub(crate) fn cancel_by_customer(self, now: DateTime<Utc>) -> Result<Option<Self>, Refusal> {
        match self.state {
            State::Pending => Ok(Some(
                self.ended(State::Cancelled(EndReason::UserCancelled), now),
            )),
            State::Cancelled(_) | State::Expired => Ok(None),
            // Its order exists; the customer cancels the order instead.
            State::Confirmed => Err(Refusal::Confirmed),
        }
    }

    /// The order or the performance was cancelled; `None` when the cart has ended already.
    pub(crate) fn cancel(self, reason: EndReason, now: DateTime<Utc>) -> Option<Self> {
        match self.state {
            State::Pending | State::Confirmed => Some(self.ended(State::Cancelled(reason), now)),
            State::Cancelled(_) | State::Expired => None,
        }
    }

    /// `None` unless the cart is open and its time has passed.
    pub(crate) fn expire(self, now: DateTime<Utc>) -> Option<Self> {
        (self.state == State::Pending && now >= self.expires_at)
            .then(|| self.ended(State::Expired, now))
    }

    pub(crate) fn plain_items(&self) -> Vec<Item> {
        self.items.iter().map(|line| line.item.clone()).collect()
    }

    fn ended(mut self, state: State, now: DateTime<Utc>) -> Self {
        self.state = state;
        self.touched(now)
    }

    fn touched(mut self, now: DateTime<Utc>) -> Self {
        self.updated_at = now;
        self.version += 1;
        self
    }
}

fn amount_refusal(error: &MoneyError) -> Refusal {
    match error {
        MoneyError::MixedCurrencies(present, _) => Refusal::OtherCurrency(*present),
        MoneyError::TooLarge
        | MoneyError::UnknownCurrency(_)
        | MoneyError::MalformedAmount { .. } => Refusal::TooExpensive,
    }
}
