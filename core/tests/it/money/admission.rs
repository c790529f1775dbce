//! Refund and admission see each other, from the shop's side.

use chrono::Duration;
use eventify_kernel::bus::dead_letters;
use eventify_kernel::jobs::run_now;
use serde_json::json;
use sqlx::Connection;

use crate::world::replies::{Payment, RefundStarted, Ticket};
use crate::world::sale::{Sale, euro, organiser, seat};
use crate::world::until;

/// C05: the provider refuses, and until somebody has decided the ticket admits nobody; then it is good.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_admits_nobody_until_it_is_decided_that_nothing_goes_back() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.refuse_refunds();
    sale.core.advance(Duration::hours(71));
    sale.refund(&checkout, &tickets).await;
    sale.deliver_all().await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(order.refunds()[0].status, "parked");
    let path = format!("/tickets/{}", tickets[0]);
    let ticket: Ticket = ada.get(&path).await.read(200);
    assert_eq!(ticket.status, "suspended");
    let refused = sale.check_in(tickets[0]).await;
    refused.assert_refused(409, "ticket_revoked");

    sale.decide("accept", json!({})).await.expect(200);
    sale.deliver_all().await;
    let ticket: Ticket = ada.get(&path).await.read(200);
    assert_eq!(ticket.status, "valid", "nothing went back");
    // What was asked for once more meanwhile, or is replayed by somebody, comes too late.
    let late = eventify_contracts::order::OrderRefundOpened {
        order_id: checkout.order,
        refund_id: order.refunds()[0].refund_id,
        ticket_ids: tickets.clone(),
        reason: eventify_contracts::order::RefundReason::OrganiserDecision,
    };
    let app = sale.core.app();
    let cause = eventify_kernel::cause::Cause::fresh(&sale.core.clock);
    let mut tx = app.db.begin("order", &cause).await.unwrap();
    tx.publish(sale.core.clock.new_id(), 9, &late);
    tx.commit().await.unwrap();
    sale.core.settle().await;
    let ticket: Ticket = ada.get(&path).await.read(200);
    assert_eq!(ticket.status, "valid", "and suspends nobody");
    sale.check_in(tickets[0]).await.expect(200);
    assert_eq!(sale.stripe.sent_back(), (0, 0));
}

/// S7: the doors were open, somebody is inside, and then the show is postponed: who was admitted gives
/// nothing back by a click. The organiser may still pay.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_admitted_before_the_show_was_postponed_gives_nothing_back() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let two = json!([{ "bucketId": sale.floor, "qty": 2 }]);
    let (checkout, tickets) = sale.bought(&ada, two).await;
    sale.core.advance(Duration::hours(71));
    sale.check_in(tickets[0]).await.expect(200);
    sale.reschedule(Duration::days(7)).await;
    sale.core.settle().await;
    let path = format!("/orders/{}/cancel", checkout.order);
    let named = json!({ "ticketIds": [tickets[0]] });
    let refused = ada.post(&path, named).await;
    refused.assert_refused(409, "ticket_used");
    let started: RefundStarted = ada.post(&path, json!({})).await.read(202);
    assert_eq!(started.ticket_ids, [tickets[1]]);
    assert_eq!(started.amount, euro("25.00"));
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "partially_refunded");
    assert_eq!(sale.stripe.refunded(), 2500);
    sale.refund(&checkout, &tickets[..1]).await;
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
}

/// S7: the camp site opens two days before the first concert.
#[tokio::test(flavor = "multi_thread")]
async fn the_time_to_give_back_ends_a_day_before_the_doors_open() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    let path = format!("/events/{}/performances/{}", sale.event, sale.performance);
    let organiser = organiser(&sale.core);
    let planned = organiser.get(&path).await.expect(200);
    let start: chrono::DateTime<chrono::Utc> = planned["startTime"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a time");
    let times = json!({ "startTime": start, "doorsAt": start - Duration::days(2) });
    let request = organiser.request(reqwest::Method::PUT, &path);
    let request = request.header("If-Match", "*").json(&times);
    crate::world::send(request).await.expect(200);
    sale.core.settle().await;
    sale.core.advance(Duration::hours(1));
    let path = format!("/orders/{}/cancel", checkout.order);
    let late = ada.post(&path, json!({})).await;
    late.assert_refused(422, "refund_window_closed");
    assert_eq!(sale.stripe.refunded(), 0);
}

