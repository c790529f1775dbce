//! The rules of payments, and a law over all orders of facts.

use chrono::{DateTime, Utc};
use eventify_contracts::payment::{FailureReason, SettledBy};
use eventify_protocol::money::{Currency, Money};
use proptest::prelude::*;
use uuid::Uuid;

use super::refund::RefundRefusal;
use super::*;
use crate::contexts::payment::gateway::{
    Decline, Intent, IntentStatus, IntentUpdate, RefundStatus, RefundUpdate,
};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000, 0).unwrap()
}

pub(super) fn euro(minor: i64) -> Money {
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
        (id.into(), id.into(), None),
        euro(3900),
        id.into(),
        now(),
    )
}

pub(super) fn update(status: IntentStatus) -> IntentUpdate {
    IntentUpdate {
        intent: intent(),
        status,
        declined: None,
        amount: Some(euro(3900)),
        captured: Some(euro(if status == IntentStatus::Succeeded {
            3900
        } else {
            0
        })),
        payment_id: None,
        origin: None,
    }
}

/// The provider holds other money than the order costs.
fn succeeded_with(captured: Option<Money>) -> IntentUpdate {
    IntentUpdate {
        captured,
        ..update(IntentStatus::Succeeded)
    }
}

fn sums(refunded: i64, disputed: i64) -> Sums {
    Sums {
        other_currency: false,
        captured: euro(3900),
        refunded: euro(refunded),
        refunded_elsewhere: euro(0),
        disputed: euro(disputed),
    }
}

fn declined() -> IntentUpdate {
    let declined = Some(Decline::InsufficientFunds);
    IntentUpdate {
        declined,
        ..update(IntentStatus::AwaitingCustomer)
    }
}

fn waiting() -> Payment {
    fresh().created(intent(), now())
}

fn captured() -> Payment {
    let (payment, announcement) = waiting()
        .apply(&update(IntentStatus::Succeeded), now())
        .unwrap();
    assert_eq!(announcement, Some(Announcement::Captured(euro(3900))));
    payment
}

#[test]
fn an_authorisation_is_captured_and_published_once() {
    let (capturing, announcement) = waiting()
        .apply(&update(IntentStatus::Authorised), now())
        .unwrap();
    assert_eq!(
        (capturing.state.next_request(), announcement),
        (Some(ProviderRequest::Capture), None)
    );
    assert_eq!(
        capturing
            .clone()
            .apply(&update(IntentStatus::Authorised), now()),
        None
    );
    let (captured, announcement) = capturing
        .apply(&update(IntentStatus::Succeeded), now())
        .unwrap();
    assert_eq!(
        (captured.state.next_request(), announcement),
        (None, Some(Announcement::Captured(euro(3900))))
    );
    assert_eq!(
        captured.apply(&update(IntentStatus::Succeeded), now()),
        None
    );
}

#[test]
fn three_d_secure_is_no_decline() {
    assert_eq!(
        waiting().apply(&update(IntentStatus::AwaitingCustomer), now()),
        None
    );
    assert_eq!(
        waiting().apply(&update(IntentStatus::Processing), now()),
        None
    );
}

/// C17
#[test]
fn a_decline_leaves_the_intent_to_the_next_card() {
    let (declined_once, announcement) = waiting().apply(&declined(), now()).unwrap();
    assert_eq!(announcement, None);
    assert_eq!(declined_once.state, State::AwaitingCustomer(intent()));
    let reason = Some(FailureReason::InsufficientFunds);
    assert_eq!(declined_once.last_decline, reason);
    assert_eq!(declined_once.clone().apply(&declined(), now()), None);
    let (second_card, _) = declined_once
        .apply(&update(IntentStatus::Authorised), now())
        .unwrap();
    assert_eq!(second_card.last_decline, None);
    assert_eq!(
        second_card.state.next_request(),
        Some(ProviderRequest::Capture)
    );
}

#[test]
fn a_second_card_on_an_ended_order_is_released() {
    let (ended, _) = waiting().order_ended(now()).unwrap();
    assert_eq!(ended.state.next_request(), Some(ProviderRequest::Cancel));
    assert_eq!(ended.clone().apply(&declined(), now()), None);
    let (closed, announcement) = ended.apply(&update(IntentStatus::Canceled), now()).unwrap();
    let closed_state = (closed.state.next_request(), closed.state.name());
    assert_eq!((closed_state, announcement), ((None, "cancelled"), None));
    let (reopened, _) = closed
        .apply(&update(IntentStatus::Authorised), now())
        .unwrap();
    assert_eq!(reopened.state.next_request(), Some(ProviderRequest::Cancel));
}

