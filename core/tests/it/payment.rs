//! Webhooks and answers of the provider: early, twice, late, forged, lost.

use chrono::Duration;
use eventify_kernel::db::tasks;
use serde_json::json;

use crate::world::replies::Payment;
use crate::world::sale::stripe::{Card, WEBHOOK_SECRET, sign};
use crate::world::sale::{Sale, euro, seat};
use crate::world::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_counts_once_and_only_with_its_signature() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    sale.stripe.pay(&checkout.secret, Card::Good);
    let event = sale.stripe.take_events().remove(0);
    let (body, now) = (event.to_string(), sale.core.clock.now());
    for (signature, why) in [
        (String::new(), "missing"),
        (sign("whsec_other", body.as_bytes(), now), "forged"),
        (sign(WEBHOOK_SECRET, b"{}", now), "of another body"),
        (
            sign(
                WEBHOOK_SECRET,
                body.as_bytes(),
                now - Duration::seconds(301),
            ),
            "too old",
        ),
    ] {
        let refused = sale.post_webhook(body.clone(), &signature).await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, "invalid_webhook"),
            "{why}"
        );
    }
    let nonsense = "id=evt_0".to_owned();
    let signature = sign(WEBHOOK_SECRET, nonsense.as_bytes(), now);
    let refused = sale.post_webhook(nonsense, &signature).await;
    refused.assert_refused(400, "invalid_webhook");
    sale.core.settle().await;
    assert_eq!(sale.status(&ada, &checkout).await, "pending");

    let (one, two) = tokio::join!(sale.deliver(&event), sale.deliver(&event));
    assert_eq!((one.status, two.status), (200, 200));
    sale.deliver_all().await;
    sale.deliver(&event).await.expect(200);
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
    assert_eq!(sale.stripe.count("succeeded"), 1);
    assert_eq!(sale.order(&ada, &checkout).await.tickets().len(), 1);
}

