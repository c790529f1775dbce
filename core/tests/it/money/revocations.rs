//! A decision to revoke is no wish: its item stays open until the tickets are revoked.

use eventify_kernel::bus::dead_letters;
use serde_json::json;
use sqlx::Connection;
use uuid::Uuid;

use crate::world::replies::{OpenItem, Page, Ticket};
use crate::world::sale::{Checkout, Sale, organiser, seat};
use crate::world::until;

/// Ticketing doesn't know the performance, so that tickets are late; or knows it again.
async fn tickets_are_late(sale: &Sale, late: bool) {
    let away = Uuid::from_u128(7);
    let (from, to) = match late {
        true => (sale.performance.as_uuid(), away),
        false => (away, sale.performance.as_uuid()),
    };
    let mut conn = sale.core.app().db.read("ticketing").await.unwrap();
    let statement =
        "update ticketing.performances set performance_id = $2 where performance_id = $1";
    let moved = sqlx::query(statement).bind(from).bind(to);
    let moved = moved.execute(&mut *conn).await.unwrap();
    assert_eq!(moved.rows_affected(), 1);
    drop(conn);
    if !late {
        sale.core.run_job("ticketing", "issue_missing").await;
        sale.deliver_all().await;
    }
}

async fn paid_without_tickets(sale: &Sale) -> Checkout {
    let ada = sale.buyer("ada");
    tickets_are_late(sale, true).await;
    let checkout = sale.check_out(&ada, seat("A-1")).await;
    sale.pay(&checkout).await;
    let order = sale.order(&ada, &checkout).await;
    assert_eq!((order.status.as_str(), order.tickets().len()), ("paid", 0));
    checkout
}

/// C06, C20: the money is gone a minute after the sale, and the tickets are late.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_before_the_tickets_exist_stands_until_they_are_revoked() {
    for kind in ["refunded_elsewhere", "disputed"] {
        let sale = Sale::open().await;
        let ada = sale.buyer("ada");
        let checkout = paid_without_tickets(&sale).await;
        match kind {
            "disputed" => sale.stripe.dispute(&checkout.secret),
            _ => drop(sale.stripe.refund_in_dashboard(&checkout.secret, 3900)),
        }
        sale.deliver_all().await;
        let decided: OpenItem = sale.decide("revoke", json!({})).await.read(200);
        assert_eq!(
            (decided.kind.as_str(), decided.state.as_str()),
            (kind, "revoking")
        );
        assert_eq!(decided.act.as_deref(), Some("revoke"));
        sale.deliver_all().await;
        assert_eq!(sale.open_item().await, decided, "nobody has done it");
        assert_eq!(sale.alarm_codes().await, [format!("payment.{kind}")]);
        let again = sale.decide("accept", json!({})).await;
        assert_eq!(again.code(), "act_not_allowed", "it may still be done");

        tickets_are_late(&sale, false).await;
        let order = sale.order(&ada, &checkout).await;
        let path = format!("/tickets/{}", order.tickets()[0].ticket_id);
        let ticket: Ticket = ada.get(&path).await.read(200);
        assert_eq!(ticket.status, "revoked", "{kind}");
        assert!(sale.alarm_codes().await.is_empty(), "{kind}");
        let organiser = organiser(&sale.core);
        let all = organiser.get("/payments/open-items?state=all").await;
        let done = all.read::<Page<OpenItem>>(200).items.remove(0);
        assert_eq!(
            (done.state.as_str(), done.act.as_deref()),
            ("done", Some("revoke"))
        );
        assert_eq!(done.acted_by, decided.acted_by, "the organiser");
    }
}

