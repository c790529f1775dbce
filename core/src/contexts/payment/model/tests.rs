//! The rules of payments, and a law over all orders of facts.

use chrono::{DateTime, Utc};
use eventify_protocol::money::{Currency, Money};
use proptest::prelude::*;
use uuid::Uuid;

use super::refund::RefundRefusal;
use super::*;
use crate::contexts::payment::gateway::{Decline, Intent, IntentSeen, IntentStatus, RefundStatus};
use eventify_contracts::payment::FailureReason;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000, 0).unwrap()
}

fn euro(minor: i64) -> Money {
    Money::from_minor(Currency::Eur, minor).unwrap()
}

fn intent() -> Intent {
    Intent {
        reference: "pi_1".to_owned(),
        client_secret: "pi_1_secret_2".to_owned(),
    }
}

fn fresh() -> Payment {
    let id = Uuid::nil();
    Payment::new(
        id.into(),
        (id.into(), id.into()),
        euro(3900),
        id.into(),
        now(),
    )
}

fn seen(status: IntentStatus) -> IntentSeen {
    IntentSeen {
        intent: intent(),
        status,
        declined: None,
        received: None,
        payment_id: None,
    }
}

fn declined() -> IntentSeen {
    let declined = Some(Decline::InsufficientFunds);
    IntentSeen {
        declined,
        ..seen(IntentStatus::AwaitingCustomer)
    }
}

fn waiting() -> Payment {
    fresh().created(intent(), now())
}

fn captured() -> Payment {
    let (payment, news) = waiting()
        .observed(&seen(IntentStatus::Succeeded), now())
        .unwrap();
    assert_eq!(news, Some(News::Captured(euro(3900))));
    payment
}

#[test]
fn an_authorisation_is_captured_and_told_once() {
    let (capturing, news) = waiting()
        .observed(&seen(IntentStatus::Authorised), now())
        .unwrap();
    assert_eq!((capturing.state.todo(), news), (Some(Todo::Capture), None));
    assert_eq!(
        capturing
            .clone()
            .observed(&seen(IntentStatus::Authorised), now()),
        None
    );
    let (captured, news) = capturing
        .observed(&seen(IntentStatus::Succeeded), now())
        .unwrap();
    assert_eq!(
        (captured.state.todo(), news),
        (None, Some(News::Captured(euro(3900))))
    );
    assert_eq!(
        captured.observed(&seen(IntentStatus::Succeeded), now()),
        None
    );
}

#[test]
fn three_d_secure_is_no_decline() {
    assert_eq!(
        waiting().observed(&seen(IntentStatus::AwaitingCustomer), now()),
        None
    );
    assert_eq!(
        waiting().observed(&seen(IntentStatus::Processing), now()),
        None
    );
}

#[test]
fn a_decline_ends_it_and_closes_the_intent() {
    let (failed, news) = waiting().observed(&declined(), now()).unwrap();
    assert_eq!(news, Some(News::Failed(FailureReason::InsufficientFunds)));
    assert_eq!(failed.state.todo(), Some(Todo::Cancel));
    assert_eq!(failed.clone().observed(&declined(), now()), None);
    let (closed, news) = failed
        .observed(&seen(IntentStatus::Canceled), now())
        .unwrap();
    assert_eq!(
        (closed.state.todo(), closed.state.name(), news),
        (None, "failed", None)
    );
    let (reopened, _) = closed
        .observed(&seen(IntentStatus::Authorised), now())
        .unwrap();
    assert_eq!(
        reopened.state.todo(),
        Some(Todo::Cancel),
        "a second card is let go"
    );
}

#[test]
fn a_webhook_may_overtake_the_answer() {
    let (capturing, _) = fresh()
        .observed(&seen(IntentStatus::Authorised), now())
        .unwrap();
    assert_eq!(capturing.state, State::Capturing(intent()));
    assert_eq!(
        capturing.created(intent(), now()).state,
        State::Capturing(intent())
    );
}

#[test]
fn an_ended_order_closes_its_intent_even_before_it_is_known() {
    let cancelled = fresh().order_ended(now()).unwrap();
    assert_eq!(
        cancelled.state.todo(),
        Some(Todo::Create),
        "to learn what to close"
    );
    let known = cancelled.created(intent(), now());
    assert_eq!(known.state.todo(), Some(Todo::Cancel));
    let (closed, news) = known
        .observed(&seen(IntentStatus::Canceled), now())
        .unwrap();
    assert_eq!((closed.state.todo(), news), (None, None));
    assert_eq!(
        captured().order_ended(now()),
        None,
        "order asks for the refund"
    );
}

