//! Webhooks that are refused, or that don't come.

use chrono::Duration;
use serde_json::{Value, json};

use crate::world::sale::stripe::{Card, WEBHOOK_SECRET, sign};
use crate::world::sale::{Sale, seat};
use crate::world::{Answer, product, send};

const ROLLED: &str = "whsec_that_the_provider_has_now";

async fn watched(sale: &Sale) -> Vec<(String, String)> {
    sale.core.run_job("payment", "watch_webhooks").await;
    sale.alarms().await
}

async fn codes(sale: &Sale) -> Vec<String> {
    let alarms = watched(sale).await.into_iter();
    alarms.map(|(code, _)| code).collect()
}

/// A customer's payment, as the provider tells it.
async fn told(sale: &Sale, label: &str) -> Value {
    let checkout = sale.check_out(&sale.buyer("ada"), seat(label)).await;
    sale.stripe.pay(&checkout.secret, Card::Good);
    sale.stripe.take_events().remove(0)
}

async fn send_signed(sale: &Sale, event: &Value, secret: &str) -> Answer {
    let body = event.to_string();
    let signature = sign(secret, body.as_bytes(), sale.core.clock.now());
    sale.post_webhook(body, &signature).await
}

/// C02's other half: the endpoint's secret was rolled at the provider, and nobody told us.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolled_webhook_secret_is_an_alarm() {
    let sale = Sale::open().await;
    let event = told(&sale, "A-1").await;
    let refused = send_signed(&sale, &event, ROLLED).await;
    refused.assert_refused(400, "invalid_webhook");
    assert!(watched(&sale).await.is_empty(), "a moment");
    sale.core.advance(Duration::minutes(14));
    send_signed(&sale, &event, ROLLED).await;
    assert!(watched(&sale).await.is_empty(), "not yet");
    sale.core.advance(Duration::minutes(1));
    let alarms = watched(&sale).await;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!(alarms[0].0, "payment.webhooks_rejected");
    let act = &alarms[0].1;
    assert!(act.contains("payment.stripe.webhook_secrets"), "{act}");
    sale.core.advance(Duration::hours(9));
    assert_eq!(codes(&sale).await, ["payment.webhooks_rejected"], "stands");

    send_signed(&sale, &event, WEBHOOK_SECRET).await.expect(200);
    sale.deliver_all().await;
    assert!(watched(&sale).await.is_empty(), "they are taken again");
    assert_eq!(sale.stripe.count("succeeded"), 1);
}

/// C02: one account serves a shop, a donation form and the tickets. An event of theirs that is answered with an
/// error is sent again for days, and then the endpoint is switched off.
#[tokio::test(flavor = "multi_thread")]
async fn signed_webhooks_that_are_not_ours_are_taken_and_change_nothing() {
    let sale = Sale::open().await;
    let paid = told(&sale, "A-1").await;
    let theirs = |change: &dyn Fn(&mut Value)| {
        let mut event = paid.clone();
        event["id"] = json!(format!("evt_{}", sale.core.clock.new_id().simple()));
        event["data"]["object"]["id"] = json!("pi_theirs");
        event["data"]["object"]["metadata"]["installation"] = json!(sale.core.clock.new_id());
        change(&mut event);
        event
    };
    let of_intent = |change: &dyn Fn(&mut Value)| theirs(&|it| change(&mut it["data"]["object"]));
    let dispute = json!({ "id": "evt_d", "type": "charge.refunded",
        "data": { "object": { "payment_intent": { "id": "pi_theirs" }, "amount_refunded": 100 } } });
    for event in [
        json!([]),
        json!({ "id": "evt_thin", "object": "v2.core.event", "type": "v1.account.updated",
            "related_object": { "id": "acct_1" } }),
        json!({ "type": "invoice.paid", "data": { "object": {} } }),
        json!({ "id": "evt_i", "type": "invoice.paid", "data": { "object": {} } }),
        dispute,
        theirs(&|it| it["data"] = json!(null)),
        theirs(&|it| it["type"] = json!(42)),
        of_intent(&|it| it["metadata"] = json!(null)),
        of_intent(&|it| it["metadata"] = json!({ "payment_id": 42, "order": "R-7" })),
        of_intent(&|it| it["currency"] = json!("kwd")),
        of_intent(&|it| it["client_secret"] = json!(null)),
        // As another system like this one makes them, even with our payment's id.
        of_intent(&|_| {}),
    ] {
        let taken = send_signed(&sale, &event, WEBHOOK_SECRET).await;
        assert_eq!(taken.expect(200), json!({ "received": true }), "{event}");
    }
    let no_json = "id=evt_1";
    let signature = sign(WEBHOOK_SECRET, no_json.as_bytes(), sale.core.clock.now());
    let refused = sale.post_webhook(no_json.to_owned(), &signature).await;
    refused.assert_refused(400, "invalid_webhook");
    sale.core.settle().await;
    assert!(watched(&sale).await.is_empty());
    assert_eq!(sale.stripe.count("succeeded"), 0, "nobody has paid");
    send_signed(&sale, &paid, WEBHOOK_SECRET).await.expect(200);
    sale.deliver_all().await;
    assert_eq!(sale.stripe.count("succeeded"), 1, "ours still counts");
}

