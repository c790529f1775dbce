//! A hall on sale, customers, and the payment provider that they pay at.

pub mod stripe;

use chrono::Duration;
use eventify_kernel::fault_injection::FaultInjection;
use eventify_protocol::ids::{
    BucketId, EventId, OrderId, PaymentId, PerformanceId, ReservationId, TicketId, VenueId,
};
use serde_json::{Value, json};

pub use crate::world::house::{euro, organiser};
use crate::world::house::{hall_of, left, plan};
use crate::world::replies::{
    OpenItem, Order, Page, Payment, Performance, RefundStarted, Reservation,
};
use crate::world::settle::until;
use crate::world::{Answer, TestApp, TestOptions, User, send};
use stripe::{Card, StripeDouble, WEBHOOK_SECRET};

/// Units of the standing zone.
pub const FLOOR: u32 = 50;
/// Seats of the hall, `A-1` to `B-20`.
pub const SEATS: u32 = 40;

/// A core, the provider, and a performance on sale.
#[derive(Debug)]
pub struct Sale {
    pub core: TestApp,
    pub stripe: StripeDouble,
    pub venue: VenueId,
    pub event: EventId,
    pub performance: PerformanceId,
    pub floor: BucketId,
}

/// What a customer is about to buy.
#[derive(Clone, Debug)]
pub struct Checkout {
    pub reservation: ReservationId,
    pub order: OrderId,
    pub payment: PaymentId,
    pub secret: String,
}

/// One seat at its price.
pub fn seat(label: &str) -> Value {
    json!([{ "seatId": label, "priceCategory": "FULL", "unitPrice": euro("39.00") }])
}

impl Sale {
    /// Starts in three days.
    pub async fn open() -> Self {
        Self::with(FaultInjection::default(), Vec::new()).await
    }

    pub async fn with(faults: FaultInjection, more: Vec<(&'static str, String)>) -> Self {
        let stripe = StripeDouble::start().await;
        let mut config = stripe.settings();
        config.extend(more);
        let options = TestOptions {
            faults,
            config,
            ..TestOptions::default()
        };
        let core = TestApp::with(options).await;
        let house = plan(&core, hall_of(20, FLOOR), Duration::days(3)).await;
        let (venue, event) = (house.venue, house.event);
        let (performance, floor) = (house.performance, house.floor);
        let publish = format!("/events/{event}/publish");
        organiser(&core).post(&publish, json!({})).await.expect(200);
        core.settle().await;
        Self {
            core,
            stripe,
            venue,
            event,
            performance,
            floor,
        }
    }

    pub fn buyer(&self, name: &str) -> User<'_> {
        let buyer = self.core.user(name).role("CUSTOMER");
        buyer.scope("reservation:write").scope("order:write")
    }

