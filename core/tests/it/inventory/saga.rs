//! What orders and tickets do to the stock, whatever order their messages come in.

use chrono::Duration;
use eventify_contracts::order::OrderPaid;
use eventify_contracts::reservation::{EndReason, ReservationExpired};
use eventify_contracts::ticketing::KeptBack;
use eventify_kernel::bus::dead_letters;
use eventify_kernel::fault_injection::FaultInjection;
use eventify_protocol::ids::{OrderId, UserId};
use uuid::Uuid;

use super::orders::{Order, core, until_waiting};
use crate::world::house::{CUSTOMER, House};
use crate::world::until;

#[tokio::test(flavor = "multi_thread")]
async fn paid_places_are_sold_and_neither_time_nor_release_frees_them() {
    let core = core(FaultInjection::default()).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &["A-1"], 2).await;
    order.paid().await;
    house.release(&[order.held.hold]).await;
    let expired = ReservationExpired {
        reservation_id: order.cart(),
        reason: EndReason::Expired,
        items: order.items.clone(),
    };
    order.publish_and_settle("reservation", &expired).await;
    core.advance(Duration::hours(1));
    core.run_job("inventory", "expire_holds").await;
    assert_eq!(house.left().await, (19, 98));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_buys_what_another_customer_holds_or_another_order_has() {
    let core = core(FaultInjection::default()).await;
    let house = House::open(&core).await;
    let (held, bought) = (
        Order::of(&house, &["A-1"], 2).await,
        Order::of(&house, &["A-2"], 0).await,
    );
    bought.paid().await;
    let stranger = UserId(Uuid::from_u128(666));
    held.publish("order", &held.paid_event(stranger)).await;
    let again = OrderPaid {
        order_id: OrderId(core.clock.new_id()),
        ..bought.paid_event(CUSTOMER)
    };
    bought.publish("order", &again).await;
    // Both are parked for an operator.
    until("two parked messages", async || {
        dead_letters::count(&core.app().bus, "inventory")
            .await
            .unwrap()
            == 2
    })
    .await;
    house.release(&[held.held.hold, bought.held.hold]).await;
    assert_eq!(house.left().await, (19, 100), "only the first was not sold");
    // Parked messages stay parked.
    core.leave_unsettled();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_payment_frees_its_places_once() {
    let core = core(FaultInjection::deliver_twice()).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &["A-1", "A-2"], 5).await;
    order.cancelled().await;
    assert_eq!(house.left().await, (20, 100));
    house.held(&["A-1"], 1).await;
    order.cancelled().await;
    assert_eq!(
        house.left().await,
        (19, 99),
        "the next holder keeps the seat"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_ticket_frees_its_own_place_once_however_often_its_message_comes() {
    let core = core(FaultInjection::deliver_twice()).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &["A-1", "A-2"], 2).await;
    order.paid().await;
    let (seat, unit, last) = (order.ticket(), order.ticket(), order.ticket());
    for _ in 0..2 {
        order.revoked(0, seat, None).await;
        order.revoked(2, unit, None).await;
    }
    assert_eq!(house.left().await, (19, 99));
    house.held(&["A-1"], 0).await;
    order.revoked(0, seat, None).await;
    order
        .revoked(1, order.ticket(), Some(KeptBack::Fraud))
        .await;
    assert_eq!(
        house.left().await,
        (18, 99),
        "neither the next holder's seat nor one that is kept back"
    );
    order.refunded(true, &[seat, unit]).await;
    order.refunded(false, &[last]).await;
    assert_eq!(house.left().await, (18, 99), "all goes ticket by ticket");
    order.revoked(2, last, None).await;
    assert_eq!(house.left().await, (18, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tickets_that_are_revoked_at_once_free_a_unit_each() {
    let core = core(FaultInjection::default()).await;
    let house = House::open(&core).await;
    let mut order = Order::of(&house, &[], 1).await;
    let second = Order::of(&house, &[], 1).await;
    order.items.extend(second.items);
    order.paid().await;
    assert_eq!(house.left().await, (20, 98));
    // Until both transactions wait, neither can end the hold that both could take.
    let app = core.app();
    let mut blocker = app.db.begin("inventory", &house.cause()).await.unwrap();
    sqlx::query("select from inventory.holds for update")
        .execute(&mut *blocker)
        .await
        .unwrap();
    for item in [0, 1] {
        let revoked = order.revoked_event(item, order.ticket(), None);
        order.publish("ticketing", &revoked).await;
    }
    until_waiting(&core, 2).await;
    drop(blocker);
    core.settle().await;
    assert_eq!(house.left().await, (20, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_arrives_before_the_sale_leaves_nothing_sold() {
    let core = core(FaultInjection::default()).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &["A-1"], 3).await;
    order.refunded(false, &[]).await;
    order.paid().await;
    assert_eq!(house.left().await, (20, 100));
    let next = Order::of(&house, &["A-1"], 0).await;
    next.paid().await;
    order.paid().await;
    assert_eq!(house.left().await, (19, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_that_fails_before_its_commit_is_repeated_as_a_whole() {
    for step in [
        "on_order_paid",
        "on_order_refunded",
        "on_performance_scheduled",
    ] {
        let core = core(FaultInjection::fail_once("inventory", step)).await;
        let house = House::open(&core).await;
        let order = Order::of(&house, &["A-1"], 3).await;
        order.paid().await;
        assert_eq!(house.left().await, (19, 97), "{step}");
        order.refunded(false, &[]).await;
        assert_eq!(house.left().await, (20, 100), "{step}");
        assert!(core.faults.broken() > 0, "{step} was never made to fail");
    }
}
