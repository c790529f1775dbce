//! `Location`: where what was created is, for whoever created it.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use eventify_kernel::fault_injection::FaultInjection;
use serde_json::{Value, json};

use crate::fleet::world::settings as enrolling;
use crate::world::locations::{creating, pattern_of};
use crate::world::replies::{Hold, Order, Payment, Venue};
use crate::world::sale::stripe::Card;
use crate::world::sale::{Sale, organiser, seat};
use crate::world::{Answer, User};

/// Which routes' locations were followed.
#[derive(Debug, Default)]
struct Walk(BTreeSet<&'static str>);

impl Walk {
    /// Creates something, and finds it as whoever asked.
    async fn post(&mut self, user: &User<'_>, path: &str, body: Value, status: u16) -> Value {
        let answer = user.post(path, body).await;
        self.follow(user, (path, answer), status).await
    }

    async fn follow(
        &mut self,
        user: &User<'_>,
        (path, answer): (&str, Answer),
        status: u16,
    ) -> Value {
        self.0.insert(pattern_of(path).expect("a route"));
        follow(user, answer, status).await
    }
}

/// Follows the `Location` of an answer with a status, as whoever asked.
async fn follow(user: &User<'_>, answer: Answer, status: u16) -> Value {
    let location = answer.header("location").to_owned();
    answer.expect(status);
    assert!(!location.is_empty(), "there is something to follow");
    let found = user.get(&location).await;
    assert_eq!(found.status, 200, "{location}: {}", found.body);
    found.body
}

/// Part D 5: every route that creates something says where it is, and there it is. Whoever adds a route has it
/// followed here, or says in `world/locations.rs` that it creates nothing, which all tests then check.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_creates_something_finds_it_at_its_location() {
    let mut enrols = enrolling().await;
    enrols.push((
        "fleet.enrolment_url",
        "https://core.example.org:8443".to_owned(),
    ));
    let sale = Sale::with(FaultInjection::default(), enrols).await;
    let (root, olga) = (sale.admin(), organiser(&sale.core));
    let mut walk = Walk::default();
    let venue = json!({ "name": "Barn", "timeZone": "Europe/Paris" });
    let venue = olga.post("/venues", venue).await;
    let barn: Venue = venue.clone().read(201);
    walk.follow(&olga, ("/venues", venue), 201).await;
    let plan = json!({
        "name": "Floor", "zones": [{ "zone": "Floor", "capacity": 10, "categories": ["FULL"] }],
    });
    let plans = format!("/venues/{}/seating-plans", barn.venue_id);
    walk.post(&olga, &plans, plan, 201).await;
    let event = json!({ "title": "Reading", "description": "", "performances": [] });
    let event = olga.post("/events", event).await;
    let path = event.header("location").to_owned();
    walk.follow(&olga, ("/events", event), 201).await;
    let prices = json!({ "categories": [
        { "name": "Full", "code": "FULL", "price": { "currency": "EUR", "amount": "10.00" } },
    ] });
    let pricing = format!("{path}/pricing");
    walk.post(&olga, &pricing, prices, 201).await;
    sale.core.settle().await;
    let start = sale.core.clock.now() + Duration::days(5);
    let show = json!({ "startTime": start, "venueId": barn.venue_id });
    let shows = format!("{path}/performances");
    let shown = walk.post(&olga, &shows, show, 201).await;
    let planned: DateTime<Utc> = serde_json::from_value(shown["startTime"].clone()).unwrap();
    assert_eq!(planned.timestamp(), start.timestamp());

    let gate = json!({ "venueId": sale.venue, "name": "North" });
    walk.post(&root, "/fleet/gates", gate, 201).await;
    let node = json!({ "venueId": sale.venue, "label": "box", "gates": [] });
    walk.post(&root, "/fleet/nodes", node, 201).await;
    let member = json!({ "userId": olga.id().await, "name": "Olga", "roles": ["STEWARD"] });
    let staff = format!("/fleet/venues/{}/staff", sale.venue);
    walk.post(&root, &staff, member, 201).await;
    let comparisons = "/payments/comparisons";
    walk.post(&root, comparisons, json!({}), 202).await;
    sale.core.settle().await;

    buys_and_gives_back(&sale, &mut walk).await;
    let hold = json!({
        "performanceId": sale.performance, "seats": [{ "seatId": "B-1" }], "ttlSeconds": 600,
    });
    let till = sale.core.user("pos").scope("inventory:hold");
    let held = walk.post(&till, "/inventory/holds", hold, 201).await;
    let release = format!(
        "/inventory/holds/{}/release",
        held["holdId"].as_str().unwrap()
    );
    till.post(&release, json!({})).await.expect(200);
    sale.core.settle().await;
    let left = creating();
    let left: Vec<_> = left.difference(&walk.0).collect();
    assert_eq!(left, [] as [&&str; 0], "nobody has followed these");
}