/// C18
#[test]
fn only_exactly_the_orders_amount_and_currency_pay_for_it() {
    let yen = Money::from_minor(Currency::Jpy, 3900).unwrap();
    let dollars = Money::from_minor(Currency::Usd, 3900).unwrap();
    let others = [euro(100), euro(0), euro(3899), euro(3901), yen, dollars];
    for captured in others.map(Some).into_iter().chain([None]) {
        let (differs, announcement) = waiting().apply(&succeeded_with(captured), now()).unwrap();
        assert_eq!(announcement, None, "{captured:?}");
        assert_eq!(differs.state.name(), "amount_differs", "{captured:?}");
        let again = differs.clone().apply(&succeeded_with(captured), now());
        assert_eq!(again, None, "{captured:?}");
        let (paid, announcement) = differs
            .clone()
            .apply(&succeeded_with(Some(euro(3900))), now())
            .unwrap();
        assert_eq!(announcement, Some(Announcement::Captured(euro(3900))));
        assert_eq!(paid.state.name(), "captured");
        let received = captured.filter(|it| it.minor() > 0);
        let (_, announcement) = differs.clone().order_ended(now()).unwrap();
        let goes_back = received.map(Announcement::Captured);
        assert_eq!(announcement, goes_back, "it goes back with the order");
        let in_euros = received.filter(|it| it.currency() == Currency::Eur);
        assert_eq!(differs.accept_amount(now()).is_some(), in_euros.is_some());
    }
}

/// C03, C19
#[test]
fn a_refused_intent_waits_for_people_and_is_no_decline() {
    let refused = fresh().not_created("amount_too_small", now()).unwrap();
    assert_eq!(refused.state.parked(), Some("amount_too_small"));
    assert_eq!(
        (refused.state.name(), refused.last_decline),
        ("processing", None)
    );
    assert_eq!(refused.state.next_request(), None);
    let again = refused.clone().create_again(now()).unwrap();
    assert_eq!(again.attempt, 2, "under another idempotency key");
    assert_eq!(again.state.next_request(), Some(ProviderRequest::Create));
    let (ended, announcement) = refused.order_ended(now()).unwrap();
    assert_eq!((ended.state.next_request(), announcement), (None, None));
}

#[test]
fn a_webhook_can_arrive_before_the_answer() {
    let (capturing, _) = fresh()
        .apply(&update(IntentStatus::Authorised), now())
        .unwrap();
    assert_eq!(capturing.state, State::Capturing(intent()));
    assert_eq!(
        capturing.created(intent(), now()).state,
        State::Capturing(intent())
    );
}

#[test]
fn an_ended_order_cancels_its_intent_even_before_it_is_known() {
    let (cancelled, _) = fresh().order_ended(now()).unwrap();
    assert_eq!(
        cancelled.state.next_request(),
        Some(ProviderRequest::Create),
        "to learn which intent to cancel"
    );
    let known = cancelled.created(intent(), now());
    assert_eq!(known.state.next_request(), Some(ProviderRequest::Cancel));
    let (closed, announcement) = known.apply(&update(IntentStatus::Canceled), now()).unwrap();
    assert_eq!((closed.state.next_request(), announcement), (None, None));
    assert_eq!(
        captured().order_ended(now()),
        None,
        "order requests the refund"
    );
}

#[test]
fn late_money_is_published_in_every_state() {
    let (failed, _) = waiting()
        .apply(&update(IntentStatus::Canceled), now())
        .unwrap();
    let (cancelled, _) = waiting().order_ended(now()).unwrap();
    for ended in [failed, cancelled] {
        for captured in [euro(3900), euro(100)] {
            let update = succeeded_with(Some(captured));
            let (payment, announcement) = ended.clone().apply(&update, now()).unwrap();
            assert_eq!(announcement, Some(Announcement::Captured(captured)));
            assert_eq!(payment.state.name(), "captured");
        }
    }
}

#[test]
fn refunds_never_exceed_the_capture() {
    let payment = captured();
    let may = |amount, pending, sums: &Sums| payment.may_refund(amount, euro(pending), sums);
    assert_eq!(may(euro(3900), 0, &sums(0, 0)), Ok(()));
    let too_much = Err(RefundRefusal::MoreThanCaptured);
    assert_eq!(may(euro(3900), 1, &sums(0, 0)), too_much);
    assert_eq!(may(euro(3900), 0, &sums(1, 0)), too_much);
    assert_eq!(
        may(euro(1), 0, &sums(0, 3900)),
        Err(RefundRefusal::Disputed)
    );
    assert_eq!(
        waiting().may_refund(euro(1), euro(0), &sums(0, 0)),
        Err(RefundRefusal::NothingCaptured)
    );
    let yen = Money::from_minor(Currency::Jpy, 1).unwrap();
    assert_eq!(may(yen, 0, &sums(0, 0)), Err(RefundRefusal::OtherCurrency));
    let part = payment.with_sums(&sums(900, 0), now()).unwrap();
    assert_eq!(part.state.name(), "partially_refunded");
    let all = part.with_sums(&sums(3900, 0), now()).unwrap();
    assert_eq!(all.state.name(), "refunded");
}

