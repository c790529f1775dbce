//! Orders: who may see them, and who may have the money back.

use chrono::Duration;
use eventify_contracts::ticketing::TicketIssueFailed;
use eventify_kernel::cause::Cause;
use eventify_kernel::jobs;
use serde_json::{Value, json};
use sqlx::Connection;

use crate::world::replies::{Order, Page, RefundStarted, Ticket};
use crate::world::sale::{FLOOR, SEATS, Sale, euro, organiser, seat};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_its_customers_own() {
    let sale = Sale::open().await;
    let (ada, eve) = (sale.buyer("ada"), sale.buyer("eve"));
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    let path = format!("/orders/{}", checkout.order);
    assert_eq!(eve.get(&path).await.status, 403);
    assert_eq!(
        eve.post(&format!("{path}/cancel"), json!({})).await.status,
        403
    );
    let body = json!({ "reservationId": checkout.reservation });
    assert_eq!(eve.post("/orders", body.clone()).await.status, 403);
    let hers: Page<Order> = eve.get("/orders").await.read(200);
    assert_eq!(hers.total, 0);
    let hers: Page<Order> = ada.get("/orders").await.read(200);
    assert_eq!(hers.items[0].order_id, checkout.order);
    let again: Order = ada.post("/orders", body).await.read(201);
    assert_eq!(again.order_id, checkout.order, "one reservation, one order");
    let wrong = json!({ "reservationId": checkout.reservation, "amount": euro("1.00") });
    assert_eq!(ada.post("/orders", wrong).await.code(), "price_mismatch");
    let nowhere = json!({ "reservationId": sale.core.clock.new_id() });
    assert_eq!(ada.post("/orders", nowhere).await.code(), "order_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_order_can_be_given_up() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    let path = format!("/orders/{}/cancel", checkout.order);
    let ended: Order = ada.post(&path, json!({})).await.read(200);
    assert_eq!(ended.status, "cancelled");
    assert_eq!(ended.cancelled_reason.as_deref(), Some("user_request"));
    sale.deliver_all().await;
    assert_eq!(sale.free().await, (SEATS, FLOOR));
    assert_eq!(sale.stripe.count("canceled"), 1);
    let again = ada.post(&path, json!({})).await;
    again.assert_refused(409, "order_state");
    assert_eq!(again.error().message, "the order is cancelled already");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_read_keeps_no_other_from_its_deadline() {
    let sale = Sale::open().await;
    let (ada, bob) = (sale.buyer("ada"), sale.buyer("bob"));
    let damaged = sale.check_out(&ada, seat("A-1")).await;
    let unpaid = sale.check_out(&bob, seat("A-2")).await;
    let app = sale.core.app();
    let mut conn = app.db.read("order").await.unwrap();
    sqlx::query("update order_items set price_category = '' where order_id = $1::uuid")
        .bind(damaged.order)
        .execute(&mut *conn)
        .await
        .unwrap();
    drop(conn);
    sale.core.advance(Duration::minutes(16));
    let failed = jobs::run_now(app, "order", "cancel_unpaid").await;
    assert!(failed.is_err(), "{failed:?}");
    assert_eq!(sale.status(&bob, &unpaid).await, "cancelled");
    sale.core.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_waits_for_an_intent_whose_answers_are_lost() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    sale.stripe.lose_answers(3);
    let cart = sale.confirmed(&ada, seat("A-1")).await;
    assert_eq!(sale.listed(&ada, cart).await.status, "processing");
    // Payment's own task asks the provider again, then order's asks payment.
    sale.core.advance(Duration::seconds(16));
    sale.core.run_job("payment", "drive_payments").await;
    sale.core.advance(Duration::seconds(2));
    sale.core.run_job("order", "request_intents").await;
    let order = sale.listed(&ada, cart).await;
    assert_eq!(
        (order.status.as_str(), sale.stripe.intents()),
        ("pending", 1)
    );
    assert!(order.payment_id.is_some(), "{order:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_gives_back_tickets_until_a_day_before() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let two = json!([{ "bucketId": sale.floor, "qty": 2 }]);
    let (checkout, tickets) = sale.bought(&ada, two).await;
    let path = format!("/orders/{}/cancel", checkout.order);
    let one = json!({ "ticketIds": [tickets[0]] });
    let started: RefundStarted = ada.post(&path, one.clone()).await.read(202);
    assert_eq!(started.amount, euro("25.00"));
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "partially_refunded");
    assert_eq!(
        sale.free().await.1,
        FLOOR - 1,
        "exactly the refunded place is free"
    );
    let again = ada.post(&path, one).await;
    again.assert_refused(409, "already_refunded");

    sale.core.advance(Duration::hours(49));
    let late = ada.post(&path, json!({})).await;
    late.assert_refused(422, "refund_window_closed");
    assert_eq!(sale.stripe.refunded(), 2500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_field_cancels_nothing() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let two = json!([{ "bucketId": sale.floor, "qty": 2 }]);
    let (checkout, tickets) = sale.bought(&ada, two).await;
    let path = format!("/orders/{}/cancel", checkout.order);
    // Read as a cancel without tickets, it would be one of the whole order.
    let mistyped = json!({ "ticketId": [tickets[0]] });
    let refused = ada.post(&path, mistyped).await;
    refused.assert_refused(400, "validation_error");
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
    for (path, body) in [
        ("/reservations", json!({ "expiresIn": 60 })),
        (
            "/orders",
            json!({ "reservationId": checkout.reservation, "total": "1" }),
        ),
        (
            "/payments/intents",
            json!({ "orderId": checkout.order, "price": "1" }),
        ),
    ] {
        let refused = ada.post(path, body).await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, "validation_error"),
            "{path}"
        );
    }
    for (path, field) in [
        ("/orders?pge=2", "pge"),
        ("/tickets?order=1", "order"),
        ("/catalog/events?citty=Lyon", "citty"),
        ("/venues?offset=20", "offset"),
    ] {
        let refused = organiser(&sale.core).role("CUSTOMER").get(path).await;
        assert_eq!(refused.status, 400, "{path}");
        let message = refused.error().message;
        assert!(
            message.contains(&format!("'{field}' is unknown; allowed: ")),
            "{message}"
        );
    }
}

/// A shop whose list was null, or empty, gave the whole order back; a scanner without a code let in.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_null_or_empty_by_mistake_cancels_nothing() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
    let cancel = format!("/orders/{}/cancel", checkout.order);
    let refund = format!("/orders/{}/refunds", checkout.order);
    let revoke = format!("/payments/open-items/{}/revoke", sale.core.clock.new_id());
    let owner = organiser(&sale.core);
    for (who, path) in [(&ada, &cancel), (&owner, &refund), (&owner, &revoke)] {
        for list in [json!(null), json!([])] {
            let refused = who.post(path, json!({ "ticketIds": list })).await;
            refused.assert_refused(400, "validation_error");
            let field = &refused.error().details[0].field;
            assert_eq!(field, "ticketIds", "{path}");
        }
    }
    let check_in = format!("/tickets/{}/check-in", tickets[0]);
    let staff = owner.clone().scope("ticket:checkin");
    let body = json!({ "gateId": sale.core.clock.new_id(), "token": null });
    let refused = staff.post(&check_in, body).await;
    refused.assert_refused(400, "validation_error");
    let message = refused.error().message;
    assert_eq!(
        message,
        "'token': must not be null; leave the field out instead"
    );
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_organiser_gives_back_at_any_time() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
    sale.core.advance(Duration::hours(71));
    let path = format!("/payments/{}/refunds", checkout.payment);
    let body = json!({ "ticketIds": tickets, "reason": "force majeure" });
    let rival = sale.core.user("rival").role("ORGANIZER");
    assert_eq!(rival.post(&path, body.clone()).await.status, 403);
    assert_eq!(ada.post(&path, body.clone()).await.status, 403);
    let foreign = json!({ "ticketIds": [sale.core.clock.new_id()], "reason": "force majeure" });
    let admin = sale.core.user("root").role("ADMIN");
    assert_eq!(admin.post(&path, foreign).await.code(), "foreign_ticket");
    let started = organiser(&sale.core).post(&path, body.clone()).await;
    let started: RefundStarted = started.read(202);
    assert_eq!(started.amount, euro("39.00"));
    assert_eq!(started.note.as_deref(), Some("force majeure"));
    assert_eq!(started.refund_status, "opened");
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
    let order = sale.order(&ada, &checkout).await;
    let refund = &order.refunds()[0];
    assert_eq!(refund.reason, "organiser_decision");
    assert_eq!(refund.note.as_deref(), Some("force majeure"));
    for kind in ["order.refund.requested", "order.refunded"] {
        let mut conn = sale.core.app().db.read("order").await.unwrap();
        let payload: Value = sqlx::query_scalar("select payload from outbox where kind = $1")
            .bind(kind)
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        assert_eq!(payload["note"], "force majeure", "{kind}");
    }
    assert_eq!(sale.free().await.0, SEATS - 1, "the gates admit already");
    let ticket = ada.get(&format!("/tickets/{}", tickets[0])).await;
    assert_eq!(ticket.read::<Ticket>(200).status, "revoked");
    let again = admin.post(&path, body).await;
    again.assert_refused(409, "already_refunded");
    let message = again.error().message;
    let first = started.refund_id.to_string();
    assert!(
        message.contains(&first) && message.contains("succeeded"),
        "{message}"
    );
    let cancel = format!("/orders/{}/cancel", checkout.order);
    let message = ada.post(&cancel, json!({})).await.error().message;
    assert_eq!(message, "the money of this order went back already");
    assert_eq!(sale.stripe.refunded(), 3900);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_performance_pays_everybody_back() {
    let sale = Sale::open().await;
    let (ada, bob) = (sale.buyer("ada"), sale.buyer("bob"));
    let (paid, _) = sale.bought(&ada, seat("A-1")).await;
    let unpaid = sale.check_out(&bob, seat("A-2")).await;
    sale.cancel_performance().await;
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &paid).await, "refunded");
    let ended = sale.order(&bob, &unpaid).await;
    assert_eq!(ended.cancelled_reason.as_deref(), Some("event_cancelled"));
    assert_eq!(sale.stripe.refunded(), 3900);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_is_refused_is_not_asked_for_without_end() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (paid, _) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.refuse_refunds();
    sale.cancel_performance().await;
    sale.deliver_all().await;
    let before = sale.stripe.requests();
    for _ in 0..3 {
        sale.tick().await;
    }
    assert_eq!(sale.stripe.requests(), before);
    // After a correction at the provider the next attempt succeeds without an operator.
    sale.stripe.make_refunds();
    sale.core.advance(chrono::Duration::minutes(61));
    sale.tick().await;
    sale.deliver_all().await;
    assert_eq!(sale.order(&ada, &paid).await.refunds().len(), 1);
    assert_eq!(sale.status(&ada, &paid).await, "refunded");
    assert_eq!(sale.stripe.refunded(), 3900);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_without_tickets_is_paid_back() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    let app = sale.core.app();
    let failed = TicketIssueFailed {
        order_id: checkout.order,
        reason: "key_missing".to_owned(),
    };
    for _ in 0..2 {
        let mut tx = app
            .db
            .begin("ticketing", &Cause::fresh(&sale.core.clock))
            .await
            .unwrap();
        tx.publish(sale.core.clock.new_id(), 1, &failed);
        tx.commit().await.unwrap();
    }
    sale.deliver_all().await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(order.status, "refunded");
    let reasons: Vec<_> = order.refunds().iter().map(|it| &it.reason).collect();
    assert_eq!(reasons, ["ticket_issue_failed"]);
    assert_eq!(sale.stripe.refunded(), 3900);
    assert_eq!(sale.free().await.0, SEATS);
}

