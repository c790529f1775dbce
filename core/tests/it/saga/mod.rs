//! The sale from cart to tickets on real servers, with everything that goes wrong on the way.

mod laws;
mod one_payer;
mod peer;
mod upgrade;

use chrono::Duration;
use serde_json::json;

use crate::world::replies::Order;
use crate::world::sale::stripe::Card;
use crate::world::sale::{FLOOR, SEATS, Sale, euro, seat};

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_order_gets_its_tickets() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let items = json!([
        { "seatId": "A-1", "priceCategory": "FULL", "unitPrice": euro("39.00") },
        { "bucketId": sale.floor, "qty": 2, "unitPrice": euro("25.00") },
    ]);
    let checkout = sale.check_out(&ada, items).await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(
        (order.status.as_str(), order.amount),
        ("pending", euro("89.00"))
    );
    sale.pay(&checkout).await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(order.status, "paid");
    assert_eq!(order.tickets().len(), 3);
    let standing = order
        .tickets()
        .iter()
        .filter(|it| it.price == euro("25.00"));
    assert_eq!(standing.count(), 2);
    assert_eq!(sale.free().await, (SEATS - 1, FLOOR - 2));
    assert_eq!(sale.stripe.count("succeeded"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_d_secure_pending_is_no_decline() {
    let sale = Sale::open().await;
    let (ada, bob) = (sale.buyer("ada"), sale.buyer("bob"));
    let (one, other) = (
        sale.check_out(&ada, seat("A-1")).await,
        sale.check_out(&bob, seat("A-2")).await,
    );
    for checkout in [&one, &other] {
        assert_eq!(
            sale.stripe.pay(&checkout.secret, Card::ThreeDSecure),
            "requires_action"
        );
    }
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &one).await, "pending");
    sale.stripe.authenticate(&one.secret, true);
    sale.stripe.authenticate(&other.secret, false);
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &one).await, "paid");
    assert_eq!(sale.status(&bob, &other).await, "pending");
    let payment = sale.payment(&bob, &other).await;
    assert_eq!(payment.last_decline.as_deref(), Some("declined"));
    assert_eq!(sale.free().await.0, SEATS - 2, "another card may be tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_order_ends_with_its_time() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    sale.core.advance(Duration::minutes(14));
    sale.tick().await;
    assert_eq!(sale.status(&ada, &checkout).await, "pending");
    sale.core.advance(Duration::minutes(2));
    sale.tick().await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(order.cancelled_reason.as_deref(), Some("payment_timeout"));
    assert_eq!(sale.free().await, (SEATS, FLOOR));
    assert_eq!(sale.stripe.count("canceled"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_too_late_goes_back_at_once() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    sale.stripe.pay(&checkout.secret, Card::Good);
    // The provider has the order to capture, and its answer is lost; then the order's time is over.
    let events = sale.stripe.take_events();
    sale.stripe.lose_answers(3);
    sale.deliver(&events[0]).await.expect(200);
    sale.core.settle().await;
    assert_eq!(sale.stripe.count("succeeded"), 1);
    sale.core.advance(Duration::minutes(16));
    // And nobody can ask the provider whether it was paid.
    sale.stripe.go_down(true);
    sale.core.run_job("order", "cancel_unpaid").await;
    assert_eq!(sale.status(&ada, &checkout).await, "cancelled");
    sale.stripe.go_down(false);
    sale.core.advance(Duration::minutes(1));
    sale.deliver_all().await;
    sale.tick().await;
    sale.deliver_all().await;
    assert_eq!(sale.stripe.refunded(), 3900);
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(order.status, "cancelled");
    let refund = &order.refunds()[0];
    assert_eq!(
        (refund.reason.as_str(), refund.status.as_str()),
        ("late_payment", "succeeded")
    );
    assert_eq!(sale.free().await, (SEATS, FLOOR));
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_may_be_down_for_a_while() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    sale.stripe.go_down(true);
    let cart = sale.cart(&ada).await;
    sale.add(&ada, cart, seat("A-1")).await.expect(201);
    ada.post(&format!("/reservations/{cart}/confirm"), json!({}))
        .await
        .expect(200);
    let order = ada.post("/orders", json!({ "reservationId": cart })).await;
    let id = order.read::<Order>(201).order_id;
    let status = async || {
        let order = ada.get(&format!("/orders/{id}")).await;
        order.read::<Order>(200).status
    };
    sale.core.settle().await;
    assert_eq!(status().await, "processing");
    let want = json!({ "orderId": id });
    assert_eq!(
        ada.post("/payments/intents", want.clone()).await.status,
        503
    );
    sale.stripe.go_down(false);
    sale.core.advance(Duration::minutes(1));
    sale.tick().await;
    // Order asks payment again a second later.
    sale.core.advance(Duration::seconds(1));
    sale.tick().await;
    assert_eq!(status().await, "pending");
    ada.post("/payments/intents", want).await.expect(201);
    assert_eq!(sale.stripe.intents(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_customers_race() {
    let sale = Sale::open().await;
    let buyers: Vec<_> = (0..60)
        .map(|number| sale.buyer(&format!("buyer-{number}")))
        .collect();
    // 20 want the same 10 seats, the others a seat of their own or the floor.
    let wish = |number: usize| match number {
        0..20 => seat(&format!("A-{}", number % 10 + 1)),
        20..40 => seat(&format!("B-{}", number - 19)),
        _ => json!([{ "bucketId": sale.floor }]),
    };
    let racing = buyers.iter().enumerate().map(|(number, buyer)| {
        let sale = &sale;
        async move {
            let cart = sale.cart(buyer).await;
            let added = sale.add(buyer, cart, wish(number)).await;
            if added.status == 409 {
                assert_eq!(added.code(), "out_of_stock");
                return None;
            }
            added.expect(201);
            // One lets the hold expire.
            if number == 59 {
                return None;
            }
            let checkout = sale.confirm(buyer, cart).await;
            match number {
                30..33 => sale.stripe.pay(&checkout.secret, Card::Declined),
                33 => {
                    sale.stripe.pay(&checkout.secret, Card::ThreeDSecure);
                    sale.stripe.authenticate(&checkout.secret, true)
                }
                _ => sale.stripe.pay(&checkout.secret, Card::Good),
            };
            Some((number, checkout))
        }
    });
    let checkouts = futures_util::future::join_all(racing).await;
    sale.deliver_all().await;
    sale.core.advance(Duration::minutes(16));
    sale.tick().await;
    sale.deliver_all().await;
    let (mut paid, mut tickets) = (0, std::collections::HashSet::new());
    for (number, checkout) in checkouts.iter().flatten() {
        let order = sale.order(&buyers[*number], checkout).await;
        let expected = if (30..33).contains(number) {
            "cancelled"
        } else {
            "paid"
        };
        assert_eq!(order.status, expected, "buyer {number}");
        paid += usize::from(expected == "paid");
        for ticket in order.tickets() {
            assert!(tickets.insert(ticket.ticket_id));
        }
    }
    // 10 of the 20 who raced, 17 of the 20 with own seats, 19 of the 20 on the floor.
    assert_eq!((paid, tickets.len()), (46, 46));
    assert_eq!(sale.free().await, (SEATS - 27, FLOOR - 19));
    assert_eq!(sale.stripe.count("succeeded"), 46);
}