/// A customer buys three seats, and gives one back; the organiser gives back the others.
async fn buys_and_gives_back(sale: &Sale, walk: &mut Walk) {
    let (ada, olga) = (sale.buyer("ada"), organiser(&sale.core));
    let cart = ada.post("/reservations", json!({})).await;
    let cart_path = cart.header("location").to_owned();
    let cart = walk.follow(&ada, ("/reservations", cart), 201).await;
    let into_cart = format!("{cart_path}/items");
    for label in ["A-1", "A-2", "A-3"] {
        let items = json!({ "performanceId": sale.performance, "items": seat(label) });
        let added = sale.post_patiently(&ada, &into_cart, items).await;
        walk.follow(&ada, (&into_cart, added), 201).await;
    }
    let confirm = format!("{cart_path}/confirm");
    sale.post_patiently(&ada, &confirm, json!({}))
        .await
        .expect(200);
    let order = json!({ "reservationId": cart["reservationId"] });
    let order = sale.post_patiently(&ada, "/orders", order).await;
    let order: Order =
        serde_json::from_value(walk.follow(&ada, ("/orders", order), 201).await).unwrap();
    let intent = json!({ "orderId": order.order_id });
    let intent = sale.post_patiently(&ada, "/payments/intents", intent).await;
    let intent: Payment = {
        let made: Payment = intent.clone().read(201);
        walk.follow(&ada, ("/payments/intents", intent), 201).await;
        made
    };
    sale.stripe.pay(&intent.client_secret.unwrap(), Card::Good);
    sale.deliver_all().await;
    let path = format!("/orders/{}", order.order_id);
    let paid: Order = ada.get(&path).await.read(200);
    let tickets: Vec<_> = paid.tickets().iter().map(|it| it.ticket_id).collect();
    let named = |ticket: usize| json!({ "ticketIds": [tickets[ticket]] });
    let cancel = format!("{path}/cancel");
    walk.post(&ada, &cancel, named(0), 202).await;
    let by_order = format!("{path}/refunds");
    let refund = walk.post(&olga, &by_order, named(1), 202).await;
    assert_eq!(refund["reason"], "organiser_decision");
    let mine = format!("{by_order}/{}", refund["refundId"].as_str().unwrap());
    ada.get(&mine).await.expect(200);
    let stranger = sale.buyer("eve");
    assert_eq!(stranger.get(&mine).await.status, 403);
    let by_payment = format!("/payments/{}/refunds", intent.payment_id);
    walk.post(&olga, &by_payment, named(2), 202).await;
    sale.deliver_all().await;
}

/// What was held, as long as it is: a service account looks at its hold again.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_shows_what_it_has_and_that_it_is_over() {
    let sale = Sale::open().await;
    let pos = sale.core.user("pos").scope("inventory:hold");
    let body = json!({
        "performanceId": sale.performance, "seats": [{ "seatId": "A-1" }],
        "buckets": [{ "bucketId": sale.floor, "qty": 3 }], "ttlSeconds": 600,
    });
    let taken = pos.post("/inventory/holds", body).await;
    let path = taken.header("location").to_owned();
    let held: Hold = taken.clone().read(201);
    let mut shown = follow(&pos, taken, 201).await;
    let status = shown.as_object_mut().unwrap().remove("status");
    assert_eq!(status, Some(json!("held")));
    assert_eq!(serde_json::from_value::<Hold>(shown).unwrap(), held);
    let stranger = sale.core.user("stranger").scope("inventory:hold");
    assert_eq!(stranger.get(&path).await.status, 403);

    pos.post(&format!("{path}/release"), json!({}))
        .await
        .expect(200);
    let over = pos.get(&path).await.expect(200);
    assert_eq!(
        (&over["status"], &over["seats"]),
        (&json!("released"), &json!([]))
    );
    let nowhere = format!("/inventory/holds/{}", sale.core.clock.new_id());
    pos.get(&nowhere)
        .await
        .assert_refused(404, "hold_not_found");
    sale.core.settle().await;
}
