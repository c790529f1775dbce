//! A restored database has forgotten payments whose money is at the provider.

use chrono::Duration;
use serde_json::{Value, json};
use sqlx::Connection;

use crate::world::replies::{Comparison, OpenItem, Page};
use crate::world::sale::stripe::Card;
use crate::world::sale::{Checkout, Sale, euro, organiser, seat};

/// The database as it was before anybody bought.
async fn restore(sale: &Sale) {
    let mut conn = sqlx::PgConnection::connect(sale.core.scope.database.url())
        .await
        .unwrap();
    let tables = r#"truncate payment.payments, payment.refunds, payment.ledger, payment.organisers,
        payment.issued_tickets, payment.open_items, payment.psp_events, payment.ended_orders,
        payment.standing_alarms, "order".orders, "order".order_items, "order".order_tickets,
        "order".order_refunds, "order".guest_names"#;
    sqlx::query(tables).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

async fn compare(sale: &Sale) -> Comparison {
    let started = sale.admin().post("/payments/comparisons", json!({})).await;
    let path = started.header("location").to_owned();
    sale.core.settle().await;
    sale.admin().get(&path).await.read(200)
}

/// What administrators see of an order's money, and how it is.
async fn of_order(sale: &Sale, checkout: &Checkout) -> Vec<OpenItem> {
    let path = format!("/payments/open-items?orderId={}", checkout.order);
    let page = sale.admin().get(&path).await;
    page.read::<Page<OpenItem>>(200).items
}

async fn decide(sale: &Sale, item: &OpenItem, act: &str, body: Value) -> OpenItem {
    let path = format!("/payments/open-items/{}/{act}", item.item_id);
    let decided = sale.admin().post(&path, body).await.read(200);
    sale.core.settle().await;
    decided
}

fn said(items: &[OpenItem]) -> Vec<(&str, &str)> {
    items
        .iter()
        .map(|it| (it.kind.as_str(), it.reason.as_str()))
        .collect()
}

/// The kind of C06: what was paid since the backup is gone here, and captured or authorised there. The
/// provider also serves a shop of others, and another system like this one: theirs is nobody's concern (C02).
#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_the_comparison_names_the_money_of_orders_that_are_gone() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (captured, _) = sale.bought(&ada, seat("A-1")).await;
    let (refunded, tickets) = sale.bought(&ada, seat("A-2")).await;
    sale.refund(&refunded, &tickets).await;
    sale.deliver_all().await;
    let authorised = sale.check_out(&ada, seat("A-3")).await;
    sale.stripe.pay(&authorised.secret, Card::Good);
    let unpaid = sale.check_out(&ada, seat("A-4")).await;
    let of_another = json!({ "payment_id": captured.payment, "order_id": captured.order,
        "installation": sale.core.clock.new_id() });
    for metadata in [json!({ "order": "4711" }), of_another] {
        sale.stripe.sell_elsewhere(6600, &metadata);
    }
    restore(&sale).await;
    sale.stripe.take_events();

    let done = compare(&sale).await;
    assert_eq!((done.parts_left, done.seen), (0, 6 + 1));
    let found = of_order(&sale, &captured).await;
    assert_eq!(said(&found), [("unknown_payment", "captured")]);
    assert_eq!(
        (found[0].amount, found[0].payment_id),
        (euro("39.00"), captured.payment)
    );
    assert_eq!(captured.secret, format!("{}_secret", found[0].subject));
    assert_eq!(found[0].acts, ["retry", "accept", "pay-otherwise"]);
    let found = of_order(&sale, &authorised).await;
    assert_eq!(said(&found), [("unknown_payment", "authorised")]);
    for gone in [&refunded, &unpaid] {
        assert!(of_order(&sale, gone).await.is_empty(), "no money is left");
    }
    assert_eq!(sale.alarm_codes().await, ["payment.unknown_object"; 2]);
    assert!(
        sale.open_items(&organiser(&sale.core)).await.is_empty(),
        "nobody knows whose show it was"
    );
    compare(&sale).await;
    assert_eq!(sale.open_items(&sale.admin()).await.len(), 2, "once each");
}