#[test]
fn late_money_is_told_in_every_state() {
    let (failed, _) = waiting().observed(&declined(), now()).unwrap();
    let cancelled = waiting().order_ended(now()).unwrap();
    for ended in [failed, cancelled] {
        let (payment, news) = ended
            .observed(&seen(IntentStatus::Succeeded), now())
            .unwrap();
        assert_eq!(news, Some(News::Captured(euro(3900))));
        assert_eq!(payment.state.name(), "captured");
    }
}

#[test]
fn refunds_never_exceed_the_capture() {
    let payment = captured();
    assert_eq!(payment.may_refund(euro(3900), euro(0)), Ok(()));
    assert_eq!(
        payment.may_refund(euro(3900), euro(1)),
        Err(RefundRefusal::MoreThanCaptured)
    );
    assert_eq!(
        waiting().may_refund(euro(1), euro(0)),
        Err(RefundRefusal::NothingCaptured)
    );
    let yen = Money::from_minor(Currency::Jpy, 1).unwrap();
    assert_eq!(
        payment.may_refund(yen, euro(0)),
        Err(RefundRefusal::OtherCurrency)
    );
    let (part, in_full) = payment.refunded(euro(900), now()).unwrap();
    assert_eq!((part.state.name(), in_full), ("partially_refunded", false));
    let (all, in_full) = part.refunded(euro(3000), now()).unwrap();
    assert_eq!((all.state.name(), in_full), ("refunded", true));
}

#[test]
fn a_refund_ends_once() {
    let id = Uuid::nil();
    let refund = Refund {
        id: id.into(),
        payment_id: id.into(),
        amount: euro(900),
        reason: "user_request".to_owned(),
        ticket_ids: vec![id.into()],
        state: RefundState::Pending,
        provider_ref: None,
        attempts: 0,
        correlation: id.into(),
        created_at: now(),
        updated_at: now(),
    };
    let known = refund
        .observed("re_1", &RefundStatus::Pending, now())
        .unwrap();
    assert_eq!(
        known
            .clone()
            .observed("re_1", &RefundStatus::Pending, now()),
        None
    );
    let done = known
        .observed("re_1", &RefundStatus::Succeeded, now())
        .unwrap();
    assert_eq!(
        done.clone()
            .observed("re_1", &RefundStatus::Failed("x".into()), now()),
        None
    );
    assert_eq!(done.state, RefundState::Succeeded);
}

fn any_seen() -> impl Strategy<Value = IntentSeen> {
    prop_oneof![
        Just(seen(IntentStatus::AwaitingCustomer)),
        Just(declined()),
        Just(seen(IntentStatus::Processing)),
        Just(seen(IntentStatus::Authorised)),
        Just(seen(IntentStatus::Succeeded)),
        Just(seen(IntentStatus::Canceled)),
    ]
}

proptest! {
    /// Whatever comes, in whatever order: the capture is told at most once, a failure at most
    /// once and never after it, and the money that came in is never forgotten.
    #[test]
    fn the_news_is_told_once(facts in prop::collection::vec(any_seen(), 0..12), end in 0..12usize) {
        let (mut payment, mut captures, mut failures) = (fresh(), 0, 0);
        for (step, fact) in facts.iter().enumerate() {
            if step == end && let Some(ended) = payment.clone().order_ended(now()) {
                payment = ended;
            }
            let Some((next, news)) = payment.clone().observed(fact, now()) else { continue };
            match news {
                Some(News::Captured(_)) => captures += 1,
                Some(News::Failed(_)) => {
                    prop_assert_eq!(captures, 0);
                    failures += 1;
                }
                None => {}
            }
            payment = next;
        }
        let came = facts.iter().any(|fact| fact.status == IntentStatus::Succeeded);
        prop_assert_eq!(captures, usize::from(came));
        prop_assert!(failures <= 1);
        let is_captured = matches!(payment.state, State::Captured { .. });
        prop_assert_eq!(is_captured, came);
    }
}
