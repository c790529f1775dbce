//! Pure decisions about a cart: what may be put in, at which price, and when it ends.

use chrono::{DateTime, Duration, Utc};
use eventify_protocol::ids::{
    BucketId, EventId, HoldId, PerformanceId, ReservationId, SeatId, UserId, VenueId,
};
use eventify_protocol::money::{Currency, Money, MoneyError};
use eventify_protocol::token::CategoryCode;
use uuid::Uuid;

use super::events::{EndReason, Item};

/// Most places (seats, and places in zones) in one reservation.
pub(super) const MAX_ITEMS_PER_RESERVATION: u32 = 20;

/// A cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reservation {
    pub(super) id: ReservationId,
    pub(super) customer_id: UserId,
    pub(super) state: State,
    /// Pending: until when it can be confirmed. Confirmed: until when it must be paid.
    pub(super) expires_at: DateTime<Utc>,
    pub(super) items: Vec<CartItem>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) version: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Confirmed,
    Cancelled(EndReason),
    Expired,
}

/// A line of the cart, with the id under which it can be taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CartItem {
    pub(super) item_id: Uuid,
    pub(super) item: Item,
}

/// What event_management says about a performance, as far as sales need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OnSale {
    pub(super) performance_id: PerformanceId,
    pub(super) event_id: EventId,
    pub(super) venue_id: VenueId,
    pub(super) published: bool,
    pub(super) cancelled: bool,
    pub(super) start_time: DateTime<Utc>,
    pub(super) sales_opens_at: Option<DateTime<Utc>>,
    pub(super) sales_closes_at: Option<DateTime<Utc>>,
    pub(super) prices: Vec<(CategoryCode, Money)>,
}

/// A place as inventory has held it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeldPlace {
    pub(super) hold_id: HoldId,
    pub(super) seat: Option<(SeatId, String)>,
    pub(super) bucket: Option<(BucketId, String)>,
    pub(super) qty: u32,
    /// The price category asked for, or the only one that the place is sold in.
    pub(super) category: Option<CategoryCode>,
    /// The price categories that the place is sold in.
    pub(super) allowed: Vec<CategoryCode>,
}

/// Why something can't be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the reservation has expired")]
    Expired,
    #[error("the reservation was cancelled")]
    Cancelled,
    #[error("the reservation is confirmed and can't be changed any more")]
    Confirmed,
    #[error("the reservation is empty")]
    Empty,
    #[error("a reservation holds at most {MAX_ITEMS_PER_RESERVATION} places")]
    TooManyItems,
    #[error("the performance is not on sale")]
    NotOnSale,
    #[error("sales open at {0}")]
    SalesNotOpen(DateTime<Utc>),
    #[error("sales closed at {0}")]
    SalesClosed(DateTime<Utc>),
    #[error("the price category '{0}' does not exist here")]
    UnknownCategory(CategoryCode),
    #[error("choose a price category")]
    CategoryNeeded(Vec<CategoryCode>),
    #[error("the price is {0}")]
    PriceMismatch(Money),
    #[error("this reservation is in {0}; one order has one currency")]
    OtherCurrency(Currency),
    #[error("the sum is too large")]
    TooExpensive,
}

