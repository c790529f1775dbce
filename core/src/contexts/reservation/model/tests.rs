//! The rules of carts and offers.

use chrono::{DateTime, Duration, Utc};
use eventify_contracts::reservation::EndReason;
use eventify_protocol::money::{Currency, Money};
use uuid::Uuid;

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
        (Uuid::nil().into(), None),
        Duration::minutes(10),
        Uuid::nil().into(),
        at(0),
    )
}

fn offer() -> Offer {
    Offer {
        performance_id: Uuid::from_u128(1).into(),
        event_id: Uuid::from_u128(2).into(),
        venue_id: Uuid::from_u128(3).into(),
        published: true,
        cancelled: false,
        start_time: at(60),
        ends_at: None,
        sales_opens_at: Some(at(-10)),
        sales_closes_at: None,
        admits_until: at(240),
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
    let mut item = offer().priced(seat(&["STALLS"]), None).unwrap();
    (item.unit_price, item.qty) = (price, qty);
    item.seat_id = Some(Uuid::from_u128(100 + u128::from(qty)).into());
    CartItem {
        item_id: Uuid::from_u128(u128::from(qty)),
        item,
    }
}

#[test]
fn only_the_cores_price_is_accepted() {
    let offer = offer();
    let stalls = code("STALLS");
    assert_eq!(offer.price(stalls, Some(euro(3900))), Ok(euro(3900)));
    assert_eq!(
        offer.price(stalls, Some(euro(1))),
        Err(Refusal::PriceMismatch(euro(3900)))
    );
    let vip = code("VIP");
    assert_eq!(offer.price(vip, None), Err(Refusal::UnknownCategory(vip)));
}

#[test]
fn a_category_is_chosen_unless_there_is_one_only() {
    let offer = offer();
    let (stalls, child) = (code("STALLS"), code("CHILD"));
    let only = offer.priced(seat(&["STALLS"]), None).unwrap();
    assert_eq!((only.price_category, only.unit_price), (stalls, euro(3900)));
    assert_eq!(
        offer.priced(seat(&["STALLS", "CHILD"]), Some(euro(1500))),
        Err(Refusal::CategoryNeeded(vec![stalls, child]))
    );
    let chosen = HeldPlace {
        category: Some(child),
        ..seat(&["STALLS", "CHILD"])
    };
    assert_eq!(offer.priced(chosen, None).unwrap().unit_price, euro(1500));
}

#[test]
fn sales_have_a_window() {
    let offer = offer();
    assert_eq!(offer.must_be_on_sale(Channel::Online, at(0)), Ok(()));
    assert_eq!(
        offer.must_be_on_sale(Channel::Online, at(-11)),
        Err(Refusal::SalesNotOpen(at(-10)))
    );
    assert_eq!(
        offer.must_be_on_sale(Channel::Online, at(60)),
        Err(Refusal::SalesClosed(at(60)))
    );
    let closing = Offer {
        sales_closes_at: Some(at(5)),
        ..offer.clone()
    };
    assert_eq!(
        closing.must_be_on_sale(Channel::Online, at(5)),
        Err(Refusal::SalesClosed(at(5)))
    );
    let at_the_door = |time| closing.must_be_on_sale(Channel::BoxOffice, time);
    assert_eq!(at_the_door(at(239)), Ok(()), "guests come late");
    assert_eq!(at_the_door(at(240)), Err(Refusal::SalesClosed(at(240))));
    let draft = Offer {
        published: false,
        ..offer.clone()
    };
    assert_eq!(
        draft.must_be_on_sale(Channel::Online, at(0)),
        Err(Refusal::NotOnSale)
    );
    let cancelled = Offer {
        cancelled: true,
        ..offer
    };
    assert_eq!(
        cancelled.must_be_on_sale(Channel::Online, at(0)),
        Err(Refusal::NotOnSale)
    );
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
    let mixed = cart().add(vec![line(euro(100), 1), line(yen, 2)], at(1));
    assert_eq!(mixed, Err(Refusal::OtherCurrency(Currency::Eur)));
}

#[test]
fn an_expired_cart_accepts_nothing_and_ends_once() {
    let cart = cart().add(vec![line(euro(100), 1)], at(1)).unwrap();
    assert_eq!(
        cart.clone().add(vec![line(euro(100), 2)], at(10)),
        Err(Refusal::Expired)
    );
    assert_eq!(cart.is_confirmed(at(10)), Err(Refusal::Expired));
    assert_eq!(cart.clone().expire(at(9)), None);
    let expired = cart.expire(at(10)).unwrap();
    assert_eq!(expired.clone().expire(at(11)), None);
    assert_eq!(expired.cancel(EndReason::EventCancelled, at(11)), None);
}

#[test]
fn confirming_twice_is_confirming_once() {
    assert_eq!(cart().is_confirmed(at(1)), Err(Refusal::Empty));
    let cart = cart().add(vec![line(euro(100), 3)], at(1)).unwrap();
    assert_eq!(cart.is_confirmed(at(2)), Ok(false));
    let (confirmed, amount) = cart.confirm(at(17), at(2)).unwrap();
    assert_eq!((amount, confirmed.expires_at), (euro(300), at(17)));
    assert_eq!(confirmed.is_confirmed(at(30)), Ok(true));
    assert_eq!(
        confirmed.clone().expire(at(30)),
        None,
        "the order's deadline ends it"
    );
    assert_eq!(
        confirmed.clone().cancel_by_customer(at(3)),
        Err(Refusal::Confirmed)
    );
    let ended = confirmed.cancel(EndReason::PaymentFailed, at(3)).unwrap();
    assert_eq!(ended.state, State::Cancelled(EndReason::PaymentFailed));
    assert_eq!(ended.clone().cancel(EndReason::PaymentFailed, at(4)), None);
    assert_eq!(ended.cancel_by_customer(at(5)), Ok(None));
}

#[test]
fn a_removed_line_is_returned() {
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

#[test]
fn the_same_place_is_not_added_twice() {
    let cart = cart().add(vec![line(euro(100), 1)], at(1)).unwrap();
    assert_eq!(
        cart.add(vec![line(euro(100), 1)], at(1)),
        Err(Refusal::Duplicate)
    );
}