/// C05: a scan and a cancel meet. Whoever has the ticket first wins, and nobody gets both.
#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_was_first_keeps_the_money_here() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let two = json!([{ "bucketId": sale.floor, "qty": 2 }]);
    let (checkout, tickets) = sale.bought(&ada, two).await;
    sale.core.advance(Duration::hours(46));
    let mut scan = sqlx::PgConnection::connect(sale.core.scope.database.url())
        .await
        .unwrap();
    let begin = "begin; select from ticketing.tickets order by ticket_id for update";
    sqlx::raw_sql(begin).execute(&mut scan).await.unwrap();
    // The cancel looks, sees a good ticket, and its refund waits for the scan's lock.
    let started = sale.cancel(&ada, &checkout).await;
    assert_eq!(started.ticket_ids.len(), 2);
    until("the refund waits for the scan", async || {
        let waiting: i64 = sqlx::query_scalar("select count(*) from pg_locks where not granted")
            .fetch_one(&mut scan)
            .await
            .unwrap();
        waiting > 0
    })
    .await;
    sqlx::query(
        "insert into ticketing.checkins (checkin_id, ticket_id, passage, scan_id, gate_id,
             earliest, latest, evidence)
         select $1, ticket_id, passage, $1, $1, 0, 0, 'api' from ticketing.tickets
         where ticket_id = $2",
    )
    .bind(sale.core.clock.new_id())
    .bind(tickets[0])
    .execute(&mut scan)
    .await
    .unwrap();
    sqlx::raw_sql("commit").execute(&mut scan).await.unwrap();
    sale.deliver_all().await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!(order.status, "partially_refunded");
    assert_eq!(order.refunds()[0].amount, euro("25.00"), "of one ticket");
    assert_eq!(sale.stripe.refunded(), 2500);
    let used: Ticket = ada.get(&format!("/tickets/{}", tickets[0])).await.read(200);
    assert_eq!(used.status, "used");

    // Nothing is left that may be given back.
    let path = format!("/orders/{}/cancel", checkout.order);
    let refused = ada.post(&path, json!({})).await;
    refused.assert_refused(409, "ticket_used");
}

/// The message with which ticketing suspends was lost: somebody is told, and it is asked for again.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_suspension_was_lost_goes_on() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
    let mut conn = sale.core.app().db.read("order").await.unwrap();
    let refund = sale.core.clock.new_id();
    sqlx::query(
        "insert into order_refunds (refund_id, order_id, status, currency, amount, reason, created_at,
             updated_at)
         values ($1, $2, 'opened', 'EUR', 39, 'user_request', $3, $3)",
    )
    .bind(refund)
    .bind(checkout.order)
    .bind(sale.core.clock.now())
    .execute(&mut *conn)
    .await
    .unwrap();
    sqlx::query("update order_tickets set refund_id = $1 where ticket_id = $2")
        .bind(refund)
        .bind(tickets[0])
        .execute(&mut *conn)
        .await
        .unwrap();
    drop(conn);
    sale.core.run_job("order", "reopen_refunds").await;
    assert!(sale.alarm_codes().await.is_empty(), "it may be on its way");
    sale.core.advance(Duration::minutes(11));
    let mut conn = sale.core.app().db.read("order").await.unwrap();
    sqlx::query("update order_refunds set updated_at = $1")
        .bind(sale.core.clock.now())
        .execute(&mut *conn)
        .await
        .unwrap();
    drop(conn);
    sale.core.run_job("order", "reopen_refunds").await;
    let stuck = ["order.refunds_stuck"];
    assert_eq!(sale.alarm_codes().await, stuck, "it was asked for just now");
    sale.core.advance(Duration::minutes(11));
    sale.core.run_job("order", "reopen_refunds").await;
    assert_eq!(sale.alarm_codes().await, stuck);
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
    assert_eq!(sale.stripe.sent_back(), (3900, 1));
    sale.core.run_job("order", "reopen_refunds").await;
    assert!(sale.alarm_codes().await.is_empty());
}

