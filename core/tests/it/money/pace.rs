//! A provider that asks for fewer calls.

use chrono::Duration;
use serde_json::json;

use crate::world::sale::{Sale, seat};

/// Enough for the breaker's window to be judged.
const ORDERS: usize = 30;

/// C38: each of many refunds arrives, once, at a provider that answers 429 to each second one; and
/// buying goes on meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_for_everybody_does_not_close_the_shop() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let mut bought = Vec::new();
    for _ in 0..ORDERS {
        let place = json!([{ "bucketId": sale.floor }]);
        bought.push(sale.bought(&ada, place).await);
    }
    sale.stripe.is_busy(true);
    for (checkout, tickets) in &bought {
        sale.refund(checkout, tickets).await;
    }
    sale.deliver_all().await;
    let (_, first) = sale.stripe.sent_back();
    assert!(first < ORDERS, "the provider is not busy");

    // In the middle of it.
    let bob = sale.buyer("bob");
    sale.bought(&bob, seat("A-1")).await;

    let mut rounds = 0;
    while sale.stripe.sent_back().1 < ORDERS {
        rounds += 1;
        assert!(rounds < 200, "{:?}", sale.stripe.sent_back());
        sale.core.advance(Duration::seconds(70));
        sale.core.run_job("payment", "drive_refunds").await;
    }
    sale.deliver_all().await;
    for (checkout, _) in &bought {
        assert_eq!(sale.status(&ada, checkout).await, "refunded");
    }
    assert_eq!(sale.stripe.sent_back(), (2500 * 30, ORDERS));
    assert!(
        sale.alarm_codes().await.is_empty(),
        "slow is not out of order"
    );
}
