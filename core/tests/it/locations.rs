//! `Location`: where what was created is, for whoever created it.

use chrono::{DateTime, Duration, Utc};
use eventify_kernel::fault_injection::FaultInjection;
use serde_json::{Value, json};

use crate::fleet::world::settings as enrolling;
use crate::world::replies::{Hold, Venue};
use crate::world::sale::{Sale, organiser, seat};
use crate::world::{Answer, User};

/// Follows the `Location` of an answer with a status, as whoever asked.
async fn follow(user: &User<'_>, answer: Answer, status: u16) -> Value {
    let location = answer.header("location").to_owned();
    answer.expect(status);
    assert!(!location.is_empty(), "there is something to follow");
    let found = user.get(&location).await;
    assert_eq!(found.status, 200, "{location}: {}", found.body);
    found.body
}

/// Part D 5: every route that creates something says where it is, and there it is.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_creates_something_finds_it_at_its_location() {
    let mut enrols = enrolling().await;
    enrols.push((
        "fleet.enrolment_url",
        "https://core.example.org:8443".to_owned(),
    ));
    let sale = Sale::with(FaultInjection::default(), enrols).await;
    let (root, olga) = (sale.admin(), organiser(&sale.core));
    let venue = json!({ "name": "Barn", "timeZone": "Europe/Paris" });
    let venue = olga.post("/venues", venue).await;
    let barn: Venue = venue.clone().read(201);
    follow(&olga, venue, 201).await;
    let plan = json!({
        "name": "Floor", "zones": [{ "zone": "Floor", "capacity": 10, "categories": ["FULL"] }],
    });
    let plans = format!("/venues/{}/seating-plans", barn.venue_id);
    follow(&olga, olga.post(&plans, plan).await, 201).await;
    let event = json!({ "title": "Reading", "description": "", "performances": [] });
    let event = olga.post("/events", event).await;
    let path = event.header("location").to_owned();
    follow(&olga, event, 201).await;
    let prices = json!({ "categories": [
        { "name": "Full", "code": "FULL", "price": { "currency": "EUR", "amount": "10.00" } },
    ] });
    let priced = olga.post(&format!("{path}/pricing"), prices).await;
    follow(&olga, priced, 201).await;
    sale.core.settle().await;
    let start = sale.core.clock.now() + Duration::days(5);
    let show = json!({ "startTime": start, "venueId": barn.venue_id });
    let show = olga.post(&format!("{path}/performances"), show).await;
    let shown = follow(&olga, show, 201).await;
    let planned: DateTime<Utc> = serde_json::from_value(shown["startTime"].clone()).unwrap();
    assert_eq!(planned.timestamp(), start.timestamp());

    let gate = json!({ "venueId": sale.venue, "name": "North" });
    follow(&root, root.post("/fleet/gates", gate).await, 201).await;
    let node = json!({ "venueId": sale.venue, "label": "box", "gates": [] });
    follow(&root, root.post("/fleet/nodes", node).await, 201).await;
    let member = json!({ "userId": olga.id().await, "name": "Olga", "roles": ["STEWARD"] });
    let staff = format!("/fleet/venues/{}/staff", sale.venue);
    follow(&root, root.post(&staff, member).await, 201).await;
    let compared = root.post("/payments/comparisons", json!({})).await;
    follow(&root, compared, 202).await;
    sale.core.settle().await;

    let ada = sale.buyer("ada");
    let cart = ada.post("/reservations", json!({})).await;
    let cart_path = cart.header("location").to_owned();
    let cart = follow(&ada, cart, 201).await;
    let items = json!({ "performanceId": sale.performance, "items": seat("A-1") });
    let into_cart = format!("{cart_path}/items");
    let added = sale.post_patiently(&ada, &into_cart, items).await;
    follow(&ada, added, 201).await;
    let confirm = format!("{cart_path}/confirm");
    sale.post_patiently(&ada, &confirm, json!({}))
        .await
        .expect(200);
    let order = json!({ "reservationId": cart["reservationId"] });
    let order = sale.post_patiently(&ada, "/orders", order).await;
    let order = follow(&ada, order, 201).await;
    let intent = json!({ "orderId": order["orderId"] });
    let intent = sale.post_patiently(&ada, "/payments/intents", intent).await;
    follow(&ada, intent, 201).await;
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
