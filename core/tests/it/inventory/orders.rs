//! An order of what a hold has, and the messages of the contexts that sell, refund and revoke.

use chrono::Duration;
use eventify_contracts::order::{
    CancelReason, Item, OrderCancelled, OrderPaid, OrderRefunded, RefundReason,
};
use eventify_contracts::ticketing::{KeptBack, TicketFacts, TicketRevoked, TicketState};
use eventify_core::contexts::inventory::api::{self, Held};
use eventify_kernel::db::Tx;
use eventify_kernel::event::DomainEvent;
use eventify_kernel::fault_injection::FaultInjection;
use eventify_protocol::hash::Hash32;
use eventify_protocol::ids::{OrderId, RefundId, ReservationId, TicketId, UserId};
use eventify_protocol::money::Money;
use eventify_protocol::token::CategoryCode;
use uuid::Uuid;

use crate::world::house::{CUSTOMER, House, contexts};
use crate::world::{ContextsOf, TestApp, TestOptions, until};

pub(super) async fn core(faults: FaultInjection) -> TestApp {
    core_with(faults, vec![]).await
}

pub(super) async fn core_with(
    faults: FaultInjection,
    config: Vec<(&'static str, String)>,
) -> TestApp {
    let contexts = Some(contexts as ContextsOf);
    TestApp::with(TestOptions {
        faults,
        config,
        contexts,
        ..TestOptions::default()
    })
    .await
}

/// Waits until so many sessions wait for a row.
pub(super) async fn until_waiting(core: &TestApp, sessions: i64) {
    let mut conn = core.app().db.read("inventory").await.expect("a connection");
    until("transactions that wait", async || {
        sqlx::query_scalar::<_, i64>(
            "select count(distinct waiting.pid) from pg_locks as waiting
                 join pg_locks as had using (pid) join pg_database on oid = had.database
             where not waiting.granted and datname = current_database()",
        )
        .fetch_one(&mut *conn)
        .await
        .expect("the locks")
            == sessions
    })
    .await;
}

/// An order of everything that a hold has.
pub(super) struct Order<'house, 'core> {
    house: &'house House<'core>,
    pub(super) id: OrderId,
    pub(super) held: Held,
    pub(super) items: Vec<Item>,
}

impl<'house, 'core> Order<'house, 'core> {
    pub(super) async fn of(house: &'house House<'core>, seats: &[&str], units: u32) -> Self {
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
    pub(super) async fn publish<E: DomainEvent>(&self, context: &'static str, event: &E) {
        let app = self.house.core.app();
        let begun = app.db.begin(context, &self.house.cause()).await;
        let mut tx = begun.expect("the database answers");
        tx.publish(app.clock.new_id(), 1, event);
        tx.commit().await.expect("the database answers");
    }

    /// Publishes, and waits for all effects.
    pub(super) async fn publish_and_settle<E: DomainEvent>(
        &self,
        context: &'static str,
        event: &E,
    ) {
        self.publish(context, event).await;
        self.house.core.settle().await;
    }

    pub(super) fn cart(&self) -> ReservationId {
        ReservationId(self.held.hold.as_uuid())
    }

    pub(super) async fn paid(&self) {
        self.publish_and_settle("order", &self.paid_event(CUSTOMER))
            .await;
    }

    pub(super) fn paid_event(&self, customer: UserId) -> OrderPaid {
        OrderPaid {
            order_id: self.id,
            customer_id: customer,
            paid_at: self.house.core.clock.now(),
            items: self.items.clone(),
        }
    }

    pub(super) async fn cancelled(&self) {
        let cancelled = OrderCancelled {
            order_id: self.id,
            reservation_id: self.cart(),
            reason: CancelReason::PaymentFailed,
            items: self.items.clone(),
        };
        self.publish_and_settle("order", &cancelled).await;
    }

    /// The money of these tickets went back. Without any, the order never had some.
    pub(super) async fn refunded(&self, partial: bool, tickets: &[TicketId]) {
        self.publish_and_settle("order", &self.refunded_event(partial, tickets))
            .await;
    }

    pub(super) fn refunded_event(&self, partial: bool, tickets: &[TicketId]) -> OrderRefunded {
        OrderRefunded {
            order_id: self.id,
            refund_id: RefundId(Uuid::from_u128(3)),
            reason: RefundReason::UserRequest,
            note: None,
            ticket_ids: tickets.to_vec(),
            partial,
            items: self.items.clone(),
        }
    }

    /// The ticket of this item was revoked.
    pub(super) async fn revoked(&self, item: usize, ticket: TicketId, kept_back: Option<KeptBack>) {
        let revoked = self.revoked_event(item, ticket, kept_back);
        self.publish_and_settle("ticketing", &revoked).await;
    }

    pub(super) fn revoked_event(
        &self,
        item: usize,
        ticket: TicketId,
        kept_back: Option<KeptBack>,
    ) -> TicketRevoked {
        let reason = match kept_back {
            Some(KeptBack::Fraud) => "fraud",
            Some(KeptBack::Used | KeptBack::GatesAdmit) | None => "refund",
        };
        let item = &self.items[item];
        TicketRevoked {
            ticket_id: ticket,
            order_id: self.id,
            reason: reason.to_owned(),
            kept_back,
            guest: None,
            gates_since: None,
            ticket: TicketFacts {
                ticket_id: ticket,
                version: 2,
                venue_id: item.venue_id,
                performance_id: item.performance_id,
                seat_id: item.seat_id,
                seat_label: item.seat_label.clone(),
                bucket_id: item.bucket_id,
                zone: item.zone.clone(),
                code_tag: None,
                category: item.price_category,
                token_hash: Hash32::ZERO,
                not_before: 0,
                expiry: 1,
                state: TicketState::Revoked,
            },
        }
    }

    /// Whoever changes what the order has waits for the end of this.
    pub(super) async fn blocked(&self) -> Tx {
        let app = self.house.core.app();
        let begun = app.db.begin("inventory", &self.house.cause()).await;
        let mut tx = begun.expect("the database answers");
        sqlx::query("select from inventory.orders where order_id = $1 for update")
            .bind(self.id)
            .execute(&mut *tx)
            .await
            .expect("the lock");
        tx
    }

    pub(super) fn ticket(&self) -> TicketId {
        TicketId(self.house.core.clock.new_id())
    }
}
