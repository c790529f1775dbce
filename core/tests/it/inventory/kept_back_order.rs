//! What is kept back, in whatever order messages and people come: no place is lost, and none is given
//! back twice.

use eventify_contracts::ticketing::KeptBack;
use eventify_kernel::bus::dead_letters;
use eventify_kernel::fault_injection::FaultInjection;
use serde_json::json;

use super::kept_back::{SEATS, kept, release};
use super::orders::{Order, core, core_with, until_waiting};
use crate::world::house::{CUSTOMER, FLOOR, House, organiser, release_kept};
use crate::world::replies::{KeptPlace, Page};
use crate::world::{TestApp, until};

use Message::{Freed, Kept, Paid, Refunded};

/// An order of two units, each in a hold of its own: a hold that gives a unit twice would lose one.
async fn two_units<'house, 'core>(house: &'house House<'core>) -> Order<'house, 'core> {
    let mut order = Order::of(house, &[], 1).await;
    let second = Order::of(house, &[], 1).await;
    order.items.extend(second.items);
    order.paid().await;
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn two_releases_at_once_free_one_place_once() {
    let core = core(FaultInjection::default()).await;
    let house = House::open(&core).await;
    let order = two_units(&house).await;
    let (ticket, other) = (order.ticket(), order.ticket());
    order.revoked(0, ticket, Some(KeptBack::Used)).await;
    order.revoked(1, other, Some(KeptBack::Used)).await;
    let blocker = order.blocked().await;
    let post = |words| {
        release_kept(
            &core,
            house.performance,
            ticket,
            json!({ "note": words, "guestMayBeInside": true }),
        )
    };
    let both_wait = async {
        until_waiting(&core, 2).await;
        drop(blocker);
    };
    let (first, second, ()) = tokio::join!(post("first"), post("second"), both_wait);
    assert_eq!(first.read::<KeptPlace>(200), second.read::<KeptPlace>(200));
    assert_eq!(house.left().await, (SEATS, FLOOR - 1));
    release(&house, other).await;
    assert_eq!(house.left().await, (SEATS, FLOOR));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_and_a_refund_at_once_free_a_unit_each() {
    let core = core(FaultInjection::default()).await;
    let house = House::open(&core).await;
    let order = two_units(&house).await;
    let ticket = order.ticket();
    order.revoked(0, ticket, Some(KeptBack::Used)).await;
    let blocker = order.blocked().await;
    let looked = json!({ "guestMayBeInside": true });
    let released = release_kept(&core, house.performance, ticket, looked);
    let refunded = async {
        let revoked = order.revoked_event(1, order.ticket(), None);
        order.publish("ticketing", &revoked).await;
        until_waiting(&core, 2).await;
        drop(blocker);
    };
    let (released, ()) = tokio::join!(released, refunded);
    released.expect(200);
    core.settle().await;
    assert_eq!(house.left().await, (SEATS, FLOOR));
}

/// A message that contradicts what is known waits for an operator, and frees nothing meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_guest_sits_there_is_never_closed_as_one_without_tickets() {
    let core = core(FaultInjection::default()).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &["A-1"], 0).await;
    order.paid().await;
    let ticket = order.ticket();
    order.revoked(0, ticket, Some(KeptBack::Used)).await;
    order
        .publish("order", &order.refunded_event(false, &[]))
        .await;
    until("a parked message", async || {
        dead_letters::count(&core.app().bus, "inventory")
            .await
            .unwrap()
            == 1
    })
    .await;
    assert_eq!(house.left().await, (SEATS - 1, FLOOR));
    assert_eq!(kept(&house).await.len(), 1);
    // Parked messages stay parked.
    core.leave_unsettled();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_fails_before_its_commit_is_repeated_as_a_whole() {
    let core = core(FaultInjection::fail_once("inventory", "on_ticket_revoked")).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &["A-1"], 1).await;
    order.paid().await;
    let (inside, absent) = (order.ticket(), order.ticket());
    order.revoked(0, inside, Some(KeptBack::Used)).await;
    order.revoked(1, absent, None).await;
    assert_eq!(core.faults.broken(), 2);
    assert_eq!(house.left().await, (SEATS - 1, FLOOR));
    assert_eq!(kept(&house).await.len(), 1);
    release(&house, inside).await;
    assert_eq!(house.left().await, (SEATS, FLOOR));
}

/// What a test of orderings publishes about one order of two units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Paid,
    Refunded,
    /// The guest was inside.
    Kept,
    /// The other one was not.
    Freed,
}

/// Every order of these messages.
fn orderings(left: &[Message]) -> Vec<Vec<Message>> {
    if left.is_empty() {
        return vec![vec![]];
    }
    let firsts = left.iter().flat_map(|first| {
        let rest: Vec<_> = left.iter().filter(|it| *it != first).copied().collect();
        let behind = orderings(&rest).into_iter();
        behind.map(|rest| [vec![*first], rest].concat())
    });
    firsts.collect()
}

/// Long enough for a payment that comes last, short enough to wait for.
async fn patient_core() -> TestApp {
    let config = vec![
        ("bus.retry_short_ms", "50".to_owned()),
        ("bus.retry_long_ms", "3000".to_owned()),
    ];
    core_with(FaultInjection::deliver_twice(), config).await
}

/// No place is lost, and none is given back twice, in whatever order the messages come.
#[tokio::test(flavor = "multi_thread")]
async fn in_every_order_of_messages_the_empty_place_is_free_and_the_other_is_kept_back() {
    let core = patient_core().await;
    let house = House::open(&core).await;
    let mut kept_tickets = Vec::new();
    for ordering in orderings(&[Paid, Refunded, Kept, Freed]) {
        let order = Order::of(&house, &[], 2).await;
        let (inside, outside) = (order.ticket(), order.ticket());
        for message in &ordering {
            match message {
                Paid => {
                    let paid = order.paid_event(CUSTOMER);
                    order.publish("order", &paid).await;
                }
                Refunded => {
                    let refunded = order.refunded_event(false, &[inside, outside]);
                    order.publish("order", &refunded).await;
                }
                Kept => {
                    let revoked = order.revoked_event(0, inside, Some(KeptBack::Used));
                    order.publish("ticketing", &revoked).await;
                }
                Freed => {
                    let revoked = order.revoked_event(0, outside, None);
                    order.publish("ticketing", &revoked).await;
                }
            }
            // What was revoked before it was sold waits for the payment.
            let sent = ordering.iter().take_while(|it| *it != message);
            let is_waiting = |it: &Message| matches!(it, Kept | Freed);
            let waits = is_waiting(message) || sent.clone().any(is_waiting);
            let is_paid = *message == Paid || sent.clone().any(|it| *it == Paid);
            if is_paid || !waits {
                core.settle().await;
            }
        }
        kept_tickets.push(inside);
        let taken = u32::try_from(kept_tickets.len()).unwrap();
        assert_eq!(house.left().await, (SEATS, FLOOR - taken), "{ordering:?}");
    }
    assert_eq!(kept_tickets.len(), 24);
    let path = format!("/inventory/performances/{}/kept-back", house.performance);
    let listed = organiser(&core)
        .get(&format!("{path}?size=20&page=2"))
        .await;
    let listed: Page<KeptPlace> = listed.read(200);
    assert_eq!((listed.total, listed.items.len()), (24, 4));
    for ticket in kept_tickets {
        release(&house, ticket).await;
    }
    assert_eq!(house.left().await, (SEATS, FLOOR));
}
