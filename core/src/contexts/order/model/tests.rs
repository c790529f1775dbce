//! The rules of orders and refunds.

use chrono::{DateTime, Duration, Utc};
use eventify_contracts::order::{CancelReason, RefundReason};
use eventify_contracts::reservation::ReservationConfirmed;
use eventify_contracts::ticketing::NotGood;
use eventify_protocol::money::{Currency, Money};
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
        seller_id: None,
        amount: euro(7800),
        confirmed_until: at(1),
        items: Vec::new(),
    };
    Order::place(
        Uuid::from_u128(3).into(),
        &confirmed,
        Uuid::nil().into(),
        at(0),
    )
}

fn paid() -> Order {
    let Captured::Paid(order) = order().captured(None, at(0)) else {
        panic!("a new order can be paid");
    };
    *order
}

fn ticket(number: u128, performance: u128) -> PaidTicket {
    PaidTicket {
        ticket_id: Uuid::from_u128(number).into(),
        performance_id: Uuid::from_u128(performance).into(),
        price: euro(3900),
        refund_id: None,
    }
}

fn performance(number: u128, begins: i64) -> Performance {
    Performance {
        performance_id: Uuid::from_u128(number).into(),
        owner_id: Uuid::from_u128(9).into(),
        org_id: Some("hall".to_owned()),
        begins: at(begins),
        cancelled: false,
    }
}

fn policy(performances: &[Performance], now: i64) -> CustomerPolicy<'_> {
    CustomerPolicy {
        performances,
        not_good: &[],
        now: at(now),
    }
}

#[test]
fn a_capture_pays_once_and_comes_too_late_for_a_cancelled_order() {
    let paid = paid();
    assert_eq!(paid.state, State::Paid { at: at(0) });
    assert_eq!(paid.clone().captured(None, at(1)), Captured::AlreadyPaid);
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
fn a_delayed_payment_shows_until_the_intent_exists() {
    let waiting = order().payment_delayed(at(0)).unwrap();
    assert_eq!(waiting.state, State::Processing);
    assert_eq!(waiting.clone().payment_delayed(at(0)), None);
    let answered = waiting.with_payment(Uuid::nil().into(), Duration::minutes(15), at(0));
    assert_eq!(answered.state, State::Pending);
    assert_eq!(answered.payment_delayed(at(0)), None);
}

#[test]
fn a_customer_returns_tickets_until_24_hours_before() {
    let (order, tickets) = (paid(), [ticket(1, 10), ticket(2, 20)]);
    let performances = [performance(10, 24), performance(20, 23)];
    let plan = order
        .customer_refund(&tickets, None, &policy(&performances, 0))
        .unwrap();
    assert_eq!(
        (plan.tickets, plan.amount),
        (vec![tickets[0].ticket_id], euro(3900))
    );
    let late = [tickets[1].ticket_id];
    assert_eq!(
        order.customer_refund(&tickets, Some(&late), &policy(&performances, 0)),
        Err(Refusal::WindowClosed)
    );
    assert_eq!(
        order.customer_refund(&tickets, None, &policy(&performances, 2)),
        Err(Refusal::WindowClosed)
    );
    let mut cancelled = performances;
    cancelled[1].cancelled = true;
    let plan = order
        .customer_refund(&tickets, Some(&late), &policy(&cancelled, 2))
        .unwrap();
    assert_eq!(
        plan.tickets, late,
        "a cancelled performance is refunded at any time"
    );
}

#[test]
fn a_customer_gives_back_no_ticket_that_was_used_or_revoked() {
    let (order, tickets) = (paid(), [1, 2, 3].map(|number| ticket(number, 10)));
    let [good, used, revoked] = tickets.map(|it| it.ticket_id);
    let performances = [performance(10, 48)];
    let not_good = [(used, NotGood::Used), (revoked, NotGood::Revoked)];
    let policy = CustomerPolicy {
        not_good: &not_good,
        ..policy(&performances, 0)
    };
    let of = |named: &[TicketId]| order.customer_refund(&tickets, Some(named), &policy);
    assert_eq!(of(&[good, used]), Err(Refusal::Used(used)));
    assert_eq!(of(&[revoked]), Err(Refusal::Revoked(revoked)));
    let plan = order.customer_refund(&tickets, None, &policy).unwrap();
    assert_eq!((plan.tickets, plan.amount), (vec![good], euro(3900)));
    let only_used = order.customer_refund(&tickets[1..2], None, &policy);
    assert_eq!(only_used, Err(Refusal::Used(used)));
}

#[test]
fn an_organiser_refunds_at_any_time_but_each_ticket_once() {
    let (order, mut tickets) = (paid(), [ticket(1, 10), ticket(2, 10)]);
    let reason = RefundReason::OrganiserDecision;
    let twice = [tickets[0].ticket_id, tickets[0].ticket_id];
    let plan = order.goodwill_refund(&tickets, &twice, reason).unwrap();
    assert_eq!((plan.tickets.len(), plan.amount), (1, euro(3900)));
    tickets[0].refund_id = Some(Uuid::nil().into());
    assert_eq!(
        order.goodwill_refund(&tickets, &twice, reason),
        Err(Refusal::AlreadyRefunded(
            tickets[0].ticket_id,
            Uuid::nil().into()
        ))
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
fn refunds_of_all_tickets_end_in_refunded() {
    let part = paid().refunded(true, at(1)).unwrap();
    assert_eq!(part.state.name(), "partially_refunded");
    let all = part.refunded(false, at(2)).unwrap();
    assert_eq!(all.state, State::Refunded { paid_at: at(0) });
    assert_eq!(all.clone().refunded(false, at(3)), None);
    let refused = all.customer_refund(&[ticket(1, 10)], None, &policy(&[], 3));
    assert_eq!(refused, Err(Refusal::WrongState(all.state)));
}

#[test]
fn organisers_decide_about_their_own_performances() {
    let performance = performance(10, 24);
    assert!(performance.is_run_by(Uuid::from_u128(9).into(), None));
    assert!(performance.is_run_by(Uuid::nil().into(), Some("hall")));
    assert!(!performance.is_run_by(Uuid::nil().into(), Some("other")));
    assert!(!performance.is_run_by(Uuid::nil().into(), None));
}