/// C02: an endpoint that sends thin events reaches us, and tells nothing.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_can_not_be_read_do_not_hide_that_ours_are_missing() {
    let sale = Sale::open().await;
    let (checkout, _) = sale.bought(&sale.buyer("ada"), seat("A-1")).await;
    sale.stripe.dispute(&checkout.secret);
    let event = sale.stripe.take_events().remove(0);
    let compare = sale.admin().post("/payments/comparisons", json!({})).await;
    compare.expect(202);
    sale.core.settle().await;
    sale.core.advance(Duration::minutes(15));
    let thin =
        json!({ "id": "evt_thin", "object": "v2.core.event", "type": "v1.charge.dispute.created" });
    send_signed(&sale, &thin, WEBHOOK_SECRET).await.expect(200);
    let mut standing = codes(&sale).await;
    standing.sort();
    assert_eq!(standing, ["payment.disputed", "payment.webhooks_missing"]);
    sale.deliver(&event).await.expect(200);
    sale.deliver_all().await;
    assert_eq!(codes(&sale).await, ["payment.disputed"]);
}

/// The same, of one process that was not restarted: the others take what comes to them.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_has_the_old_secret_is_not_hidden_by_the_others() {
    let sale = Sale::open().await;
    let event = told(&sale, "A-1").await;
    let secrets = format!("[\"{ROLLED}\"]");
    let other = vec![("payment.stripe.webhook_secrets", secrets)];
    let other = sale.core.beside(other, product).await;
    let url = format!("http://{}/webhooks/psp", other.address.expect("it serves"));
    for (number, minutes) in [0, 8, 8].into_iter().enumerate() {
        sale.core.advance(Duration::minutes(minutes));
        let mut event = event.clone();
        event["id"] = json!(format!("evt_again_{number}"));
        let body = event.to_string();
        let signature = sign(WEBHOOK_SECRET, body.as_bytes(), sale.core.clock.now());
        let request = reqwest::Client::new().post(&url).body(body);
        let refused = send(request.header("Stripe-Signature", signature)).await;
        refused.assert_refused(400, "invalid_webhook");
        sale.deliver(&event).await.expect(200);
    }
    sale.deliver_all().await;
    assert_eq!(codes(&sale).await, ["payment.webhooks_rejected"]);
    other.stop().await;
    sale.core.advance(Duration::minutes(15));
    sale.deliver(&json!({ "id": "evt_next", "type": "ping", "data": { "object": {} } }))
        .await
        .expect(200);
    assert!(watched(&sale).await.is_empty(), "no more are refused");
}

/// S12: anybody can send what is refused, also a customer, who knows their own payment. Nobody is woken by
/// it, whether the provider sends anything or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_noise_raises_no_alarm_about_webhooks() {
    let sale = Sale::open().await;
    let mut forged = told(&sale, "A-1").await;
    let told_next = told(&sale, "A-2").await;
    let known = &mut forged["data"]["object"]["metadata"];
    assert!(known["installation"].is_string(), "{known}");
    known["installation"] = json!(sale.core.clock.new_id());
    for minutes in [0, 20, 20] {
        sale.core.advance(Duration::minutes(minutes));
        for (body, signature) in [
            (forged.to_string(), String::new()),
            (forged.to_string(), "t=1,v1=00".to_owned()),
            (
                json!([]).to_string(),
                sign(ROLLED, b"[]", sale.core.clock.now()),
            ),
        ] {
            let refused = sale.post_webhook(body, &signature).await;
            refused.assert_refused(400, "invalid_webhook");
        }
        let refused = send_signed(&sale, &forged, ROLLED).await;
        refused.assert_refused(400, "invalid_webhook");
        assert!(watched(&sale).await.is_empty());
    }
    sale.deliver(&told_next).await.expect(200);
    send_signed(&sale, &forged, ROLLED).await;
    sale.deliver_all().await;
    sale.core.advance(Duration::hours(1));
    assert!(watched(&sale).await.is_empty());
}

/// The clock of the core stands wrong: what is signed well is refused for its age.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_that_refuses_webhooks_is_an_alarm() {
    let sale = Sale::open().await;
    let event = told(&sale, "A-1").await;
    let body = event.to_string();
    let long_ago = sale.core.clock.now() - Duration::minutes(6);
    let signature = sign(WEBHOOK_SECRET, body.as_bytes(), long_ago);
    let refused = sale.post_webhook(body, &signature).await;
    refused.assert_refused(400, "invalid_webhook");
    sale.core.advance(Duration::minutes(15));
    assert_eq!(codes(&sale).await, ["payment.webhooks_rejected"]);
    sale.deliver(&event).await.expect(200);
    sale.deliver_all().await;
    assert!(watched(&sale).await.is_empty());
}

/// C02: the provider has switched the endpoint off, so that nothing comes that could be refused.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_switched_off_is_an_alarm() {
    let sale = Sale::open().await;
    let (checkout, _) = sale.bought(&sale.buyer("ada"), seat("A-1")).await;
    sale.stripe.dispute(&checkout.secret);
    let event = sale.stripe.take_events().remove(0);
    let compare = json!({});
    sale.admin()
        .post("/payments/comparisons", compare.clone())
        .await
        .expect(202);
    sale.core.settle().await;
    assert_eq!(
        codes(&sale).await,
        ["payment.disputed"],
        "it may be on its way"
    );
    sale.core.advance(Duration::minutes(15));
    let mut codes_now = codes(&sale).await;
    codes_now.sort();
    assert_eq!(codes_now, ["payment.disputed", "payment.webhooks_missing"]);
    sale.deliver(&event).await.expect(200);
    sale.deliver_all().await;
    assert_eq!(codes(&sale).await, ["payment.disputed"]);
    sale.admin()
        .post("/payments/comparisons", compare)
        .await
        .expect(202);
    sale.core.settle().await;
    sale.core.advance(Duration::minutes(15));
    assert_eq!(codes(&sale).await, ["payment.disputed"], "it found no news");
}
