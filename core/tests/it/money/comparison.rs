//! What no webhook told is found by comparing.

use chrono::Duration;
use serde_json::json;

use crate::world::replies::Comparison;
use crate::world::sale::{Sale, euro, organiser, seat};

/// C06, C07, C20: an endpoint that the provider has switched off tells nothing for days.
#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_finds_what_no_webhook_told() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (returned, _) = sale.bought(&ada, seat("A-1")).await;
    let (elsewhere, _) = sale.bought(&ada, seat("A-2")).await;
    let (disputed, _) = sale.bought(&ada, seat("A-3")).await;
    let partly = sale.check_out(&ada, seat("A-4")).await;
    sale.cancel(&ada, &returned).await;
    sale.deliver_all().await;
    sale.stripe.send_back("failed");
    sale.stripe.refund_in_dashboard(&elsewhere.secret, 3900);
    sale.stripe.dispute(&disputed.secret);
    sale.stripe
        .capture_in_dashboard(&partly.secret, Some(100), "eur");
    sale.stripe.take_events();
    assert!(sale.open_items(&sale.admin()).await.is_empty());

    assert_eq!(
        organiser(&sale.core)
            .post("/payments/comparisons", json!({}))
            .await
            .status,
        403,
        "the account is everybody's"
    );
    let started = sale.admin().post("/payments/comparisons", json!({})).await;
    let path = started.header("location").to_owned();
    let started: Comparison = started.read(202);
    assert_eq!(started.parts_left, 3);
    sale.core.settle().await;
    let done: Comparison = sale.admin().get(&path).await.read(200);
    assert_eq!((done.parts_left, done.booked), (0, 4));
    assert_eq!(done.seen, 4 + 2 + 1, "page after page");
    assert!(done.finished_at.is_some());
    let mut kinds: Vec<_> = sale
        .open_items(&organiser(&sale.core))
        .await
        .into_iter()
        .map(|item| item.kind)
        .collect();
    kinds.sort();
    let expected = [
        "amount_differs",
        "disputed",
        "refund_returned",
        "refunded_elsewhere",
    ];
    assert_eq!(kinds, expected);
    let payment = sale.payment(&sale.admin(), &elsewhere).await;
    let fact = payment.ledger.unwrap().pop().unwrap();
    assert_eq!(
        (fact.kind.as_str(), fact.learnt_by.as_str()),
        ("refunded_elsewhere", "comparison")
    );
    assert_eq!(payment.sums.unwrap().refunded_elsewhere, euro("39.00"));

    // A second one finds nothing new, and the webhooks that come after all change nothing.
    let again = sale.admin().post("/payments/comparisons", json!({})).await;
    let path = again.header("location").to_owned();
    sale.core.settle().await;
    let again: Comparison = sale.admin().get(&path).await.read(200);
    assert_eq!((again.parts_left, again.booked), (0, 0));
}

/// Once a day, by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_begins_every_day() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.dispute(&checkout.secret);
    sale.stripe.take_events();
    let compare = async || sale.core.run_job("payment", "compare_with_provider").await;
    compare().await;
    assert!(sale.open_items(&sale.admin()).await.is_empty(), "not yet");
    sale.core.advance(Duration::hours(24));
    compare().await;
    assert_eq!(sale.open_item().await.kind, "disputed");
    sale.stripe.close_dispute("won");
    sale.stripe.take_events();
    sale.core.advance(Duration::hours(23));
    compare().await;
    assert_eq!(sale.open_item().await.kind, "disputed", "not before a day");
    sale.core.advance(Duration::hours(1));
    compare().await;
    assert!(sale.open_items(&sale.admin()).await.is_empty());
}

/// S17: an old dispute is unknown in the account that is attached now. Others are found all the same, and no
/// second comparison begins beside one that hangs.
#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_of_another_account_stops_no_comparison() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (old, _) = sale.bought(&ada, seat("A-1")).await;
    let (new, _) = sale.bought(&ada, seat("A-2")).await;
    sale.stripe.dispute(&old.secret);
    sale.deliver_all().await;
    sale.stripe.forget_first_dispute();
    sale.stripe.dispute(&new.secret);
    sale.stripe.take_events();
    let admin = sale.admin();
    let started = admin.post("/payments/comparisons", json!({})).await;
    let path = started.header("location").to_owned();
    sale.core.settle().await;
    let done: Comparison = admin.get(&path).await.read(200);
    assert_eq!((done.parts_left, done.booked), (0, 1), "the new dispute");
    let alarms = sale.alarm_codes().await;
    assert!(
        alarms.contains(&"payment.dispute_missing".to_owned()),
        "{alarms:?}"
    );

    sale.stripe.is_strange(Some((404, "resource_missing")));
    let compare = async || sale.core.run_job("payment", "compare_with_provider").await;
    let unfinished = "payment.comparison_unfinished".to_owned();
    sale.core.advance(Duration::hours(24));
    compare().await;
    assert!(!sale.alarm_codes().await.contains(&unfinished), "it began");
    sale.core.advance(Duration::hours(24));
    compare().await;
    assert!(sale.alarm_codes().await.contains(&unfinished));
    let mut conn = sale.core.app().db.read("payment").await.unwrap();
    let open = "select count(*) from payment.comparisons where finished_at is null";
    let open: i64 = sqlx::query_scalar(open)
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(open, 1, "none beside it");
    drop(conn);
    sale.stripe.is_strange(None);
    sale.core.advance(Duration::minutes(6));
    sale.core.run_job("payment", "compare_pages").await;
    compare().await;
    assert!(!sale.alarm_codes().await.contains(&unfinished));
}