    /// Whom the organiser lets sell at the door.
    pub async fn desk(&self, name: &str) -> User<'_> {
        let desk = self.buyer(name).role("BOX_OFFICE");
        let (event, id) = (self.event, desk.id().await);
        let assignment = format!("/events/{event}/check-in-assignments/{id}");
        let assigned = organiser(&self.core).put(&assignment, json!({})).await;
        assert_eq!(assigned.status, 204);
        desk
    }

    pub async fn cart(&self, buyer: &User<'_>) -> ReservationId {
        let cart = buyer.post("/reservations", json!({})).await;
        cart.read::<Reservation>(201).reservation_id
    }

    /// Puts places into a cart.
    pub async fn add(&self, buyer: &User<'_>, cart: ReservationId, items: Value) -> Answer {
        let body = json!({ "performanceId": self.performance, "items": items });
        self.post_patiently(buyer, &format!("/reservations/{cart}/items"), body)
            .await
    }

    /// From an empty cart to the intent, with these items.
    pub async fn check_out(&self, buyer: &User<'_>, items: Value) -> Checkout {
        let reservation = self.cart(buyer).await;
        self.add(buyer, reservation, items).await.expect(201);
        self.confirm(buyer, reservation).await
    }

    /// From an empty cart to a confirmed one with these items; its order is there, the intent may not.
    pub async fn confirmed(&self, buyer: &User<'_>, items: Value) -> ReservationId {
        let cart = self.cart(buyer).await;
        self.add(buyer, cart, items).await.expect(201);
        self.confirm_cart(buyer, cart).await;
        self.core.settle().await;
        cart
    }

    async fn confirm_cart(&self, buyer: &User<'_>, cart: ReservationId) {
        let path = format!("/reservations/{cart}/confirm");
        let confirmed = self.post_patiently(buyer, &path, json!({}));
        confirmed.await.expect(200);
    }

    /// The order of a confirmed cart, as its customer's list shows it.
    pub async fn listed(&self, buyer: &User<'_>, cart: ReservationId) -> Order {
        let path = format!("/orders?reservationId={cart}");
        let mut found: Page<Order> = buyer.get(&path).await.read(200);
        assert_eq!(found.total, 1, "one order a reservation");
        found.items.remove(0)
    }

    /// From a filled cart to the intent.
    pub async fn confirm(&self, buyer: &User<'_>, reservation: ReservationId) -> Checkout {
        self.confirm_cart(buyer, reservation).await;
        let order = self.post_patiently(buyer, "/orders", json!({ "reservationId": reservation }));
        let order = order.await.read::<Order>(201).order_id;
        let intent = self.post_patiently(buyer, "/payments/intents", json!({ "orderId": order }));
        let intent: Payment = intent.await.read(201);
        let checkout = Checkout {
            reservation,
            order,
            payment: intent.payment_id,
            secret: intent.client_secret.expect("the buyer's own"),
        };
        // Under load the order hears of its payment in a later attempt, and the time to pay begins then.
        until("the order knows its payment", async || {
            self.order(buyer, &checkout).await.payment_id.is_some()
        })
        .await;
        checkout
    }

    /// What a storefront does: an answer with `Retry-After` is asked for again, with the same key.
    pub async fn post_patiently(&self, buyer: &User<'_>, path: &str, body: Value) -> Answer {
        let key = self.core.clock.new_id().to_string();
        loop {
            let answer = buyer.post_with_key(path, &key, body.clone()).await;
            if answer.header("retry-after").is_empty() {
                return answer;
            }
        }
    }

    /// Pays with a good card, webhooks and all.
    pub async fn pay(&self, checkout: &Checkout) {
        self.stripe.pay(&checkout.secret, Card::Good);
        self.deliver_all().await;
    }

    /// A paid order with its tickets.
    pub async fn bought(&self, buyer: &User<'_>, items: Value) -> (Checkout, Vec<TicketId>) {
        let checkout = self.check_out(buyer, items).await;
        self.pay(&checkout).await;
        let order = self.order(buyer, &checkout).await;
        assert_eq!(order.status, "paid", "{order:?}");
        let tickets = order.tickets().iter().map(|it| it.ticket_id).collect();
        (checkout, tickets)
    }

    pub async fn order(&self, buyer: &User<'_>, checkout: &Checkout) -> Order {
        let path = format!("/orders/{}", checkout.order);
        buyer.get(&path).await.read(200)
    }

    pub async fn payment(&self, buyer: &User<'_>, checkout: &Checkout) -> Payment {
        let path = format!("/payments/{}", checkout.payment);
        buyer.get(&path).await.read(200)
    }

    /// Gives back all tickets of a paid order.
    pub async fn cancel(&self, buyer: &User<'_>, checkout: &Checkout) -> RefundStarted {
        let path = format!("/orders/{}/cancel", checkout.order);
        buyer.post(&path, json!({})).await.read(202)
    }

    /// The organiser moves the performance.
    pub async fn reschedule(&self, by: Duration) {
        let (event, performance) = (self.event, self.performance);
        let path = format!("/events/{event}/performances/{performance}");
        let organiser = organiser(&self.core);
        let planned: Performance = organiser.get(&path).await.read(200);
        let times = json!({ "startTime": planned.start_time + by });
        let request = organiser.request(reqwest::Method::PUT, &path);
        let request = request.header("If-Match", "*").json(&times);
        send(request).await.expect(200);
    }

    /// The organiser, at a gate of the venue, lets the holder of a ticket in.
    pub async fn check_in(&self, ticket: TicketId) -> Answer {
        let gate = json!({ "venueId": self.venue, "name": self.core.clock.new_id() });
        let gate = self.admin().post("/fleet/gates", gate).await.expect(201);
        self.core.settle().await;
        let path = format!("/tickets/{ticket}/check-in");
        // Scans go by the database's clock, which no test moves.
        let body = json!({ "gateId": gate["gateId"], "reason": "the doors are open" });
        let organiser = organiser(&self.core).scope("ticket:checkin");
        organiser.post(&path, body).await
    }

    /// The organiser cancels the performance.
    pub async fn cancel_performance(&self) {
        let (event, performance) = (self.event, self.performance);
        let path = format!("/events/{event}/performances/{performance}/cancel");
        let organiser = organiser(&self.core);
        let cancelled = organiser.post(&path, json!({ "reason": "flood" })).await;
        cancelled.expect(200);
    }

    pub async fn status(&self, buyer: &User<'_>, checkout: &Checkout) -> String {
        self.order(buyer, checkout).await.status
    }

    pub fn admin(&self) -> User<'_> {
        self.core.user("root").role("ADMIN")
    }

    /// The open items that a user sees.
    pub async fn open_items(&self, user: &User<'_>) -> Vec<OpenItem> {
        let page = user.get("/payments/open-items").await;
        page.read::<Page<OpenItem>>(200).items
    }

    /// The one open item there is, as its organiser sees it. A call that found the provider slow is
    /// made again first.
    pub async fn open_item(&self) -> OpenItem {
        let opened = async {
            loop {
                let mut items = self.open_items(&organiser(&self.core)).await;
                assert!(items.len() <= 1, "{items:?}");
                if let Some(item) = items.pop() {
                    return item;
                }
                self.core.settle().await;
            }
        };
        let opened = tokio::time::timeout(std::time::Duration::from_secs(30), opened).await;
        opened.expect("an open item")
    }

    /// The organiser decides about the one open item there is.
    pub async fn decide(&self, act: &str, body: Value) -> Answer {
        let item = self.open_item().await;
        let path = format!("/payments/open-items/{}/{act}", item.item_id);
        organiser(&self.core).post(&path, body).await
    }

    /// Codes and acts of the alarms that stand, as an administrator sees them.
    pub async fn alarms(&self) -> Vec<(String, String)> {
        let alarms = self.admin().get("/fleet/alarms").await.expect(200);
        let text = |alarm: &Value, name: &str| alarm[name].as_str().unwrap_or_default().to_owned();
        let alarms = alarms["items"].as_array().expect("a list").iter();
        alarms
            .map(|it| (text(it, "code"), text(it, "act")))
            .collect()
    }

    /// The same, only the codes.
    pub async fn alarm_codes(&self) -> Vec<String> {
        self.alarms()
            .await
            .into_iter()
            .map(|(code, _)| code)
            .collect()
    }

    /// The organiser refunds a ticket.
    pub async fn refund(&self, checkout: &Checkout, tickets: &[TicketId]) -> RefundStarted {
        let path = format!("/payments/{}/refunds", checkout.payment);
        let body = json!({ "ticketIds": tickets });
        organiser(&self.core).post(&path, body).await.read(202)
    }

    /// Delivers webhooks and settles until there are none.
    pub async fn deliver_all(&self) {
        loop {
            self.core.settle().await;
            let events = self.stripe.take_events();
            if events.is_empty() {
                return;
            }
            for event in events {
                self.deliver(&event).await.expect(200);
            }
        }
    }

    /// One webhook, signed now.
    pub async fn deliver(&self, event: &Value) -> Answer {
        let body = event.to_string();
        let signature = stripe::sign(WEBHOOK_SECRET, body.as_bytes(), self.core.clock.now());
        self.post_webhook(body, &signature).await
    }

    pub async fn post_webhook(&self, body: String, signature: &str) -> Answer {
        let url = format!("{}/webhooks/psp", self.core.url());
        let request = reqwest::Client::new().post(url).body(body);
        send(request.header("Stripe-Signature", signature)).await
    }

    /// Seats and floor units that are free.
    pub async fn free(&self) -> (u32, u32) {
        left(&self.core, self.performance).await
    }

    /// Runs all jobs of the sale, as their timers would, and settles.
    pub async fn tick(&self) {
        for (context, job) in [
            ("reservation", "expire_reservations"),
            ("order", "request_intents"),
            ("order", "cancel_unpaid"),
            ("order", "refund_cancelled_performances"),
            ("payment", "drive_payments"),
            ("payment", "read_intents"),
            ("payment", "reconcile_payments"),
            ("payment", "drive_refunds"),
            ("payment", "read_refunds"),
            ("reservation", "release_holds"),
        ] {
            self.core.run_job(context, job).await;
        }
    }
}
