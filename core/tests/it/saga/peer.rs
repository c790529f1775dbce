//! The sale against a Stripe-compatible server that we did not write, with its own webhooks,
//! signatures and timing.

use eventify_stack::{Card, Payment, Stack, Stripe};
use serde_json::json;

use crate::world::replies;
use crate::world::sale::{FLOOR, SEATS, Sale, seat};
use crate::world::until;

/// A sale whose core talks to an account at the run's server.
async fn open() -> (Sale, Stripe) {
    let stripe = Stack::shared().await.expect("the stack").stripe();
    let settings = vec![
        ("payment.stripe.api_url", stripe.base_url.clone()),
        ("payment.stripe.secret_key", stripe.secret_key.clone()),
        (
            "payment.stripe.webhook_secrets",
            format!("[\"{}\"]", stripe.webhook_secret),
        ),
    ];
    let sale = Sale::with(
        eventify_kernel::fault_injection::FaultInjection::default(),
        settings,
    )
    .await;
    let url = format!("{}/webhooks/psp", sale.core.url());
    stripe
        .register_webhook(&url)
        .await
        .expect("the peer takes the address");
    (sale, stripe)
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_are_charged_declined_and_asked_back() {
    let (sale, stripe) = open().await;
    let (ada, bob, eve) = (sale.buyer("ada"), sale.buyer("bob"), sale.buyer("eve"));
    let good = sale.check_out(&ada, seat("A-1")).await;
    let bad = sale.check_out(&bob, seat("A-2")).await;
    let asked = sale.check_out(&eve, seat("A-3")).await;
    assert!(
        stripe
            .pay(&good.secret, Card::Good)
            .await
            .unwrap()
            .is_authorised()
    );
    let refused = stripe.pay(&bad.secret, Card::Declined).await.unwrap();
    assert_eq!(
        refused,
        Payment::Refused {
            code: "card_declined".to_owned()
        }
    );
    let pending = stripe.pay(&asked.secret, Card::ThreeDSecure).await.unwrap();
    assert!(pending.needs_authentication());
    until("the good card's webhook", async || {
        sale.status(&ada, &good).await == "paid"
    })
    .await;
    until("the bad card's webhook", async || {
        let payment = sale.payment(&bob, &bad).await;
        payment.last_decline.as_deref() == Some("declined")
    })
    .await;
    // Without another card, the customer gives it up.
    let path = format!("/orders/{}/cancel", bad.order);
    bob.post(&path, json!({})).await.expect(200);
    assert_eq!(sale.status(&eve, &asked).await, "pending");
    assert!(
        stripe
            .authenticate(&asked.secret, true)
            .await
            .unwrap()
            .is_authorised()
    );
    until("the bank's answer", async || {
        sale.status(&eve, &asked).await == "paid"
    })
    .await;
    sale.core.settle().await;
    assert_eq!(sale.free().await, (SEATS - 2, FLOOR));

    sale.cancel(&ada, &good).await;
    until("the refund", async || {
        sale.status(&ada, &good).await == "refunded"
    })
    .await;
    sale.core.settle().await;
    assert_eq!(sale.free().await, (SEATS - 1, FLOOR));
}

/// An account without an address for its webhooks: the page captures, the reconciliation asks.
#[tokio::test(flavor = "multi_thread")]
async fn without_webhooks_it_comes_to_the_same() {
    let (sale, stripe) = open().await;
    stripe
        .register_webhook("http://127.0.0.1:9/nobody")
        .await
        .unwrap();
    let (ada, bob) = (sale.buyer("ada"), sale.buyer("bob"));
    let good = sale.check_out(&ada, seat("A-1")).await;
    let bad = sale.check_out(&bob, seat("A-2")).await;
    stripe.pay(&good.secret, Card::Good).await.unwrap();
    stripe.pay(&bad.secret, Card::Declined).await.unwrap();
    let capture = format!("/payments/{}/capture", good.payment);
    let captured = sale.post_patiently(&ada, &capture, json!({})).await;
    assert_eq!(captured.read::<replies::Payment>(200).status, "captured");
    sale.core.advance(chrono::Duration::seconds(61));
    sale.tick().await;
    assert_eq!(sale.status(&ada, &good).await, "paid");
    let declined = sale.payment(&bob, &bad).await;
    assert_eq!(declined.last_decline.as_deref(), Some("declined"));
    assert_eq!(sale.free().await, (SEATS - 2, FLOOR));
}
