//! The rules of payments, and a law over all orders of facts.

use chrono::{DateTime, Utc};
use eventify_contracts::payment::FailureReason;
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

fn update(status: IntentStatus) -> IntentUpdate {
    IntentUpdate {
        intent: intent(),
        status,
        declined: None,
        captured: None,
        payment_id: None,
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

#[test]
fn a_decline_ends_the_payment_and_cancels_the_intent() {
    let (failed, announcement) = waiting().apply(&declined(), now()).unwrap();
    assert_eq!(
        announcement,
        Some(Announcement::Failed(FailureReason::InsufficientFunds))
    );
    assert_eq!(failed.state.next_request(), Some(ProviderRequest::Cancel));
    assert_eq!(failed.clone().apply(&declined(), now()), None);
    let (closed, announcement) = failed
        .apply(&update(IntentStatus::Canceled), now())
        .unwrap();
    assert_eq!(
        (
            closed.state.next_request(),
            closed.state.name(),
            announcement
        ),
        (None, "failed", None)
    );
    let (reopened, _) = closed
        .apply(&update(IntentStatus::Authorised), now())
        .unwrap();
    assert_eq!(
        reopened.state.next_request(),
        Some(ProviderRequest::Cancel),
        "a second card is released"
    );
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
    let cancelled = fresh().order_ended(now()).unwrap();
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
    let (failed, _) = waiting().apply(&declined(), now()).unwrap();
    let cancelled = waiting().order_ended(now()).unwrap();
    for ended in [failed, cancelled] {
        let (payment, announcement) = ended
            .apply(&update(IntentStatus::Succeeded), now())
            .unwrap();
        assert_eq!(announcement, Some(Announcement::Captured(euro(3900))));
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
        correlation: id.into(),
        created_at: now(),
        updated_at: now(),
    };
    let update = |status| RefundUpdate {
        reference: "re_1".to_owned(),
        status,
        refund_id: None,
    };
    let pending = update(RefundStatus::Pending);
    let known = refund.apply(&pending, now()).unwrap();
    assert_eq!(known.clone().apply(&pending, now()), None);
    let succeeded = update(RefundStatus::Succeeded);
    let done = known.apply(&succeeded, now()).unwrap();
    let failed = update(RefundStatus::Failed("x".into()));
    assert_eq!(done.clone().apply(&failed, now()), None);
    assert_eq!(done.clone().refused("x", now()), None);
    assert_eq!(done.state, RefundState::Succeeded);
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
                payment = ended;
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