/// C06: the named ticket belongs to another refund. If payment knows that, it says so; if order alone knows
/// it, the decision is open again.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_order_refuses_is_open_again() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let two = json!([{ "bucketId": sale.floor, "qty": 2 }]);
    let (checkout, tickets) = sale.bought(&ada, two).await;
    sale.stripe.hold_refunds();
    sale.refund(&checkout, &tickets[..1]).await;
    sale.deliver_all().await;
    sale.stripe.refund_in_dashboard(&checkout.secret, 2500);
    sale.deliver_all().await;
    let taken = json!({ "ticketIds": [tickets[0]] });
    let taken = sale.decide("revoke", taken).await;
    taken.assert_refused(409, "ticket_in_refund");

    // A refund of which payment has not heard.
    let mut conn = sale.core.app().db.read("order").await.unwrap();
    let unseen = r#"with unseen as (
             insert into "order".order_refunds (refund_id, order_id, status, currency, amount, reason,
                 created_at, updated_at)
             values ($1, $2, 'requested', 'EUR', 25, 'user_request', now(), now()))
         update "order".order_tickets set refund_id = $1 where ticket_id = $3"#;
    let seen = r#"update "order".order_tickets set refund_id = null where refund_id = $1"#;
    let refund = sale.core.clock.new_id();
    let begun = sqlx::query(unseen).bind(refund).bind(checkout.order);
    let begun = begun.bind(tickets[1]).execute(&mut *conn).await.unwrap();
    assert_eq!(begun.rows_affected(), 1);
    let other = json!({ "ticketIds": [tickets[1]] });
    sale.decide("revoke", other.clone()).await.expect(200);
    sale.core.settle().await;
    let item = sale.open_item().await;
    assert_eq!(item.state, "open");
    assert_eq!(item.refused_because.as_deref(), Some("already_refunded"));
    assert_eq!(item.acts, ["revoke", "accept"]);
    assert_eq!(sale.alarm_codes().await, ["payment.refunded_elsewhere"]);

    sqlx::query(seen)
        .bind(refund)
        .execute(&mut *conn)
        .await
        .unwrap();
    drop(conn);
    sale.decide("revoke", other).await.expect(200);
    sale.deliver_all().await;
    assert!(sale.open_items(&sale.admin()).await.is_empty());
    let ticket = ada.get(&format!("/tickets/{}", tickets[1])).await;
    assert_eq!(ticket.read::<Ticket>(200).status, "revoked");
    sale.stripe.finish_refunds();
    sale.deliver_all().await;
    assert_eq!(sale.status(&ada, &checkout).await, "refunded");
    assert_eq!(sale.stripe.sent_back(), (5000, 2));
}

/// C06: the message was lost. Nobody can accept what order may still do, but the decision can be repeated.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_nobody_answers_can_be_decided_again() {
    let sale = Sale::open().await;
    let checkout = paid_without_tickets(&sale).await;
    sale.stripe.refund_in_dashboard(&checkout.secret, 3900);
    sale.deliver_all().await;
    sale.decide("revoke", json!({})).await.expect(200);
    sale.core.settle().await;
    assert!(sale.open_item().await.acts.is_empty());
    sale.core.advance(chrono::Duration::minutes(15));
    assert_eq!(sale.open_item().await.acts, ["revoke"]);
    sale.decide("revoke", json!({})).await.expect(200);
    tickets_are_late(&sale, false).await;
    assert!(sale.open_items(&sale.admin()).await.is_empty());
}

/// C06: payment has heard of the tickets, and order not yet. What was decided is tried again, not dropped.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_is_faster_than_the_tickets_is_not_dropped() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, tickets) = sale.bought(&ada, seat("A-1")).await;
    sale.stripe.refund_in_dashboard(&checkout.secret, 3900);
    sale.deliver_all().await;
    let mut conn = sqlx::PgConnection::connect(sale.core.scope.database.url())
        .await
        .unwrap();
    let away = r#"create table kept as select * from "order".order_tickets;
        delete from "order".order_tickets"#;
    sqlx::raw_sql(away).execute(&mut conn).await.unwrap();
    sale.decide("revoke", json!({})).await.expect(200);
    let bus = &sale.core.app().bus;
    until("order has tried it often enough", async || {
        dead_letters::count(bus, "order").await.unwrap() == 1
    })
    .await;
    let back = r#"insert into "order".order_tickets select * from kept"#;
    sqlx::raw_sql(back).execute(&mut conn).await.unwrap();
    dead_letters::replay(bus, "order", 10).await.unwrap();
    sale.deliver_all().await;
    let ticket = ada.get(&format!("/tickets/{}", tickets[0])).await;
    assert_eq!(ticket.read::<Ticket>(200).status, "revoked");
    assert!(sale.open_items(&sale.admin()).await.is_empty());
}