/// Kind 9: a hundred orders that were paid in the last moment, and one that was not.
#[tokio::test(flavor = "multi_thread")]
async fn orders_whose_payment_event_is_late_hold_up_no_other() {
    let sale = Sale::open().await;
    let (ada, bob) = (sale.buyer("ada"), sale.buyer("bob"));
    let (paid, _) = sale.bought(&ada, seat("A-1")).await;
    let unpaid = sale.check_out(&bob, seat("A-2")).await;
    let mut conn = sqlx::PgConnection::connect(sale.core.scope.database.url())
        .await
        .unwrap();
    let copied = sqlx::query(
        r#"with copies as (
             insert into "order".orders
             select (jsonb_populate_record(o, jsonb_build_object('order_id', gen_random_uuid(),
                 'reservation_id', gen_random_uuid(), 'status', 'pending', 'paid_at', null))).*
             from "order".orders o cross join generate_series(1, 100) where o.order_id = $1
             returning order_id)
         insert into payment.payments
         select (jsonb_populate_record(p, jsonb_build_object('payment_id', gen_random_uuid(),
             'order_id', copies.order_id, 'provider_ref', copies.order_id::text))).*
         from payment.payments p cross join copies where p.order_id = $1"#,
    )
    .bind(paid.order)
    .execute(&mut conn)
    .await
    .unwrap();
    assert_eq!(copied.rows_affected(), 100);
    sale.core.advance(Duration::minutes(16));
    let job = jobs::run_now(sale.core.app(), "order", "cancel_unpaid");
    let done = tokio::time::timeout(std::time::Duration::from_secs(30), job).await;
    done.expect("an end").unwrap();
    assert_eq!(sale.status(&bob, &unpaid).await, "cancelled");
}

/// Part D: whoever looks at the order sees that one of its tickets opens no door any more, also where no money
/// went back.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_is_revoked_shows_so_in_its_order() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let items = json!([
        { "seatId": "A-1", "priceCategory": "FULL" }, { "seatId": "A-2", "priceCategory": "FULL" },
    ]);
    let (checkout, tickets) = sale.bought(&ada, items).await;
    let path = format!("/tickets/{}/revoke", tickets[0]);
    let body = json!({ "reason": "fraud" });
    let revoked = organiser(&sale.core).post(&path, body).await;
    revoked.expect(200);
    sale.core.settle().await;
    let order = sale.order(&ada, &checkout).await;
    let shown = order.tickets().iter();
    let shown: Vec<_> = shown
        .map(|it| (it.ticket_id, it.revoked_reason.as_deref()))
        .collect();
    assert_eq!(shown, [(tickets[0], Some("fraud")), (tickets[1], None)]);
    assert_eq!(order.status, "paid", "no money went back");
}
