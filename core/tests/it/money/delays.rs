//! A refund that the provider has, and whose money doesn't arrive.

use chrono::Duration;
use serde_json::json;

use crate::world::sale::{Checkout, Sale, seat};

/// A refund that is on its way at the provider.
async fn on_its_way(sale: &Sale) -> Checkout {
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.hold_refunds();
    sale.cancel(&ada, &checkout).await;
    sale.deliver_all().await;
    assert!(sale.open_items(&sale.admin()).await.is_empty(), "a moment");
    checkout
}

/// As time goes on, the refund is looked up.
async fn later(sale: &Sale, hours: i64) {
    sale.core.advance(Duration::hours(hours));
    sale.tick().await;
    sale.core.settle().await;
}

/// C05, C07: the guest has to name an account. Their ticket is suspended meanwhile, so somebody must see it.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_needs_the_guest_is_an_open_item_and_not_a_silence() {
    let sale = Sale::open().await;
    let (ada, checkout) = (sale.buyer("ada"), on_its_way(&sale).await);
    sale.stripe.send_back("requires_action");
    sale.deliver_all().await;
    let item = sale.open_item().await;
    let found = (item.kind.as_str(), item.reason.as_str());
    assert_eq!(found, ("refund_delayed", "requires_action"));
    assert_eq!(item.acts, ["accept"], "nobody pays beside the provider");
    assert_eq!(sale.alarm_codes().await, ["payment.refund_delayed"]);

    sale.decide("accept", json!({})).await.expect(200);
    later(&sale, 71).await;
    assert!(sale.alarm_codes().await.is_empty(), "somebody waits");
    later(&sale, 2).await;
    assert_eq!(sale.open_item().await.reason, "requires_action", "still");

    sale.stripe.send_back("pending");
    sale.deliver_all().await;
    later(&sale, 1).await;
    assert_eq!(sale.open_item().await.reason, "pending", "for days by now");
    sale.stripe.finish_refunds();
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
    assert!(sale.open_items(&sale.admin()).await.is_empty());
    assert!(sale.alarm_codes().await.is_empty());
}

/// C05: the balance at the provider is too low, and nothing says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_stays_on_its_way_is_seen_after_three_days_and_ends_at_the_provider() {
    let sale = Sale::open().await;
    let (ada, checkout) = (sale.buyer("ada"), on_its_way(&sale).await);
    later(&sale, 71).await;
    assert!(sale.open_items(&sale.admin()).await.is_empty(), "not yet");
    later(&sale, 2).await;
    let item = sale.open_item().await;
    let found = (item.kind.as_str(), item.reason.as_str());
    assert_eq!(found, ("refund_delayed", "pending"));
    let paid = json!({ "reference": "transfer 4711" });
    let early = sale.decide("pay-otherwise", paid.clone()).await;
    assert_eq!(early.code(), "act_not_allowed", "it may still arrive");

    sale.stripe.send_back("canceled");
    sale.deliver_all().await;
    let item = sale.open_item().await;
    let found = (item.kind.as_str(), item.reason.as_str());
    assert_eq!(found, ("refund_refused", "canceled"));
    assert_eq!(sale.alarm_codes().await, ["payment.refund_refused"]);
    sale.decide("pay-otherwise", paid).await.expect(200);
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
    assert_eq!(sale.stripe.sent_back(), (0, 1));
}

/// C03, C05: another account doesn't know the refund that was on its way. What arrives of it after all is
/// seen, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_is_missing_afterwards_can_be_paid_by_hand() {
    let sale = Sale::open().await;
    let (ada, checkout) = (sale.buyer("ada"), on_its_way(&sale).await);
    sale.stripe.is_strange(Some((404, "resource_missing")));
    later(&sale, 23).await;
    assert!(sale.open_items(&sale.admin()).await.is_empty(), "not yet");
    later(&sale, 2).await;
    let item = sale.open_item().await;
    let found = (item.kind.as_str(), item.reason.as_str());
    assert_eq!(found, ("refund_delayed", "object_missing"));
    let paid = json!({ "reference": "transfer 4711" });
    sale.decide("pay-otherwise", paid).await.expect(200);
    sale.core.settle().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
    assert!(sale.open_items(&sale.admin()).await.is_empty());

    sale.stripe.is_strange(None);
    sale.stripe.finish_refunds();
    sale.deliver_all().await;
    assert_eq!(sale.open_item().await.kind, "refunded_elsewhere");
}
