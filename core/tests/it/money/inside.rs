//! The provider fails inside once, and repeats that answer for the same idempotency key.

use chrono::Duration;
use serde_json::json;

use crate::world::replies::Comparison;
use crate::world::sale::stripe::Card;
use crate::world::sale::{Sale, seat};

/// As the jobs' timers would, well before the time to pay is over.
async fn soon(sale: &Sale) {
    // Order asks payment, payment the provider, and then order asks once more.
    for _ in 0..2 {
        sale.core.advance(Duration::minutes(2));
        sale.tick().await;
    }
    sale.deliver_all().await;
}

/// C03, S17: the card was authorised in time, and its order must not end because of one bad answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_failed_once_inside_the_provider_goes_through_before_pay_until() {
    for does_it in [false, true] {
        let sale = Sale::open().await;
        let ada = sale.buyer("ada");
        let checkout = sale.check_out(&ada, seat("A-1")).await;
        sale.stripe.pay(&checkout.secret, Card::Good);
        sale.stripe.fails_inside(does_it);
        let authorised = sale.stripe.take_events().remove(0);
        sale.deliver(&authorised).await.expect(200);
        sale.core.settle().await;
        soon(&sale).await;
        assert_eq!(sale.status(&ada, &checkout).await, "paid", "{does_it}");
        assert_eq!(sale.stripe.count("succeeded"), 1);
        assert!(sale.alarm_codes().await.is_empty(), "{does_it}");
    }
}

/// C03: one refund, whether the failed request had made it or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_failed_once_inside_the_provider_is_sent_once() {
    for does_it in [false, true] {
        let sale = Sale::open().await;
        let ada = sale.buyer("ada");
        let two = json!([{ "bucketId": sale.floor, "qty": 2 }]);
        let (checkout, tickets) = sale.bought(&ada, two).await;
        sale.stripe.fails_inside(does_it);
        // Half of it: the provider would have the money for a second one.
        sale.refund(&checkout, &tickets[..1]).await;
        sale.core.settle().await;
        soon(&sale).await;
        let order = sale.order(&ada, &checkout).await;
        assert_eq!(order.status, "partially_refunded", "{does_it}");
        assert_eq!(sale.stripe.sent_back(), (2500, 1), "{does_it}");
        assert!(sale.open_items(&sale.admin()).await.is_empty());
    }
}

/// C03: an order gets something to pay. An intent that was made all the same is nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn an_intent_that_failed_once_inside_the_provider_is_made_anew() {
    for does_it in [false, true] {
        let sale = Sale::open().await;
        let ada = sale.buyer("ada");
        sale.stripe.fails_inside(does_it);
        let cart = sale.confirmed(&ada, seat("A-1")).await;
        let status = async || sale.listed(&ada, cart).await.status;
        // On a busy machine an answer is late, and order asks once more, for up to an hour.
        for _ in 0..10 {
            soon(&sale).await;
            if status().await == "pending" {
                break;
            }
        }
        assert_eq!(status().await, "pending", "{does_it}");
        let secrets = sale.stripe.secrets();
        assert_eq!(secrets.len(), 1 + usize::from(does_it));
        if does_it {
            // Somebody tidies up at the provider.
            sale.stripe.cancel(&secrets[0]);
            sale.deliver_all().await;
        }
        let secret = secrets.last().unwrap();
        sale.stripe.pay(secret, Card::Good);
        sale.deliver_all().await;
        assert_eq!(sale.listed(&ada, cart).await.status, "paid", "{does_it}");
        let admin = sale.admin();
        let started = admin.post("/payments/comparisons", json!({})).await;
        let path = started.header("location").to_owned();
        sale.core.settle().await;
        let done: Comparison = admin.get(&path).await.read(200);
        assert_eq!((done.parts_left, done.booked), (0, 0), "{does_it}");
    }
}
