//! A hall on sale, customers, and the payment provider that they pay at.

pub mod stripe;

use chrono::Duration;
use eventify_kernel::fault_injection::FaultInjection;
use serde_json::{Value, json};

use crate::world::{Answer, TestApp, TestOptions, User, send};
use stripe::{Card, StripeDouble, WEBHOOK_SECRET};

/// Units of the standing zone.
pub const FLOOR: u64 = 50;
/// Seats of the hall, `A-1` to `B-20`.
pub const SEATS: u64 = 40;

/// A core, the provider, and a performance on sale.
#[derive(Debug)]
pub struct Sale {
    pub core: TestApp,
    pub stripe: StripeDouble,
    pub event: String,
    pub performance: String,
    pub floor: String,
}

/// What a customer is about to buy.
#[derive(Clone, Debug)]
pub struct Checkout {
    pub reservation: String,
    pub order: String,
    pub payment: String,
    pub secret: String,
}

pub fn text(value: &Value, field: &str) -> String {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {value}"))
        .to_owned()
}

pub fn euro(amount: &str) -> Value {
    json!({ "currency": "EUR", "amount": amount })
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
        let organiser = organiser(&core);
        let venue = organiser
            .post("/venues", json!({ "name": "Hall" }))
            .await
            .expect(201);
        let venue = text(&venue, "venueId");
        let plan = organiser
            .post(&format!("/venues/{venue}/seating-plans"), hall())
            .await;
        let plan = plan.expect(201);
        let event = organiser.post("/events", concert()).await.expect(201);
        let event = text(&event, "eventId");
        let performance = json!({
            "venueId": venue, "startTime": core.clock.now() + Duration::days(3),
        });
        let path = format!("/events/{event}/performances");
        let performance = organiser.post(&path, performance).await.expect(201);
        let published = organiser
            .post(&format!("/events/{event}/publish"), json!({}))
            .await;
        published.expect(200);
        core.settle().await;
        let (performance, floor) = (
            text(&performance, "performanceId"),
            text(&plan["zones"][0], "bucketId"),
        );
        Self {
            core,
            stripe,
            event,
            performance,
            floor,
        }
    }

    pub fn buyer(&self, name: &str) -> User<'_> {
        let buyer = self.core.user(name).role("CUSTOMER");
        buyer.scope("reservation:write").scope("order:write")
    }

    pub async fn cart(&self, buyer: &User<'_>) -> String {
        text(
            &buyer.post("/reservations", json!({})).await.expect(201),
            "reservationId",
        )
    }

    /// Puts places into a cart.
    pub async fn add(&self, buyer: &User<'_>, cart: &str, items: Value) -> Answer {
        let body = json!({ "performanceId": self.performance, "items": items });
        self.post_patiently(buyer, &format!("/reservations/{cart}/items"), body)
            .await
    }

    /// From an empty cart to the intent, with these items.
    pub async fn check_out(&self, buyer: &User<'_>, items: Value) -> Checkout {
        let reservation = self.cart(buyer).await;
        self.add(buyer, &reservation, items).await.expect(201);
        self.confirm(buyer, reservation).await
    }

    /// From a filled cart to the intent.
    pub async fn confirm(&self, buyer: &User<'_>, reservation: String) -> Checkout {
        let path = format!("/reservations/{reservation}/confirm");
        self.post_patiently(buyer, &path, json!({}))
            .await
            .expect(200);
        let order = self.post_patiently(buyer, "/orders", json!({ "reservationId": reservation }));
        let order = text(&order.await.expect(201), "orderId");
        let intent = json!({ "orderId": order });
        let intent = self
            .post_patiently(buyer, "/payments/intents", intent)
            .await;
        let intent = intent.expect(201);
        let (payment, secret) = (text(&intent, "paymentId"), text(&intent, "clientSecret"));
        Checkout {
            reservation,
            order,
            payment,
            secret,
        }
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
    pub async fn bought(&self, buyer: &User<'_>, items: Value) -> (Checkout, Vec<String>) {
        let checkout = self.check_out(buyer, items).await;
        self.pay(&checkout).await;
        let order = self.order(buyer, &checkout).await;
        assert_eq!(order["status"], "paid", "{order}");
        let tickets = order["tickets"].as_array().expect("tickets").iter();
        (
            checkout,
            tickets.map(|ticket| text(ticket, "ticketId")).collect(),
        )
    }

    pub async fn order(&self, buyer: &User<'_>, checkout: &Checkout) -> Value {
        buyer
            .get(&format!("/orders/{}", checkout.order))
            .await
            .expect(200)
    }

    pub async fn status(&self, buyer: &User<'_>, checkout: &Checkout) -> String {
        text(&self.order(buyer, checkout).await, "status")
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

    /// Seats and floor units that are free, as inventory counts them.
    pub async fn free(&self) -> (u64, u64) {
        let path = format!("/inventory/performances/{}", self.performance);
        let left = organiser(&self.core).get(&path).await.expect(200);
        let number = |value: &Value| value["remaining"].as_u64().expect("a number");
        (number(&left["bySection"][0]), number(&left["byBucket"][0]))
    }

    /// Runs all jobs of the sale, as their timers would, and settles.
    pub async fn tick(&self) {
        for (context, job) in [
            ("reservation", "expire_reservations"),
            ("order", "request_intents"),
            ("order", "cancel_unpaid"),
            ("order", "refund_cancelled_performances"),
            ("payment", "drive_payments"),
            ("payment", "reconcile_payments"),
            ("payment", "drive_refunds"),
            ("reservation", "release_holds"),
        ] {
            self.core.run_job(context, job).await;
        }
    }
}

pub fn organiser(core: &TestApp) -> User<'_> {
    core.user("organiser").role("ORGANIZER")
}

fn hall() -> Value {
    json!({
        "name": "Hall",
        "sections": [{
            "section": "Stalls",
            "categories": ["FULL", "CHILD"],
            "rows": [{ "row": "A", "seats": 20 }, { "row": "B", "seats": 20 }],
        }],
        "zones": [{ "zone": "Floor", "capacity": FLOOR, "categories": ["FLOOR"] }],
    })
}

fn concert() -> Value {
    json!({
        "title": "Nova",
        "city": "Lyon",
        "pricing": { "categories": [
            { "name": "Full", "price": euro("39.00") },
            { "name": "Child", "price": euro("12.00") },
            { "name": "Floor", "price": euro("25.00") },
        ] },
    })
}