impl Reservation {
    pub(super) fn start(
        id: ReservationId,
        customer_id: UserId,
        lifetime: Duration,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            customer_id,
            state: State::Pending,
            expires_at: now + lifetime,
            items: Vec::new(),
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// Whether the cart can be changed now.
    pub(super) fn must_be_open(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        match self.state {
            State::Pending if now < self.expires_at => Ok(()),
            State::Pending | State::Expired => Err(Refusal::Expired),
            State::Confirmed => Err(Refusal::Confirmed),
            State::Cancelled(_) => Err(Refusal::Cancelled),
        }
    }

    /// Whether so many more places fit in.
    pub(super) fn must_have_room(&self, more: u32) -> Result<(), Refusal> {
        let held: u32 = self.items.iter().map(|line| line.item.qty).sum();
        match held.checked_add(more) {
            Some(all) if all <= MAX_ITEMS_PER_RESERVATION => Ok(()),
            Some(_) | None => Err(Refusal::TooManyItems),
        }
    }

    /// Puts held and priced places into the cart.
    pub(super) fn add(mut self, lines: Vec<CartItem>, now: DateTime<Utc>) -> Result<Self, Refusal> {
        self.must_be_open(now)?;
        self.must_have_room(lines.iter().map(|line| line.item.qty).sum())?;
        self.items.extend(lines);
        self.total()?;
        Ok(self.touched(now))
    }

    /// Takes a line out; `None` when there is no such line.
    pub(super) fn remove(
        mut self,
        item_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<(Self, Item)>, Refusal> {
        self.must_be_open(now)?;
        let Some(place) = self.items.iter().position(|line| line.item_id == item_id) else {
            return Ok(None);
        };
        let removed = self.items.remove(place).item;
        Ok(Some((self.touched(now), removed)))
    }

    /// The sum of all lines; `None` for an empty cart.
    pub(super) fn total(&self) -> Result<Option<Money>, Refusal> {
        self.items
            .iter()
            .try_fold(None, |sum: Option<Money>, line| {
                let price = line
                    .item
                    .unit_price
                    .times(line.item.qty)
                    .map_err(too_expensive)?;
                match sum {
                    None => Ok(Some(price)),
                    Some(sum) => sum.plus(price).map(Some).map_err(too_expensive),
                }
            })
    }

    /// Whether [`confirm`](Self::confirm) may be asked for; true when it has been done already.
    pub(super) fn may_confirm(&self, now: DateTime<Utc>) -> Result<bool, Refusal> {
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

    /// The customer wants exactly this, and has until `pay_until` to pay.
    pub(super) fn confirm(
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

    /// The customer gives the open cart up; `None` when it has ended already.
    pub(super) fn give_up(self, now: DateTime<Utc>) -> Result<Option<Self>, Refusal> {
        match self.state {
            State::Pending => Ok(Some(
                self.ended(State::Cancelled(EndReason::UserCancelled), now),
            )),
            State::Cancelled(_) | State::Expired => Ok(None),
            // Its order exists; that is what can be cancelled now.
            State::Confirmed => Err(Refusal::Confirmed),
        }
    }

    /// Its order or its performance ended; `None` when it has ended already.
    pub(super) fn cancel(self, reason: EndReason, now: DateTime<Utc>) -> Option<Self> {
        match self.state {
            State::Pending | State::Confirmed => Some(self.ended(State::Cancelled(reason), now)),
            State::Cancelled(_) | State::Expired => None,
        }
    }

    /// Its time has passed; `None` when that is not so.
    pub(super) fn expire(self, now: DateTime<Utc>) -> Option<Self> {
        (self.state == State::Pending && now >= self.expires_at)
            .then(|| self.ended(State::Expired, now))
    }

    pub(super) fn plain_items(&self) -> Vec<Item> {
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

impl OnSale {
    /// Whether it can be bought now. Without an end of its own, the sale ends with the start.
    pub(super) fn must_be_on_sale(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        if !self.published || self.cancelled {
            return Err(Refusal::NotOnSale);
        }
        if let Some(opens) = self.sales_opens_at.filter(|opens| now < *opens) {
            return Err(Refusal::SalesNotOpen(opens));
        }
        let closes = self.sales_closes_at.unwrap_or(self.start_time);
        if now < closes {
            Ok(())
        } else {
            Err(Refusal::SalesClosed(closes))
        }
    }

    /// The core's price of a category, equal to what the client thinks it is, if it says.
    pub(super) fn price(
        &self,
        category: CategoryCode,
        claimed: Option<Money>,
    ) -> Result<Money, Refusal> {
        let price = self
            .prices
            .iter()
            .find(|(code, _)| *code == category)
            .map(|(_, price)| *price)
            .ok_or(Refusal::UnknownCategory(category))?;
        match claimed {
            Some(claimed) if claimed != price => Err(Refusal::PriceMismatch(price)),
            Some(_) | None => Ok(price),
        }
    }

    /// A held place with the core's price on it. Where it is sold in several categories, the one
    /// with the claimed price is not guessed.
    pub(super) fn priced(&self, held: HeldPlace, claimed: Option<Money>) -> Result<Item, Refusal> {
        let price_category = held.category.ok_or(Refusal::CategoryNeeded(held.allowed))?;
        let unit_price = self.price(price_category, claimed)?;
        let (seat_id, seat_label) = held.seat.unzip();
        let (bucket_id, zone) = held.bucket.unzip();
        Ok(Item {
            performance_id: self.performance_id,
            venue_id: self.venue_id,
            seat_id,
            seat_label,
            bucket_id,
            zone,
            qty: held.qty,
            price_category,
            unit_price,
            hold_id: held.hold_id,
        })
    }
}

fn too_expensive(error: MoneyError) -> Refusal {
    match error {
        MoneyError::MixedCurrencies(mine, _) => Refusal::OtherCurrency(mine),
        MoneyError::TooLarge
        | MoneyError::UnknownCurrency(_)
        | MoneyError::MalformedAmount { .. } => Refusal::TooExpensive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_900_000_000 + minute * 60, 0).unwrap()
    }

    fn euro(minor: i64) -> Money {
        Money::from_minor(Currency::Eur, minor).unwrap()
    }

    fn code(text: &str) -> CategoryCode {
        text.parse().unwrap()
    }

    fn cart() -> Reservation {
        Reservation::start(
            Uuid::nil().into(),
            Uuid::nil().into(),
            Duration::minutes(10),
            at(0),
        )
    }

    fn on_sale() -> OnSale {
        OnSale {
            performance_id: Uuid::from_u128(1).into(),
            event_id: Uuid::from_u128(2).into(),
            venue_id: Uuid::from_u128(3).into(),
            published: true,
            cancelled: false,
            start_time: at(60),
            sales_opens_at: Some(at(-10)),
            sales_closes_at: None,
            prices: vec![(code("STALLS"), euro(3900)), (code("CHILD"), euro(1500))],
        }
    }

    fn seat(allowed: &[&str]) -> HeldPlace {
        let allowed: Vec<_> = allowed.iter().map(|text| code(text)).collect();
        HeldPlace {
            hold_id: Uuid::from_u128(4).into(),
            seat: Some((Uuid::from_u128(5).into(), "A-12".to_owned())),
            bucket: None,
            qty: 1,
            category: (allowed.len() == 1).then(|| allowed[0]),
            allowed,
        }
    }

    fn line(price: Money, qty: u32) -> CartItem {
        let mut item = on_sale().priced(seat(&["STALLS"]), None).unwrap();
        (item.unit_price, item.qty) = (price, qty);
        CartItem {
            item_id: Uuid::from_u128(u128::from(qty)),
            item,
        }
    }

    #[test]
    fn a_price_is_the_cores_or_refused() {
        let sale = on_sale();
        let stalls = code("STALLS");
        assert_eq!(sale.price(stalls, Some(euro(3900))), Ok(euro(3900)));
        assert_eq!(
            sale.price(stalls, Some(euro(1))),
            Err(Refusal::PriceMismatch(euro(3900)))
        );
        let vip = code("VIP");
        assert_eq!(sale.price(vip, None), Err(Refusal::UnknownCategory(vip)));
    }

    #[test]
    fn a_category_is_chosen_unless_there_is_one_only() {
        let sale = on_sale();
        let (stalls, child) = (code("STALLS"), code("CHILD"));
        let only = sale.priced(seat(&["STALLS"]), None).unwrap();
        assert_eq!((only.price_category, only.unit_price), (stalls, euro(3900)));
        assert_eq!(
            sale.priced(seat(&["STALLS", "CHILD"]), Some(euro(1500))),
            Err(Refusal::CategoryNeeded(vec![stalls, child]))
        );
        let chosen = HeldPlace {
            category: Some(child),
            ..seat(&["STALLS", "CHILD"])
        };
        assert_eq!(sale.priced(chosen, None).unwrap().unit_price, euro(1500));
    }

    #[test]
    fn sales_have_a_window() {
        let sale = on_sale();
        assert_eq!(sale.must_be_on_sale(at(0)), Ok(()));
        assert_eq!(
            sale.must_be_on_sale(at(-11)),
            Err(Refusal::SalesNotOpen(at(-10)))
        );
        assert_eq!(
            sale.must_be_on_sale(at(60)),
            Err(Refusal::SalesClosed(at(60)))
        );
        let closing = OnSale {
            sales_closes_at: Some(at(5)),
            ..sale.clone()
        };
        assert_eq!(
            closing.must_be_on_sale(at(5)),
            Err(Refusal::SalesClosed(at(5)))
        );
        let draft = OnSale {
            published: false,
            ..sale.clone()
        };
        assert_eq!(draft.must_be_on_sale(at(0)), Err(Refusal::NotOnSale));
        let cancelled = OnSale {
            cancelled: true,
            ..sale
        };
        assert_eq!(cancelled.must_be_on_sale(at(0)), Err(Refusal::NotOnSale));
    }

    #[test]
    fn twenty_places_and_one_currency() {
        let full = cart().add(vec![line(euro(100), 20)], at(1)).unwrap();
        assert_eq!(full.total(), Ok(Some(euro(2000))));
        assert_eq!(
            full.add(vec![line(euro(100), 1)], at(1)),
            Err(Refusal::TooManyItems)
        );
        let yen = Money::from_minor(Currency::Jpy, 100).unwrap();
        let mixed = cart().add(vec![line(euro(100), 1), line(yen, 1)], at(1));
        assert_eq!(mixed, Err(Refusal::OtherCurrency(Currency::Eur)));
    }

    #[test]
    fn an_expired_cart_takes_nothing_and_ends_once() {
        let cart = cart().add(vec![line(euro(100), 1)], at(1)).unwrap();
        assert_eq!(
            cart.clone().add(vec![line(euro(100), 2)], at(10)),
            Err(Refusal::Expired)
        );
        assert_eq!(cart.may_confirm(at(10)), Err(Refusal::Expired));
        assert_eq!(cart.clone().expire(at(9)), None);
        let expired = cart.expire(at(10)).unwrap();
        assert_eq!(expired.clone().expire(at(11)), None);
        assert_eq!(expired.cancel(EndReason::EventCancelled, at(11)), None);
    }

    #[test]
    fn confirming_twice_is_confirming_once() {
        assert_eq!(cart().may_confirm(at(1)), Err(Refusal::Empty));
        let cart = cart().add(vec![line(euro(100), 3)], at(1)).unwrap();
        assert_eq!(cart.may_confirm(at(2)), Ok(false));
        let (confirmed, amount) = cart.confirm(at(17), at(2)).unwrap();
        assert_eq!((amount, confirmed.expires_at), (euro(300), at(17)));
        assert_eq!(confirmed.may_confirm(at(30)), Ok(true));
        assert_eq!(
            confirmed.clone().expire(at(30)),
            None,
            "the order's deadline ends it"
        );
        assert_eq!(confirmed.clone().give_up(at(3)), Err(Refusal::Confirmed));
        let ended = confirmed.cancel(EndReason::PaymentFailed, at(3)).unwrap();
        assert_eq!(ended.state, State::Cancelled(EndReason::PaymentFailed));
        assert_eq!(ended.clone().cancel(EndReason::PaymentFailed, at(4)), None);
        assert_eq!(ended.give_up(at(5)), Ok(None));
    }

    #[test]
    fn what_was_taken_out_is_told() {
        let cart = cart()
            .add(vec![line(euro(100), 1), line(euro(200), 2)], at(1))
            .unwrap();
        let (rest, removed) = cart
            .clone()
            .remove(Uuid::from_u128(2), at(2))
            .unwrap()
            .unwrap();
        assert_eq!(
            (rest.items.len(), removed.qty, rest.version),
            (1, 2, cart.version + 1)
        );
        assert_eq!(rest.remove(Uuid::from_u128(2), at(2)), Ok(None));
    }
}