/// What is parked is an alarm with what to do, and it ends when somebody has done it.
#[tokio::test(flavor = "multi_thread")]
async fn a_parked_message_is_an_alarm_until_it_is_replayed() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    let lost = eventify_contracts::ticketing::TicketsSuspended {
        order_id: checkout.order,
        refund_id: sale.core.clock.new_id().into(),
        tickets: Vec::new(),
        refused: Vec::new(),
    };
    let app = sale.core.app();
    let cause = eventify_kernel::cause::Cause::fresh(&sale.core.clock);
    let mut tx = app.db.begin("ticketing", &cause).await.unwrap();
    tx.publish(sale.core.clock.new_id(), 1, &lost);
    tx.commit().await.unwrap();
    until("the message is parked", async || {
        dead_letters::count(&app.bus, "order").await.unwrap() == 1
    })
    .await;
    sale.core.leave_unsettled();
    run_now(app, "catalogue", "watch_parked_work")
        .await
        .unwrap();
    let alarms = sale.alarms().await;
    let [(code, act)] = &alarms[..] else {
        panic!("{alarms:?}")
    };
    assert_eq!(code, "bus.messages_parked");
    assert!(act.contains("eventify-core dlq replay"), "{act}");

    let mut conn = app.db.read("order").await.unwrap();
    sqlx::query(
        "insert into order_refunds (refund_id, order_id, status, currency, amount, reason, created_at,
             updated_at)
         values ($1, $2, 'failed', 'EUR', 39, 'user_request', now(), now())",
    )
    .bind(lost.refund_id)
    .bind(checkout.order)
    .execute(&mut *conn)
    .await
    .unwrap();
    drop(conn);
    dead_letters::replay(&app.bus, "order", 10).await.unwrap();
    run_now(app, "catalogue", "watch_parked_work")
        .await
        .unwrap();
    assert!(sale.alarms().await.is_empty());
}

/// Of the refunds that stand, one can't be read. The guests of the others don't wait for its repair.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_cannot_be_read_holds_up_no_other() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (broken, _) = sale.bought(&ada, seat("A-1")).await;
    let (good, tickets) = sale.bought(&ada, seat("A-2")).await;
    let mut conn = sale.core.app().db.read("order").await.unwrap();
    let [first, second] = [(); 2].map(|()| sale.core.clock.new_id());
    let began = sale.core.clock.now() - Duration::minutes(11);
    let refunds = [
        (first, broken.order, "of_no_reason"),
        (second, good.order, "user_request"),
    ];
    for (age, (refund, order, reason)) in (0..).zip(refunds) {
        sqlx::query(
            "insert into order_refunds (refund_id, order_id, status, currency, amount, reason,
                 created_at, updated_at)
             values ($1, $2, 'opened', 'EUR', 39, $3, $4, $4)",
        )
        .bind(refund)
        .bind(order)
        .bind(reason)
        .bind(began + Duration::seconds(age))
        .execute(&mut *conn)
        .await
        .unwrap();
    }
    sqlx::query("update order_tickets set refund_id = $1 where ticket_id = $2")
        .bind(second)
        .bind(tickets[0])
        .execute(&mut *conn)
        .await
        .unwrap();
    drop(conn);
    let asked = run_now(sale.core.app(), "order", "reopen_refunds").await;
    assert!(asked.is_err(), "somebody has to look at the other one");
    sale.deliver_all().await;
    let order = format!("/payments/{}", good.payment);
    let payment: Payment = ada.get(&order).await.read(200);
    assert_eq!(payment.status, "refunded");
}