/// The kind of C06: each such item has a way out, and what somebody has decided stays decided.
#[tokio::test(flavor = "multi_thread")]
async fn money_of_a_forgotten_order_goes_back_or_somebody_says_why_not() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (one, _) = sale.bought(&ada, seat("A-1")).await;
    let (two, _) = sale.bought(&ada, seat("A-2")).await;
    let three = sale.check_out(&ada, seat("A-3")).await;
    sale.stripe.pay(&three.secret, Card::Good);
    restore(&sale).await;
    sale.stripe.take_events();
    compare(&sale).await;

    // In part, and then the rest: the dashboard's webhooks tell it.
    sale.stripe.refund_in_dashboard(&one.secret, 1000);
    sale.deliver_all().await;
    assert_eq!(of_order(&sale, &one).await[0].amount, euro("29.00"));
    sale.stripe.refund_in_dashboard(&one.secret, 2900);
    sale.deliver_all().await;
    assert!(of_order(&sale, &one).await.is_empty());

    let item = of_order(&sale, &two).await.remove(0);
    let by_hand = json!({ "reference": "transfer 4711" });
    let done = decide(&sale, &item, "pay-otherwise", by_hand).await;
    assert_eq!(done.state, "done");
    let path = format!("/payments/open-items/{}/accept", item.item_id);
    let again = sale.admin().post(&path, json!({})).await;
    again.assert_refused(409, "open_item_done");

    let item = of_order(&sale, &three).await.remove(0);
    decide(&sale, &item, "retry", json!({})).await;
    assert_eq!(of_order(&sale, &three).await.len(), 1, "it still holds");
    decide(&sale, &item, "accept", json!({})).await;
    compare(&sale).await;
    assert!(sale.open_items(&sale.admin()).await.is_empty(), "decided");
    sale.stripe
        .capture_in_dashboard(&three.secret, Some(3900), "eur");
    sale.deliver_all().await;
    let item = of_order(&sale, &three).await.remove(0);
    assert_eq!(item.reason, "captured", "that was not decided about");
    sale.stripe.refund_in_dashboard(&three.secret, 3900);
    sale.stripe.take_events();
    decide(&sale, &item, "retry", json!({})).await;
    assert!(sale.open_items(&sale.admin()).await.is_empty());
    assert!(sale.alarm_codes().await.is_empty());
}

/// The kind of C20: the bank takes the money of a forgotten order back.
#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_about_a_forgotten_order_is_not_lost_with_it() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    restore(&sale).await;
    sale.stripe
        .dispute(&sale.stripe.sell_elsewhere(100, &json!({})));
    sale.stripe.dispute(&checkout.secret);
    sale.deliver_all().await;
    let found = of_order(&sale, &checkout).await;
    assert_eq!(said(&found), [("unknown_dispute", "disputed")]);
    assert_eq!(found[0].amount, euro("39.00"));
    assert_eq!(sale.alarm_codes().await, ["payment.unknown_object"]);
    sale.stripe.close_dispute("lost");
    sale.deliver_all().await;
    let found = of_order(&sale, &checkout).await;
    assert_eq!(said(&found), [("unknown_dispute", "dispute_lost")]);
    let refused = format!("/payments/open-items/{}/pay-otherwise", found[0].item_id);
    let twice = json!({ "reference": "transfer" });
    let twice = sale.admin().post(&refused, twice).await;
    twice.assert_refused(409, "act_not_allowed");
    sale.stripe.close_dispute("won");
    sale.deliver_all().await;
    assert!(sale.open_items(&sale.admin()).await.is_empty());
}

/// The webhooks that come after the restore find it before the comparison does.
#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_pays_for_an_order_that_a_restore_forgot_is_seen_at_once() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    restore(&sale).await;
    sale.stripe.pay(&checkout.secret, Card::Good);
    sale.deliver_all().await;
    let found = of_order(&sale, &checkout).await;
    assert_eq!(said(&found), [("unknown_payment", "authorised")]);
    sale.stripe.cancel(&checkout.secret);
    sale.deliver_all().await;
    assert!(sale.open_items(&sale.admin()).await.is_empty());
    assert!(sale.alarm_codes().await.is_empty());
}

/// A later backup is found, or the log is replayed: what has come back is no question any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_comes_back_after_all_is_over() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    let mut conn = sqlx::PgConnection::connect(sale.core.scope.database.url())
        .await
        .unwrap();
    let kept = "create table kept as select * from payment.payments";
    sqlx::raw_sql(kept).execute(&mut conn).await.unwrap();
    restore(&sale).await;
    compare(&sale).await;
    let item = of_order(&sale, &checkout).await.remove(0);
    let back = "insert into payment.payments select * from kept";
    sqlx::raw_sql(back).execute(&mut conn).await.unwrap();
    let looked = decide(&sale, &item, "retry", json!({})).await;
    assert_eq!(looked.act.as_deref(), Some("settled"));
    assert!(sale.alarm_codes().await.is_empty());
}

/// The last backup is weeks old: all that was made since is read, not only the last days.
#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_reaches_back_to_where_the_last_one_ended() {
    let sale = Sale::open().await;
    let first = compare(&sale).await;
    sale.core.advance(Duration::days(50));
    let second = compare(&sale).await;
    assert_eq!(second.since, first.until - Duration::days(35));
}
