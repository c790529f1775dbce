//! What orders and tickets do to the stock, whatever order their messages come in.

use crate::world::house::{CUSTOMER, House, contexts};
use crate::world::{ContextsOf, TestApp, TestOptions, until};
use chrono::Duration;
use eventify_contracts::order::{
    CancelReason, Item, OrderCancelled, OrderPaid, OrderRefunded, RefundReason,
};
use eventify_contracts::reservation::{EndReason, ReservationExpired};
use eventify_contracts::ticketing::{TicketFacts, TicketRevoked, TicketState};
use eventify_core::contexts::inventory::api::{self, Held};
use eventify_kernel::bus::dead_letters;
use eventify_kernel::event::DomainEvent;
use eventify_kernel::fault_injection::FaultInjection;
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{OrderId, RefundId, ReservationId, TicketId, UserId};
use eventify_protocol::money::Money;
use eventify_protocol::token::CategoryCode;
use uuid::Uuid;

async fn core(faults: FaultInjection) -> TestApp {
    let contexts = Some(contexts as ContextsOf);
    TestApp::with(TestOptions {
        faults,
        contexts,
        ..TestOptions::default()
    })
    .await
}

/// An order of everything that a hold has.
struct Order<'house, 'core> {
    house: &'house House<'core>,
    id: OrderId,
    held: Held,
    items: Vec<Item>,
}

impl<'house, 'core> Order<'house, 'core> {
    async fn of(house: &'house House<'core>, seats: &[&str], units: u32) -> Self {
        let held = house.held(seats, units).await;
        let until = house.core.clock.now() + Duration::minutes(15);
        let app = house.core.app();
        api::extend(app, &house.cause(), &[held.hold], until)
            .await
            .expect("the hold is active");
        let code: CategoryCode = "FULL".parse().expect("a code");
        let blank = Item {
            performance_id: held.performance,
            venue_id: held.venue,
            seat_id: None,
            seat_label: None,
            bucket_id: None,
            zone: None,
            qty: 1,
            price_category: code,
            unit_price: Money::parse("EUR", "39.00").expect("money"),
            hold_id: held.hold,
        };
        let seats = held.seats.iter().map(|seat| Item {
            seat_id: Some(seat.seat),
            seat_label: Some(seat.label.clone()),
            ..blank.clone()
        });
        let units = held.buckets.iter().map(|bucket| Item {
            bucket_id: Some(bucket.bucket),
            zone: Some(bucket.zone.clone()),
            qty: bucket.quantity,
            ..blank.clone()
        });
        let items = seats.chain(units).collect();
        Self {
            house,
            id: OrderId(house.core.clock.new_id()),
            held,
            items,
        }
    }

    /// Publishes as the other context would.
    async fn publish<E: DomainEvent>(&self, context: &'static str, event: &E) {
        let app = self.house.core.app();
        let begun = app.db.begin(context, &self.house.cause()).await;
        let mut tx = begun.expect("the database answers");
        tx.publish(app.clock.new_id(), 1, event);
        tx.commit().await.expect("the database answers");
    }

    /// Publishes, and waits for all effects.
    async fn publish_and_settle<E: DomainEvent>(&self, context: &'static str, event: &E) {
        self.publish(context, event).await;
        self.house.core.settle().await;
    }

    fn cart(&self) -> ReservationId {
        ReservationId(self.held.hold.as_uuid())
    }

    async fn paid(&self) {
        self.publish_and_settle("order", &self.paid_event(CUSTOMER))
            .await;
    }

    fn paid_event(&self, customer: UserId) -> OrderPaid {
        OrderPaid {
            order_id: self.id,
            customer_id: customer,
            paid_at: self.house.core.clock.now(),
            items: self.items.clone(),
        }
    }

    async fn cancelled(&self) {
        let cancelled = OrderCancelled {
            order_id: self.id,
            reservation_id: self.cart(),
            reason: CancelReason::PaymentFailed,
            items: self.items.clone(),
        };
        self.publish_and_settle("order", &cancelled).await;
    }

    async fn refunded(&self, partial: bool) {
        let refunded = OrderRefunded {
            order_id: self.id,
            refund_id: RefundId(Uuid::from_u128(3)),
            reason: RefundReason::UserRequest,
            note: None,
            ticket_ids: vec![],
            partial,
            items: self.items.clone(),
        };
        self.publish_and_settle("order", &refunded).await;
    }

    /// The ticket of this item was revoked.
    async fn revoked(&self, item: usize, ticket: TicketId, reason: &str) {
        let revoked = self.revoked_event(item, ticket, reason);
        self.publish_and_settle("ticketing", &revoked).await;
    }

    fn revoked_event(&self, item: usize, ticket: TicketId, reason: &str) -> TicketRevoked {
        let item = &self.items[item];
        TicketRevoked {
            ticket_id: ticket,
            order_id: self.id,
            reason: reason.to_owned(),
            kept_back: None,
            ticket: TicketFacts {
                ticket_id: ticket,
                version: 2,
                venue_id: item.venue_id,
                performance_id: item.performance_id,
                seat_id: item.seat_id,
                seat_label: item.seat_label.clone(),
                bucket_id: item.bucket_id,
                category: item.price_category,
                token_hash: Hash32::ZERO,
                not_before: 0,
                expiry: 1,
                state: TicketState::Revoked,
            },
        }
    }

    fn ticket(&self) -> TicketId {
        TicketId(self.house.core.clock.new_id())
    }
}

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
    let (seat, unit) = (order.ticket(), order.ticket());
    for _ in 0..2 {
        order.revoked(0, seat, "refund").await;
        order.revoked(2, unit, "refund").await;
    }
    assert_eq!(house.left().await, (19, 99));
    house.held(&["A-1"], 0).await;
    order.revoked(0, seat, "refund").await;
    order.revoked(1, order.ticket(), "fraud").await;
    assert_eq!(
        house.left().await,
        (18, 99),
        "neither the next holder's seat nor a fraud's"
    );
    order.refunded(true).await;
    assert_eq!(house.left().await, (18, 99), "a part goes ticket by ticket");
    order.refunded(false).await;
    assert_eq!(
        house.left().await,
        (19, 100),
        "all that the order still had"
    );
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
        let revoked = order.revoked_event(item, order.ticket(), "refund");
        order.publish("ticketing", &revoked).await;
    }
    let mut conn = app.db.read("inventory").await.unwrap();
    until("two waiting transactions", async || {
        sqlx::query_scalar::<_, i64>(
            "select count(distinct waiting.pid) from pg_locks as waiting
                 join pg_locks as had using (pid) join pg_database on oid = had.database
             where not waiting.granted and datname = current_database()",
        )
        .fetch_one(&mut *conn)
        .await
        .unwrap()
            == 2
    })
    .await;
    drop((conn, blocker));
    core.settle().await;
    assert_eq!(house.left().await, (20, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_arrives_before_the_sale_leaves_nothing_sold() {
    let core = core(FaultInjection::default()).await;
    let house = House::open(&core).await;
    let order = Order::of(&house, &["A-1"], 3).await;
    order.refunded(false).await;
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
        order.refunded(false).await;
        assert_eq!(house.left().await, (20, 100), "{step}");
        assert!(core.faults.broken() > 0, "{step} was never made to fail");
    }
}
