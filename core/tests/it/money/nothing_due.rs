//! Orders of nothing, and of less than can be paid.

use chrono::Duration;
use serde_json::{Value, json};

use crate::world::replies::{Event, Order, OrderedTicket, Performance, Pricing, Ticket};
use crate::world::sale::{FLOOR, Sale, euro, organiser, seat};

/// Another event in the same hall with these prices, on sale.
async fn cheap(sale: &Sale, prices: &[(&str, &str)]) -> (Sale2, Vec<Pricing>) {
    let organiser = organiser(&sale.core);
    let categories: Vec<_> = prices
        .iter()
        .map(|(name, amount)| json!({ "name": name, "price": euro(amount) }))
        .collect();
    let event = json!({ "title": "Cheap", "pricing": { "categories": categories } });
    let event: Event = organiser.post("/events", event).await.read(201);
    let first: Event = organiser
        .get(&format!("/events/{}", sale.event))
        .await
        .read(200);
    let (venue, start) = (
        first.performances[0].venue_id,
        first.performances[0].start_time,
    );
    let performance = json!({ "venueId": venue, "startTime": start + Duration::days(1) });
    let path = format!("/events/{}", event.event_id);
    let performance = organiser
        .post(&format!("{path}/performances"), performance)
        .await;
    let performance: Performance = performance.read(201);
    organiser
        .post(&format!("{path}/publish"), json!({}))
        .await
        .expect(200);
    sale.core.settle().await;
    let performance = performance.performance_id.to_string();
    (Sale2 { performance }, event.pricing)
}

/// A performance beside the sale's own.
struct Sale2 {
    performance: String,
}

impl Sale2 {
    fn items(&self, items: &Value) -> Value {
        json!({ "performanceId": self.performance, "items": items })
    }
}

/// C19: a child's ticket of 0.30 can be put on sale, with a warning; alone, the customer is told and
/// keeps the cart.
#[tokio::test(flavor = "multi_thread")]
async fn a_cart_below_the_least_amount_is_kept_until_there_is_more_in_it() {
    let sale = Sale::open().await;
    let prices = [("Full", "39.00"), ("Child", "0.30"), ("Floor", "0.00")];
    let (show, pricing) = cheap(&sale, &prices).await;
    let warnings = pricing[0].warnings.clone().expect("a warning");
    assert_eq!(warnings.len(), 1, "free is free: {warnings:?}");
    let found = (warnings[0].code.as_str(), warnings[0].category.as_str());
    assert_eq!(found, ("below_least_amount", "CHILD"));
    assert!(warnings[0].message.contains("0.50"));

    let ada = sale.buyer("ada");
    let cart = sale.cart(&ada).await;
    let add = format!("/reservations/{cart}/items");
    let child = |seat: &str| json!([{ "seatId": seat, "priceCategory": "CHILD" }]);
    ada.post(&add, show.items(&child("A-1"))).await.expect(201);
    let confirm = format!("/reservations/{cart}/confirm");
    let refused = ada.post(&confirm, json!({})).await;
    refused.assert_refused(422, "amount_too_small");
    assert!(refused.error().message.contains("0.50"));
    ada.post(&add, show.items(&child("A-2"))).await.expect(201);
    ada.post(&confirm, json!({})).await.expect(200);
    sale.core.settle().await;
}

/// C19, C03: the provider knows a least amount that we don't: nobody is declined, and people hear of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_the_provider_refuses_is_no_decline() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    sale.stripe.takes_at_least(5000);
    let cart = sale.confirmed(&ada, seat("A-1")).await;
    let order = sale.listed(&ada, cart).await;
    assert_eq!(order.status, "processing");
    let want = json!({ "orderId": order.order_id });
    let refused = ada.post("/payments/intents", want.clone()).await;
    refused.assert_refused(422, "payment_refused");
    assert!(refused.error().message.contains("amount_too_small"));
    let item = sale.open_item().await;
    let found = (item.kind.as_str(), item.reason.as_str());
    assert_eq!(found, ("intent_refused", "amount_too_small"));
    sale.stripe.takes_at_least(0);
    sale.decide("retry", json!({})).await.expect(200);
    sale.core.advance(Duration::seconds(31));
    sale.tick().await;
    ada.post("/payments/intents", want).await.expect(201);
    assert_eq!(sale.listed(&ada, cart).await.status, "pending");
    assert!(sale.alarm_codes().await.is_empty());
}

/// C23: a free order is paid without an intent, is told so at once, and one ticket of it can be
/// cancelled by the organiser; the place comes back once.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_due_of_a_free_order_and_its_tickets_can_be_cancelled() {
    let sale = Sale::open().await;
    let (show, _) = cheap(
        &sale,
        &[("Full", "1.00"), ("Child", "1.00"), ("Floor", "0.00")],
    )
    .await;
    let ada = sale.buyer("ada");
    let cart = sale.cart(&ada).await;
    let two = show.items(&json!([{ "bucketId": sale.floor, "qty": 2 }]));
    ada.post(&format!("/reservations/{cart}/items"), two)
        .await
        .expect(201);
    ada.post(&format!("/reservations/{cart}/confirm"), json!({}))
        .await
        .expect(200);
    let order = sale.post_patiently(&ada, "/orders", json!({ "reservationId": cart }));
    let order = order.await.read::<Order>(201).order_id;
    let want = json!({ "orderId": order });
    let due = ada.post("/payments/intents", want).await;
    due.assert_refused(409, "nothing_due");
    assert!(due.error().message.contains("free"));
    sale.core.settle().await;
    let path = format!("/orders/{order}");
    let paid: Order = ada.get(&path).await.read(200);
    assert_eq!(paid.status, "paid");
    let [one, _] = paid.tickets() else {
        panic!("{paid:?}")
    };
    let left = async || {
        let path = format!("/inventory/performances/{}", show.performance);
        let left = organiser(&sale.core).get(&path).await.expect(200);
        left["byBucket"][0]["remaining"].clone()
    };
    assert_eq!(left().await, FLOOR - 2);
    let OrderedTicket { ticket_id, .. } = one;
    let refunds = format!("{path}/refunds");
    let cancel = json!({ "ticketIds": [ticket_id] });
    assert_eq!(ada.post(&refunds, cancel.clone()).await.status, 403);
    let rival = sale.core.user("rival").role("ORGANIZER");
    assert_eq!(rival.post(&refunds, cancel.clone()).await.status, 403);
    let organiser = organiser(&sale.core);
    organiser.post(&refunds, cancel.clone()).await.expect(202);
    sale.core.settle().await;
    assert_eq!(left().await, FLOOR - 1);
    organiser
        .post(&refunds, cancel)
        .await
        .assert_refused(409, "already_refunded");
    sale.core.settle().await;
    assert_eq!(left().await, FLOOR - 1, "once");
    let ticket = ada.get(&format!("/tickets/{ticket_id}")).await;
    assert_eq!(ticket.read::<Ticket>(200).status, "revoked");
    let order: Order = ada.get(&path).await.read(200);
    assert_eq!(order.status, "partially_refunded");
    assert_eq!(sale.stripe.requests(), 0, "no intent, no refund");

    let revoke = format!("/tickets/{ticket_id}/revoke");
    let storm = organiser.post(&revoke, json!({ "reason": "storm" })).await;
    let message = storm.error().message;
    assert!(
        message.contains("refund, fraud, event_cancelled, replaced"),
        "{message}"
    );
}
