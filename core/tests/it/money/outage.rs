//! The provider doesn't let us in, or doesn't answer: nobody is declined, and the work waits.

use chrono::Duration;
use serde_json::json;

use crate::world::replies::Payment;
use crate::world::sale::stripe::Card;
use crate::world::sale::{Sale, seat};

/// As the jobs' timers would, after a pause that all attempts together never reach.
async fn later(sale: &Sale) {
    sale.core.advance(Duration::minutes(6));
    sale.tick().await;
    sale.core.advance(Duration::minutes(1));
    sale.tick().await;
    sale.deliver_all().await;
}

/// C03: somebody rolls the key, and every call is refused: 401, 403, or 404 for what another account
/// has made.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_declined_because_our_key_was_rolled() {
    for (status, code) in [(401, "api_key_expired"), (403, "secret_key_required")] {
        let sale = Sale::open().await;
        let ada = sale.buyer("ada");
        sale.stripe.is_strange(Some((status, code)));
        let cart = sale.confirmed(&ada, seat("A-1")).await;
        let order = sale.listed(&ada, cart).await;
        assert_eq!(order.status, "processing", "{code}");
        let want = json!({ "orderId": order.order_id });
        let out = ada.post("/payments/intents", want.clone()).await;
        out.assert_refused(503, "unavailable");
        assert_eq!(out.header("retry-after"), "5");
        assert!(out.error().message.contains("nothing was charged"));
        let alarms = sale.alarms().await;
        let (alarm, act) = &alarms[0];
        assert_eq!(alarm, "payment.key_rejected");
        assert!(act.contains("payment.stripe.secret_key"), "{act}");

        sale.stripe.is_strange(None);
        later(&sale).await;
        assert_eq!(sale.listed(&ada, cart).await.status, "pending");
        let intent: Payment = ada.post("/payments/intents", want).await.read(201);
        sale.stripe.pay(&intent.client_secret.unwrap(), Card::Good);
        sale.deliver_all().await;
        assert_eq!(sale.listed(&ada, cart).await.status, "paid");
        let standing = sale.alarm_codes().await;
        assert!(standing.is_empty(), "{standing:?}");
    }
}

/// Kind 5: an outage ends when it is over, also if nobody buys after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_answers_again_is_no_alarm_before_the_next_customer() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    sale.stripe.go_down(true);
    let cart = sale.confirmed(&ada, seat("A-1")).await;
    sale.core.advance(Duration::minutes(61));
    sale.core.run_job("order", "cancel_unpaid").await;
    let order = sale.listed(&ada, cart).await;
    assert_eq!(order.status, "cancelled");
    assert_eq!(sale.alarm_codes().await, ["payment.provider_unavailable"]);
    sale.core.advance(Duration::minutes(1));
    sale.core.run_job("payment", "ask_again").await;
    assert_eq!(sale.alarm_codes().await, ["payment.provider_unavailable"]);
    let out = ada.get("/health/sales").await;
    out.assert_refused(503, "unavailable");
    let said = out.error().message.clone();
    assert!(said.contains("payment.provider_unavailable"), "{said}");
    sale.stripe.go_down(false);
    sale.core.advance(Duration::minutes(1));
    sale.core.run_job("payment", "ask_again").await;
    assert!(sale.alarm_codes().await.is_empty());
    let well = ada.get("/health/sales").await.expect(200);
    assert_eq!(well["status"], "selling");
}

/// C03: refunds, too, wait until the key is right.
#[tokio::test(flavor = "multi_thread")]
async fn refunds_wait_until_the_key_is_right() {
    for (status, code, alarm) in [
        (401, "api_key_expired", "payment.key_rejected"),
        (404, "resource_missing", "payment.object_missing"),
    ] {
        let sale = Sale::open().await;
        let ada = sale.buyer("ada");
        let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
        sale.stripe.is_strange(Some((status, code)));
        sale.cancel(&ada, &checkout).await;
        sale.core.settle().await;
        later(&sale).await;
        let order = sale.order(&ada, &checkout).await;
        let refund = &order.refunds()[0];
        assert_eq!(refund.status, "requested", "{code}");
        assert_eq!(sale.alarm_codes().await, [alarm]);
        let items = sale.open_items(&sale.admin()).await;
        assert!(
            items.is_empty(),
            "an outage is nobody's decision: {items:?}"
        );

        sale.stripe.is_strange(None);
        later(&sale).await;
        assert_eq!(sale.status(&ada, &checkout).await, "refunded", "{code}");
        assert_eq!(sale.stripe.sent_back(), (3900, 1));
        assert!(sale.alarm_codes().await.is_empty(), "{code}");
    }
}

/// C03: with another account for good, the guest must not wait for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_another_account_never_knows_can_be_paid_by_hand() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.is_strange(Some((404, "resource_missing")));
    sale.cancel(&ada, &checkout).await;
    sale.core.settle().await;
    sale.core.advance(Duration::hours(25));
    sale.tick().await;
    let item = sale.open_item().await;
    let found = (item.kind.as_str(), item.reason.as_str());
    assert_eq!(found, ("refund_refused", "object_missing"));
    let paid = json!({ "reference": "transfer 4711" });
    sale.decide("pay-otherwise", paid).await.expect(200);
    sale.core.settle().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
}

/// Kind 9: while there is nothing to pay, the time to pay does not run.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_to_pay_begins_when_there_is_something_to_pay() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    sale.stripe.go_down(true);
    let cart = sale.confirmed(&ada, seat("A-1")).await;
    sale.core.advance(Duration::minutes(40));
    sale.tick().await;
    assert_eq!(sale.listed(&ada, cart).await.status, "processing");
    sale.stripe.go_down(false);
    later(&sale).await;
    let order = sale.listed(&ada, cart).await;
    assert_eq!(order.status, "pending");
    let left = order.pay_until - sale.core.clock.now();
    assert!(left > Duration::minutes(13), "{left}");
    let secret = sale.stripe.secrets().remove(0);
    sale.stripe.pay(&secret, Card::Good);
    sale.deliver_all().await;
    assert_eq!(sale.listed(&ada, cart).await.status, "paid");
}

/// Kind 9: but places are not kept without end.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_without_anything_to_pay_ends_after_an_hour() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    sale.stripe.go_down(true);
    let cart = sale.confirmed(&ada, seat("A-1")).await;
    sale.core.advance(Duration::minutes(61));
    sale.core.run_job("order", "cancel_unpaid").await;
    let order = sale.listed(&ada, cart).await;
    assert_eq!(order.cancelled_reason.as_deref(), Some("payment_timeout"));
}