fn refund() -> Refund {
    let id = Uuid::nil();
    Refund {
        id: id.into(),
        payment_id: id.into(),
        amount: euro(900),
        reason: "user_request".to_owned(),
        ticket_ids: vec![id.into()],
        state: RefundState::Pending,
        attempt: 1,
        requests: 0,
        settled_by: SettledBy::Provider,
        reference: None,
        provider_ref: None,
        correlation: id.into(),
        created_at: now(),
        updated_at: now(),
    }
}

pub(super) fn refund_update(reference: &str, attempt: i32, status: RefundStatus) -> RefundUpdate {
    RefundUpdate {
        reference: reference.to_owned(),
        status,
        intent: None,
        amount: Some(euro(900)),
        refund_id: None,
        attempt,
        made_at: None,
    }
}

fn failed() -> RefundStatus {
    RefundStatus::Failed("lost_or_stolen_card".to_owned())
}

/// C07
#[test]
fn a_refund_that_came_back_is_tried_again_as_another_one() {
    let pending = refund_update("re_1", 1, RefundStatus::Pending);
    let known = refund().apply(&pending, now()).unwrap();
    assert_eq!(known.clone().apply(&pending, now()), None);
    let succeeded = refund_update("re_1", 1, RefundStatus::Succeeded);
    let done = known.apply(&succeeded, now()).unwrap();
    assert_eq!(done.state, RefundState::Succeeded);
    assert_eq!(done.clone().apply(&succeeded, now()), None);
    assert_eq!(done.clone().park("x", now()), None);
    let back = done
        .apply(&refund_update("re_1", 1, failed()), now())
        .unwrap();
    assert_eq!(back.state.name_and_failure().0, "returned");
    let again = back.retry(now()).unwrap();
    assert_eq!((again.attempt, &again.provider_ref), (2, &None));
    // Words about the first one have no effect on the second.
    for stale in [failed(), RefundStatus::Succeeded] {
        assert_eq!(
            again.clone().apply(&refund_update("re_1", 1, stale), now()),
            None
        );
    }
    let second = refund_update("re_2", 2, RefundStatus::Succeeded);
    let done = again.apply(&second, now()).unwrap();
    assert_eq!(done.state, RefundState::Succeeded);
}

/// Part D 1
#[test]
fn a_refused_refund_stands_until_it_is_decided() {
    let parked = refund().park("insufficient_balance", now()).unwrap();
    assert!(parked.stands());
    assert!(parked.clone().give_up(now()).is_some());
    let reference = Some("transfer 7".to_owned());
    let paid = parked
        .clone()
        .settle(SettledBy::Hand, reference, now())
        .unwrap();
    assert_eq!(
        (paid.state.clone(), paid.settled_by),
        (RefundState::Succeeded, SettledBy::Hand)
    );
    assert!(paid.is_settled_otherwise());
    assert_eq!(paid.apply(&refund_update("re_1", 1, failed()), now()), None);
    for (reason, tickets) in [("event_cancelled", 1), ("ticket_issue_failed", 0)] {
        let kept = Refund {
            reason: reason.to_owned(),
            ticket_ids: vec![Uuid::nil().into(); tickets],
            ..parked.clone()
        };
        assert_eq!(
            kept.give_up(now()),
            None,
            "{reason}: the guest has nothing else"
        );
    }
}

fn any_update() -> impl Strategy<Value = IntentUpdate> {
    prop_oneof![
        Just(update(IntentStatus::AwaitingCustomer)),
        Just(declined()),
        Just(update(IntentStatus::Processing)),
        Just(update(IntentStatus::Authorised)),
        Just(update(IntentStatus::Succeeded)),
        Just(update(IntentStatus::Canceled)),
    ]
}

proptest! {
    /// In any order of updates: a capture is published exactly once if there is one, a failure at
    /// most once and never after it, and captured money is never forgotten.
    #[test]
    fn each_result_is_published_once(updates in prop::collection::vec(any_update(), 0..12), end in 0..12usize) {
        let (mut payment, mut captures, mut failures) = (fresh(), 0, 0);
        for (step, update) in updates.iter().enumerate() {
            if step == end && let Some(ended) = payment.clone().order_ended(now()) {
                payment = ended.0;
            }
            let Some((next, announcement)) = payment.clone().apply(update, now()) else { continue };
            match announcement {
                Some(Announcement::Captured(_)) => captures += 1,
                Some(Announcement::Failed(_)) => {
                    prop_assert_eq!(captures, 0);
                    failures += 1;
                }
                None => {}
            }
            payment = next;
        }
        let was_captured = updates.iter().any(|update| update.status == IntentStatus::Succeeded);
        prop_assert_eq!(captures, usize::from(was_captured));
        prop_assert!(failures <= 1);
        let is_captured = matches!(payment.state, State::Captured { .. });
        prop_assert_eq!(is_captured, was_captured);
    }
}
