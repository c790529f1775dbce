//! The laws of the saga: every message delivered twice, every step failed once; same end.

use eventify_contracts::flows;
use eventify_kernel::fault_injection::FaultInjection;

use crate::world::sale::stripe::Card;
use crate::world::sale::{FLOOR, SEATS, Sale, seat};

/// One paid, one declined, one paid and refunded, while the show moves: every step of the sale and of
/// the refund.
async fn story(sale: &Sale) {
    let (ada, bob, eve) = (sale.buyer("ada"), sale.buyer("bob"), sale.buyer("eve"));
    let (kept, _) = sale.bought(&ada, seat("A-1")).await;

    let declined = sale.check_out(&bob, seat("A-2")).await;
    sale.stripe.pay(&declined.secret, Card::Declined);
    sale.deliver_all().await;
    // A decline ends nothing; somebody at the provider does.
    sale.stripe.cancel(&declined.secret);
    sale.deliver_all().await;

    sale.reschedule(chrono::Duration::hours(1)).await;

    let (returned, _) = sale.bought(&eve, seat("A-3")).await;
    sale.cancel(&eve, &returned).await;
    sale.deliver_all().await;

    let left = sale.cart(&bob).await;
    sale.add(&bob, left, seat("A-4")).await.expect(201);
    sale.core.advance(chrono::Duration::minutes(11));
    sale.tick().await;

    assert_eq!(sale.status(&ada, &kept).await, "paid");
    assert_eq!(sale.status(&bob, &declined).await, "cancelled");
    assert_eq!(sale.status(&eve, &returned).await, "refunded");
    assert_eq!(sale.stripe.refunded(), 3900);
    assert_eq!(
        (
            sale.stripe.count("succeeded"),
            sale.stripe.count("canceled")
        ),
        (2, 1)
    );
    assert_eq!(sale.free().await, (SEATS - 1, FLOOR));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_may_come_twice() {
    let sale = Sale::with(FaultInjection::deliver_twice(), Vec::new()).await;
    story(&sale).await;
}

/// Each handler does its work for each message and fails before the commit, as if the process had
/// died there; then the message comes again.
#[tokio::test(flavor = "multi_thread")]
async fn every_step_may_fail_once() {
    let sale = Sale::with(FaultInjection::fail_each_once(), Vec::new()).await;
    story(&sale).await;
    let broken = sale.core.faults.broken_steps();
    let spared: Vec<_> = flows::STEPS
        .iter()
        .filter(|step| ["reservation", "order", "payment"].contains(&step.consumer))
        .filter(|step| !NOT_IN_THE_STORY.contains(&step.handler))
        .filter(|step| !broken.contains(&(step.consumer.to_owned(), step.handler.to_owned())))
        .collect();
    assert!(spared.is_empty(), "never made to fail: {spared:#?}");
}

/// Steps of other stories, each with a test of its own.
const NOT_IN_THE_STORY: &[&str] = &[
    "on_performance_cancelled",
    "on_ticket_issue_failed",
    "on_refund_failed",
    "on_refund_parked",
    "on_refund_returned",
    "on_refunded_elsewhere",
    "on_revocation_requested",
    "on_revocation_refused",
];
