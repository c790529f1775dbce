//! A refund that the provider refuses is no dead end.

use eventify_contracts::ticketing::TicketIssueFailed;
use eventify_kernel::cause::Cause;
use serde_json::{Value, json};

use crate::world::replies::{OpenItem, Page};
use crate::world::sale::{SEATS, Sale, organiser, seat};

/// A refused refund of a paid order.
async fn refused(sale: &Sale) -> crate::world::sale::Checkout {
    let ada = sale.buyer("ada");
    let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.refuse_refunds();
    sale.refund(&checkout, &tickets).await;
    sale.deliver_all().await;
    let order = sale.order(&ada, &checkout).await;
    let refund = &order.refunds()[0];
    assert_eq!(refund.status, "parked");
    let reason = refund.failure_reason.as_deref();
    assert_eq!(
        reason,
        Some("charge_already_refunded"),
        "the order says why"
    );
    assert_eq!(sale.alarm_codes().await, ["payment.refund_refused"]);
    checkout
}

/// D 1: paid back by hand, with a reference; the order learns of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_refund_can_be_paid_back_otherwise() {
    let sale = Sale::open().await;
    let (ada, checkout) = (sale.buyer("ada"), refused(&sale).await);
    let item = sale.open_item().await;
    assert_eq!(item.acts, ["retry", "pay-otherwise", "accept"]);
    let path = format!("/payments/open-items/{}", item.item_id);
    let organiser = organiser(&sale.core);
    let without = organiser
        .post(&format!("{path}/pay-otherwise"), json!({}))
        .await;
    without.assert_refused(400, "validation_error");
    let wrong = organiser.post(&format!("{path}/revoke"), json!({})).await;
    let refused = wrong.error();
    assert_eq!(refused.code, "act_not_allowed");
    let allowed: Vec<_> = refused.details.iter().map(|it| it.issue.as_str()).collect();
    assert_eq!(allowed, item.acts);
    assert_eq!(ada.get(&path).await.status, 403);

    let paid = json!({ "reference": "transfer 4711" });
    let key = sale.core.clock.new_id().to_string();
    let path = format!("{path}/pay-otherwise");
    let first = organiser.post_with_key(&path, &key, paid.clone()).await;
    let first: OpenItem = first.read(200);
    let again = organiser.post_with_key(&path, &key, paid.clone()).await;
    assert_eq!(again.read::<OpenItem>(200), first);
    assert_eq!(first.state, "done");
    assert_eq!(organiser.post(&path, paid).await.code(), "open_item_done");
    sale.deliver_all().await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(order.status, "refunded");
    let refund = &order.refunds()[0];
    let how = (refund.settled_by.as_deref(), refund.reference.as_deref());
    assert_eq!(how, (Some("hand"), Some("transfer 4711")));
    assert_eq!(sale.stripe.sent_back(), (0, 0));
    assert_eq!(sale.free().await.0, SEATS);
    assert!(sale.alarm_codes().await.is_empty());
    let all = organiser
        .get("/payments/open-items?state=all&kind=refund_refused")
        .await;
    assert_eq!(all.read::<Page<OpenItem>>(200).items, [first]);
    let unknown = organiser.get("/payments/open-items?kind=storm").await;
    assert!(unknown.error().message.contains("refund_returned"));
}

/// D 1: tried again after the cause is corrected.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_refund_can_be_tried_again() {
    let sale = Sale::open().await;
    let (ada, checkout) = (sale.buyer("ada"), refused(&sale).await);
    sale.decide("retry", json!({})).await.expect(200);
    sale.deliver_all().await;
    assert_eq!(
        sale.open_item().await.kind,
        "refund_refused",
        "refused again"
    );
    sale.stripe.make_refunds();
    sale.decide("retry", json!({})).await.expect(200);
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
    assert_eq!(sale.stripe.sent_back(), (3900, 1));
    assert!(sale.alarm_codes().await.is_empty());
}

/// D 1: nothing goes back, and the ticket keeps its value.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_refund_that_is_given_up_leaves_the_ticket_its_value() {
    let sale = Sale::open().await;
    let (ada, checkout) = (sale.buyer("ada"), refused(&sale).await);
    let bound = sale.order(&ada, &checkout).await;
    assert!(
        bound.tickets()[0].refund_id.is_some(),
        "until it is decided"
    );
    sale.decide("accept", json!({})).await.expect(200);
    sale.deliver_all().await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(order.status, "paid");
    assert_eq!(order.refunds()[0].status, "failed");
    assert_eq!(order.tickets()[0].refund_id, None);
    assert!(sale.alarm_codes().await.is_empty());
}

/// D 1: an order that gets no tickets, and whose money the provider doesn't send back.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_without_tickets_whose_refund_is_refused_is_no_dead_end() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.refuse_refunds();
    let failed = TicketIssueFailed {
        order_id: checkout.order,
        reason: "key_missing".to_owned(),
    };
    let app = sale.core.app();
    let cause = Cause::fresh(&sale.core.clock);
    let mut tx = app.db.begin("ticketing", &cause).await.unwrap();
    tx.publish(sale.core.clock.new_id(), 1, &failed);
    tx.commit().await.unwrap();
    sale.deliver_all().await;
    let item = sale.open_item().await;
    assert_eq!(
        item.acts,
        ["retry", "pay-otherwise"],
        "the guest has nothing else"
    );
    let paid = json!({ "reference": "cash, receipt 12" });
    sale.decide("pay-otherwise", paid).await.expect(200);
    sale.deliver_all().await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(order.status, "refunded");
    assert_eq!(order.refunds()[0].reason, "ticket_issue_failed");
}

/// Facts are added and never changed, whoever tries.
#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_append_only() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    sale.bought(&ada, seat("A-1")).await;
    let mut conn = sale.core.app().db.read("payment").await.unwrap();
    for statement in ["update ledger set amount = 1", "delete from ledger"] {
        let refused = sqlx::query(statement).execute(&mut *conn).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
    let kinds: Vec<String> = sqlx::query_scalar("select kind from ledger")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    assert_eq!(kinds, ["captured"]);
    let details: Vec<Value> = sqlx::query_scalar("select details from standing_alarms")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    assert!(details.is_empty(), "{details:?}");
}