/// S12: whoever has the webhook secret can wake us, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_alone_pays_for_nothing() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    // An intent's id is a part of its client secret, which its customer has.
    let intent = checkout.secret.trim_end_matches("_secret");
    let forged = json!({ "id": "evt_forged", "type": "payment_intent.succeeded", "data": { "object": {
        "id": intent, "client_secret": checkout.secret, "status": "succeeded", "currency": "eur",
        "amount_received": 3900, "metadata": {},
    } } });
    sale.deliver(&forged).await.expect(200);
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "pending");
    let payment = sale.payment(&ada, &checkout).await;
    assert_eq!(payment.status, "requires_action");
    assert_eq!(sale.alarm_codes().await, ["payment.webhook_contradicted"]);

    sale.stripe
        .capture_in_dashboard(&checkout.secret, Some(3900), "eur");
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_may_arrive_before_the_answer() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    // Every answer to the request for an intent is lost.
    sale.stripe.lose_answers(3);
    let cart = sale.confirmed(&ada, seat("A-1")).await;
    let secret = sale.stripe.secrets().remove(0);
    sale.stripe.pay(&secret, Card::Good);
    sale.deliver_all().await;
    assert_eq!(sale.listed(&ada, cart).await.status, "paid");
    assert_eq!(sale.stripe.intents(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_webhooks_are_reconciled() {
    let sale = Sale::open().await;
    let (ada, bob) = (sale.buyer("ada"), sale.buyer("bob"));
    let good = sale.check_out(&ada, seat("A-1")).await;
    let bad = sale.check_out(&bob, seat("A-2")).await;
    sale.stripe.pay(&good.secret, Card::Good);
    sale.stripe.pay(&bad.secret, Card::Declined);
    sale.stripe.take_events();
    sale.tick().await;
    assert_eq!(
        sale.status(&ada, &good).await,
        "pending",
        "not asked before its time"
    );
    sale.core.advance(Duration::seconds(61));
    sale.tick().await;
    sale.stripe.take_events();
    assert_eq!(sale.status(&ada, &good).await, "paid");
    let declined = sale.payment(&bob, &bad).await;
    assert_eq!(declined.last_decline.as_deref(), Some("declined"));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_captures_all_return_the_result() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    sale.stripe.pay(&checkout.secret, Card::Good);
    let capture = format!("/payments/{}/capture", checkout.payment);
    let captures = (0..4).map(|_| ada.post(&capture, json!({})));
    for answer in futures_util::future::join_all(captures).await {
        assert_eq!(answer.read::<Payment>(200).status, "captured");
    }
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
}

/// S15: the provider counts our calls altogether.
#[tokio::test(flavor = "multi_thread")]
async fn a_customer_has_the_provider_asked_as_often_as_a_page_needs_and_no_more() {
    let sale = Sale::open().await;
    let (ada, bob) = (sale.buyer("ada"), sale.buyer("bob"));
    let hers = sale.check_out(&ada, seat("A-1")).await;
    let his = sale.check_out(&bob, seat("A-2")).await;
    let capture = format!("/payments/{}/capture", hers.payment);
    let before = sale.stripe.requests();
    let mut statuses = Vec::new();
    for _ in 0..50 {
        let answer = ada.post(&capture, json!({})).await;
        if answer.status == 429 {
            assert_eq!(
                (answer.code(), answer.header("retry-after")),
                ("asked_too_often", "1")
            );
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses[..5], [200; 5]);
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert!(refused > 10, "{statuses:?}");
    let asked = sale.stripe.requests() - before;
    assert_eq!(asked + refused, 50, "one call a time that is let through");

    sale.stripe.pay(&his.secret, Card::Good);
    let of_bob = format!("/payments/{}/capture", his.payment);
    assert_eq!(
        bob.post(&of_bob, json!({}))
            .await
            .read::<Payment>(200)
            .status,
        "captured"
    );
    let before = sale.stripe.requests();
    for _ in 0..20 {
        assert_eq!(
            bob.post(&of_bob, json!({}))
                .await
                .read::<Payment>(200)
                .status,
            "captured"
        );
    }
    assert_eq!(
        sale.stripe.requests(),
        before,
        "nothing is left to be asked"
    );
    sale.deliver_all().await;
    assert_eq!(sale.status(&bob, &his).await, "paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_customers_page_need_not_wait_for_a_webhook() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    let capture = format!("/payments/{}/capture", checkout.payment);
    let page = async || {
        let answer = ada.post(&capture, json!({})).await;
        answer.read::<Payment>(200).status
    };
    assert_eq!(page().await, "requires_action", "nothing is authorised yet");
    sale.stripe.pay(&checkout.secret, Card::Good);
    assert_eq!(page().await, "captured");
    assert_eq!(page().await, "captured");
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
    let eve = sale.buyer("eve");
    assert_eq!(eve.post(&capture, json!({})).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_has_one_intent_and_its_own_amount() {
    let sale = Sale::open().await;
    let (ada, eve) = (sale.buyer("ada"), sale.buyer("eve"));
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    let want = |amount: &str| json!({ "orderId": checkout.order, "amount": euro(amount), "method": "card" });
    let again = ada.post("/payments/intents", want("39.00")).await;
    let again: Payment = again.read(201);
    let secret = Some(checkout.secret.clone());
    assert_eq!(
        (again.payment_id, &again.client_secret),
        (checkout.payment, &secret)
    );
    assert_eq!(sale.payment(&ada, &checkout).await.client_secret, secret);
    let admin = sale.core.user("root").role("ADMIN");
    assert_eq!(sale.payment(&admin, &checkout).await.client_secret, None);
    let mut conn = sale.core.app().db.read("payment").await.unwrap();
    let kept: Vec<Option<Vec<u8>>> = sqlx::query_scalar(
        "select body from idempotency_keys
         where route = 'POST /payments/intents' and status = 201",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    assert_eq!(kept, [None, None], "a secret lies in the table");
    let other = ada.post("/payments/intents", want("1.00")).await;
    other.assert_refused(422, "price_mismatch");
    assert_eq!(
        eve.post("/payments/intents", want("39.00")).await.status,
        403
    );
    let keyless = ada
        .request(reqwest::Method::POST, "/payments/intents")
        .json(&want("39.00"));
    assert_eq!(crate::world::send(keyless).await.status, 400);
    assert_eq!(sale.stripe.intents(), 1);
    let nowhere = json!({ "orderId": sale.core.clock.new_id() });
    assert_eq!(
        ada.post("/payments/intents", nowhere).await.code(),
        "payment_not_found"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_answer_is_lost_is_made_once() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.lose_answers(3);
    sale.cancel(&ada, &checkout).await;
    sale.core.settle().await;
    assert_eq!(
        sale.status(&ada, &checkout).await,
        "paid",
        "the answer is still open"
    );
    sale.core.advance(Duration::minutes(2));
    sale.tick().await;
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
    assert_eq!(sale.stripe.refunded(), 3900);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_retry_does_not_pay_back_twice() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.lose_answers(3);
    sale.cancel(&ada, &checkout).await;
    sale.core.settle().await;
    sale.stripe.forget_keys();
    let app = sale.core.app();
    let mut conn = app.db.read("payment").await.unwrap();
    let failing = tasks::list_troubled(&mut conn, 10).await.unwrap();
    let [refund] = failing.as_slice() else {
        panic!("{failing:?}")
    };
    let which = (refund.kind.as_str(), refund.key);
    let found = tasks::retry(&mut conn, which, app.clock.now()).await;
    assert!(found.unwrap());
    drop(conn);
    sale.tick().await;
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
    assert_eq!(sale.stripe.refunded(), 3900);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_webhook_overtakes_its_lost_answer_is_looked_up_at_once() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    let held = sale.stripe.hold_refund_answers().await;
    sale.stripe.lose_answers(3);
    ada.post(&format!("/orders/{}/cancel", checkout.order), json!({}))
        .await
        .expect(202);
    until("the provider's refund", async || {
        sale.stripe.refunded() == 3900
    })
    .await;
    for event in sale.stripe.take_events() {
        assert_eq!(event["type"], "charge.refunded");
        sale.deliver(&event).await.expect(200);
    }
    sale.stripe.forget_keys();
    drop(held);
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
    assert_eq!(sale.stripe.refunded(), 3900);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_on_its_way_is_done_when_the_provider_says_so() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.hold_refunds();
    sale.cancel(&ada, &checkout).await;
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
    sale.stripe.finish_refunds();
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
    let payment = sale.payment(&ada, &checkout).await;
    assert_eq!(payment.status, "refunded");
    assert_eq!(payment.refunds.unwrap()[0].status, "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_is_left_alone() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    sale.stripe.go_down(true);
    let capture = format!("/payments/{}/capture", checkout.payment);
    // 50 calls are judged; each request is up to three.
    for _ in 0..20 {
        let answer = ada.post(&capture, json!({})).await;
        answer.assert_refused(503, "unavailable");
        sale.core.advance(Duration::seconds(1));
    }
    let before = sale.stripe.requests();
    assert_eq!(ada.post(&capture, json!({})).await.status, 503);
    assert_eq!(
        sale.stripe.requests(),
        before,
        "the breaker is open: nobody is asked"
    );
    assert_eq!(sale.status(&ada, &checkout).await, "pending");
}
