//! Paid orders get their tickets, once; what becomes of tickets afterwards.

use std::collections::BTreeSet;

use chrono::Duration;
use eventify_contracts::ticketing::{TicketIssueFailed, TicketIssued, TicketRevoked, TicketState};
use eventify_kernel::fault_injection::FaultInjection;
use eventify_protocol::ids::SeatId;
use eventify_protocol::token::Parsed;
use reqwest::Method;
use serde_json::json;

use crate::ticketing::world::{ORDER, Venue};
use crate::world::house::euro;
use crate::world::replies::{IssuedTickets, Page, Ticket};
use crate::world::until;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_gets_one_ticket_for_each_seat_and_each_place_in_a_zone() {
    let venue = Venue::open().await;
    let order = venue
        .pay(vec![
            venue.seat("A-1"),
            venue.standing(3),
            venue.seat("A-2"),
        ])
        .await;
    venue.core.settle().await;
    let tickets = venue.tickets(order.order_id).await;
    assert_eq!(tickets.len(), 5);
    let shown = venue.show(tickets[0]).await;
    assert_eq!(shown.seat_label.as_deref(), Some("A-1"));
    assert_eq!(shown.unit_price, euro("49.90"));
    assert_eq!(shown.status, "valid");
    let issued = venue.published::<TicketIssued>().await;
    assert_eq!(issued.len(), 1);
    assert_eq!(issued[0].tickets.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn redelivery_and_repetition_make_the_same_tickets() {
    let venue = Venue::with_faults(FaultInjection::deliver_twice()).await;
    let order = venue.pay(vec![venue.standing(2)]).await;
    venue.publish(ORDER, 1, &order).await; // the same event in a message of its own
    venue.core.settle().await;
    let before = venue.tickets(order.order_id).await;
    assert_eq!(before.len(), 2);
    let admin = venue.core.user("root").role("ADMIN");
    let body = json!({ "orderId": order.order_id });
    let answer: IssuedTickets = admin.post("/tickets/issue", body).await.read(201);
    let again: BTreeSet<_> = answer.tickets.iter().map(|it| it.ticket_id).collect();
    assert_eq!(again, before.into_iter().collect());
    assert_eq!(venue.published::<TicketIssued>().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_see_that_tickets_are_there_and_the_holder_alone_their_codes() {
    let venue = Venue::open().await;
    let order = venue.pay(vec![venue.seat("A-1")]).await;
    venue.core.settle().await;
    let body = json!({ "orderId": order.order_id });
    let route = "/tickets/issue";
    for role in ["ADMIN", "SUPPORT"] {
        let staff = venue.core.user("root").role(role);
        let answer = staff.post(route, body.clone()).await.expect(201);
        let ticket = answer["tickets"][0].as_object().unwrap();
        let fields: Vec<_> = ticket.keys().collect();
        assert_eq!(fields, ["ticketId"], "{role}");
    }
    let ada = venue.core.user("ada").role("SUPPORT");
    let first = ada.post_with_key(route, "k1", body.clone()).await;
    let mut issued: IssuedTickets = first.clone().read(201);
    let qr = issued.tickets.remove(0).qr.unwrap();
    assert!(qr.starts_with("data:image/png;base64,"));

    // The code is not kept for the repeat: it is made again.
    let mut conn = venue.core.app().db.read("ticketing").await.unwrap();
    let kept: Vec<(Option<i16>, Option<Vec<u8>>)> = sqlx::query_as(
        "select status, body from idempotency_keys where route = 'POST /tickets/issue'",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    assert_eq!(
        kept,
        [(Some(201), None), (Some(201), None), (Some(201), None)]
    );
    let again = ada.post_with_key(route, "k1", body).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!((again.status, &again.body), (201, &first.body));
    let other = json!({ "orderId": venue.core.clock.new_id() });
    let reused = ada.post_with_key(route, "k1", other).await;
    assert_eq!(reused.code(), "idempotency_key_reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seat_has_one_ticket_that_admits() {
    let venue = Venue::open().await;
    let seat = venue.seat("A-1");
    let first = venue.pay(vec![seat.clone()]).await;
    venue.core.settle().await;
    let second = venue.pay(vec![seat.clone()]).await;
    venue.core.settle().await;
    let admin = venue.core.user("root").role("ADMIN");
    let body = json!({ "orderId": second.order_id });
    let answer = admin.post("/tickets/issue", body).await;
    answer.assert_refused(409, "tickets_not_issued");

    // Whatever a program may do, the database holds it.
    let other = venue.pay(vec![venue.seat("A-2")]).await;
    venue.core.settle().await;
    let mut conn = venue.core.app().db.read("ticketing").await.unwrap();
    let forged = sqlx::query("update tickets set seat_id = $1 where order_id = $2")
        .bind(seat.seat_id.map(SeatId::as_uuid))
        .bind(other.order_id.as_uuid())
        .execute(&mut *conn)
        .await;
    let refused = forged.unwrap_err();
    let constraint = refused.as_database_error().unwrap().constraint();
    assert_eq!(constraint, Some("tickets_one_per_seat"));

    let tickets = venue.tickets(first.order_id).await;
    venue.refund(&first, tickets, false).await;
    venue.core.run_job("ticketing", "issue_missing").await;
    assert_eq!(venue.tickets(second.order_id).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_wait_for_the_news_of_their_performance() {
    let venue = Venue::empty(FaultInjection::default()).await;
    let order = venue.pay(vec![venue.seat("A-1")]).await;
    venue.core.settle().await;
    assert!(venue.tickets(order.order_id).await.is_empty());
    let admin = venue.core.user("root").role("ADMIN");
    let body = json!({ "orderId": order.order_id });
    let answer = admin.post("/tickets/issue", body).await;
    answer.assert_refused(409, "tickets_not_issued");
    venue
        .schedule(
            venue.performance,
            venue.core.clock.now() + Duration::hours(1),
        )
        .await;
    venue.core.settle().await;
    assert_eq!(venue.tickets(order.order_id).await.len(), 1);
}

/// Kind 1: our own trouble is an outage, and sells nobody's seat to somebody else.
#[tokio::test(flavor = "multi_thread")]
async fn tickets_that_are_late_because_of_us_are_an_alarm_and_no_refund() {
    let venue = Venue::empty(FaultInjection::default()).await;
    let order = venue.pay(vec![venue.seat("A-1")]).await;
    venue.core.settle().await;
    venue.core.advance(Duration::minutes(2));
    venue.core.run_job("ticketing", "issue_missing").await;
    let late = [("ticketing.tickets_late", "performance_unknown")];
    let late = late.map(|(kind, why)| (kind.to_owned(), why.to_owned()));
    assert_eq!(venue.alarms().await, late);
    venue.core.advance(Duration::hours(5));
    venue.core.run_job("ticketing", "issue_missing").await;
    assert!(venue.published::<TicketIssueFailed>().await.is_empty());
    let begins = venue.core.clock.now() + Duration::hours(1);
    venue.schedule(venue.performance, begins).await;
    venue.core.settle().await;
    assert_eq!(venue.tickets(order.order_id).await.len(), 1);
    venue.core.run_job("ticketing", "issue_missing").await;
    assert!(venue.alarms().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_issued_fails_in_the_end() {
    let venue = Venue::empty(FaultInjection::default()).await;
    let order = venue.pay(vec![venue.seat("A-1")]).await;
    venue.core.settle().await;
    venue.core.advance(Duration::hours(23));
    venue.core.run_job("ticketing", "issue_missing").await;
    assert!(venue.published::<TicketIssueFailed>().await.is_empty());
    venue.core.advance(Duration::hours(2));
    venue.core.run_job("ticketing", "issue_missing").await;
    let failed = venue.published::<TicketIssueFailed>().await;
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].order_id, order.order_id);
    assert_eq!(failed[0].reason, "performance_unknown");
    // Its money is on the way back: tickets that come now would be worth both.
    venue
        .schedule(
            venue.performance,
            venue.core.clock.now() + Duration::hours(1),
        )
        .await;
    venue.core.settle().await;
    assert!(venue.tickets(order.order_id).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_refunded_before_its_payment_is_published_gets_no_tickets() {
    let venue = Venue::open().await;
    let order = venue.pay(vec![]).await;
    venue.core.settle().await;
    let late = eventify_contracts::order::OrderPaid {
        order_id: venue.core.clock.new_id().into(),
        items: vec![venue.seat("A-1")],
        ..order
    };
    venue.refund(&late, vec![], false).await;
    venue.publish(ORDER, 1, &late).await;
    venue.core.settle().await;
    assert!(venue.tickets(late.order_id).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_revokes_exactly_the_tickets_that_it_names() {
    let venue = Venue::open().await;
    let order = venue.pay(vec![venue.standing(3)]).await;
    venue.core.settle().await;
    let tickets = venue.tickets(order.order_id).await;
    venue.refund(&order, vec![tickets[1]], true).await;
    venue.refund(&order, vec![tickets[1]], true).await;
    let revoked = venue.show(tickets[1]).await;
    assert_eq!(revoked.status, "revoked");
    assert_eq!(revoked.revoked_reason.as_deref(), Some("refund"));
    for kept in [tickets[0], tickets[2]] {
        assert_eq!(venue.show(kept).await.status, "valid");
    }
    assert_eq!(venue.published::<TicketRevoked>().await.len(), 1);
    assert_eq!(
        venue.published_facts(tickets[1]).await.state,
        TicketState::Revoked
    );
    let ada = venue.core.user("ada").role("CUSTOMER");
    let answer = ada.get(&format!("/tickets/{}/token", tickets[1])).await;
    answer.assert_refused(410, "ticket_revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_the_holders_alone() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let claims = *Parsed::read(&token).unwrap().unverified_claims();
    assert_eq!(
        (claims.ticket, claims.performance),
        (ticket, venue.performance)
    );
    let ada = venue.core.user("ada").role("CUSTOMER");
    for (path, kind, begin) in [
        ("qr.png", "image/png", b"\x89PNG".as_slice()),
        ("qr.svg", "image/svg+xml", b"<svg".as_slice()),
    ] {
        let request = ada.request(Method::GET, &format!("/tickets/{ticket}/{path}"));
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], kind);
        assert_eq!(response.headers()["cache-control"], "private, no-store");
        assert!(response.bytes().await.unwrap().starts_with(begin));
    }
    for role in ["CUSTOMER", "ADMIN"] {
        let other = venue.core.user("eve").role(role);
        for path in ["token", "qr.png", "qr.svg"] {
            let answer = other.get(&format!("/tickets/{ticket}/{path}")).await;
            assert_eq!(
                (answer.status, answer.code()),
                (403, "forbidden"),
                "{role} {path}"
            );
        }
    }
    let eve = venue.core.user("eve").role("CUSTOMER");
    assert_eq!(eve.get(&format!("/tickets/{ticket}")).await.status, 403);
    let none: Page<Ticket> = eve.get("/tickets").await.read(200);
    assert_eq!(none.total, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn organisers_revoke_for_their_own_performances() {
    let venue = Venue::open().await;
    let (ticket, _) = venue.ticket().await;
    let path = format!("/tickets/{ticket}/revoke");
    let fraud = json!({ "reason": "fraud" });
    let other = venue.core.user("oscar").role("ORGANIZER");
    assert_eq!(other.post(&path, fraud.clone()).await.status, 403);
    let olga = venue.core.user("olga").role("ORGANIZER");
    let revoked: Ticket = olga.post(&path, fraud.clone()).await.read(200);
    assert_eq!((revoked.status.as_str(), revoked.version), ("revoked", 2));
    let answer = olga.post(&path, fraud).await;
    answer.assert_refused(409, "ticket_revoked");
    let published = venue.published::<TicketRevoked>().await;
    assert_eq!(
        (published.len(), published[0].reason.as_str()),
        (1, "fraud")
    );
}

/// S14: each is an entry in the feed of all nodes of the venue.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_reissued_five_times_a_day_and_no_more() {
    let venue = Venue::open().await;
    let (ticket, _) = venue.ticket().await;
    let ada = venue.core.user("ada").role("CUSTOMER");
    let path = format!("/tickets/{ticket}/reissue");
    for revision in 2..=6 {
        let reissued: Ticket = ada.post(&path, json!({})).await.read(200);
        assert_eq!(reissued.revision, revision);
    }
    let newest = venue.token(ticket).await;
    let refused = ada.post(&path, json!({})).await;
    refused.assert_refused(429, "reissued_too_often");
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert!((80_000..=86_400).contains(&wait), "{wait}");
    assert_eq!(venue.token(ticket).await, newest, "the newest is good");
    let mut conn = venue.core.app().db.read("ticketing").await.unwrap();
    let day_passes = "update ticketing.reissues set at = at - interval '1 day'";
    sqlx::query(day_passes).execute(&mut *conn).await.unwrap();
    let again: Ticket = ada.post(&path, json!({})).await.read(200);
    assert_eq!(again.revision, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reissued_ticket_has_another_token() {
    let venue = Venue::open().await;
    let (ticket, old) = venue.ticket().await;
    let ada = venue.core.user("ada").role("CUSTOMER");
    let path = format!("/tickets/{ticket}/reissue");
    let reissued: Ticket = ada.post(&path, json!({})).await.read(200);
    assert_eq!(reissued.revision, 2);
    let new = venue.token(ticket).await;
    assert_ne!(old, new);
    let parsed = Parsed::read(&new).unwrap();
    assert_eq!(parsed.unverified_claims().revision, 2);
    assert_eq!(
        venue.published_facts(ticket).await.token_hash,
        parsed.hash().0
    );
    let eve = venue.core.user("eve").role("CUSTOMER");
    assert_eq!(eve.post(&path, json!({})).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_dies_once_issues_once() {
    let venue = Venue::with_faults(FaultInjection::fail_once("ticketing", "on_order_paid")).await;
    let order = venue.pay(vec![venue.seat("A-1")]).await;
    venue.core.settle().await;
    until("tickets", async || {
        !venue.tickets(order.order_id).await.is_empty()
    })
    .await;
    assert_eq!(venue.tickets(order.order_id).await.len(), 1);
    assert_eq!(venue.core.faults.broken(), 1);
}
