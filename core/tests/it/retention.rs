//! Tables that everything passes through shrink again, and nothing goes that somebody still needs.

use chrono::Duration;
use eventify_kernel::jobs;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::ticketing::world::Venue;
use crate::world::TestApp;
use crate::world::sale::{Sale, organiser, seat};

/// Contexts whose messages a purchase is made of.
const CONTEXTS: [&str; 5] = ["inventory", "reservation", "order", "payment", "ticketing"];

async fn database(core: &TestApp) -> PgConnection {
    let url = core.scope.database.url();
    PgConnection::connect(url).await.unwrap()
}

async fn run(conn: &mut PgConnection, sql: &str) {
    let statement = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    statement.execute(conn).await.unwrap();
}

async fn count(conn: &mut PgConnection, rows: &str) -> i64 {
    let query = format!("select count(*) from {rows}");
    let query = sqlx::query_scalar(AssertSqlSafe(query));
    query.fetch_one(conn).await.unwrap()
}

/// Part D 7: what was sent and taken goes after a month; what the broker or a feed has not got stays, and so do
/// the ids of what may come again.
#[tokio::test(flavor = "multi_thread")]
async fn messages_go_after_a_month_and_none_that_is_still_needed() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    sale.bought(&ada, seat("A-1")).await;
    let mut conn = database(&sale.core).await;
    for context in CONTEXTS {
        let aged = format!(
            r#"update "{context}".outbox set created_at = created_at - interval '40 days',
                   published_at = published_at - interval '40 days',
                   settled_at = settled_at - interval '40 days';
               update "{context}".inbox set received_at = received_at - interval '40 days'"#
        );
        run(&mut conn, &aged).await;
    }
    // More than one batch holds.
    run(
        &mut conn,
        "insert into inventory.outbox (message_id, kind, routing_key, aggregate_id, aggregate_version,
             schema_version, payload, correlation_id, feeds_venues, created_at, published_at)
         select gen_random_uuid(), 'of.before', 'inventory.of.before', gen_random_uuid(), 1, 1,
             '{}', gen_random_uuid(), false, now() - interval '40 days', now() - interval '40 days'
         from generate_series(1, 2500);
         insert into inventory.inbox (message_id, source, correlation_id, received_at)
         select ('00000000-0000-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid, '/eventify/order',
             gen_random_uuid(), now() - interval '40 days'
         from generate_series(1, 2500) as number",
    )
    .await;
    sale.core.advance(Duration::days(40));
    let venue = json!({ "name": "Barn", "timeZone": "Europe/Paris" });
    organiser(&sale.core)
        .post("/venues", venue)
        .await
        .expect(201);
    sale.core.settle().await;
    let young = r#"inventory.outbox where created_at > now() - interval '1 day'"#;
    let young = count(&mut conn, young).await;
    assert!(young > 0);
    // One that the broker refuses, and one that fleet has not written into its feed.
    run(
        &mut conn,
        r#"update "order".outbox set published_at = null, retry_at = now() + interval '1 day'
           where position = (select min(position) from "order".outbox);
           update ticketing.outbox set settled_at = null
           where position = (select min(position) from ticketing.outbox where feeds_venues)"#,
    )
    .await;

    let app = sale.core.app();
    for _ in 0..2 {
        jobs::run_now(app, "catalogue", "sweep_messages")
            .await
            .unwrap();
        assert_eq!(count(&mut conn, "inventory.outbox").await, young);
        let unsent = r#""order".outbox where published_at is null"#;
        assert_eq!(count(&mut conn, unsent).await, 1);
        assert_eq!(count(&mut conn, r#""order".outbox"#).await, 1);
        let unsettled = "ticketing.outbox where feeds_venues and settled_at is null";
        assert_eq!(count(&mut conn, unsettled).await, 1);
        assert_eq!(count(&mut conn, "ticketing.outbox").await, 1);
        assert_eq!(count(&mut conn, r#""order".inbox"#).await, 0);
        assert_eq!(count(&mut conn, "inventory.inbox").await, 0);
        assert!(count(&mut conn, "fleet.inbox").await > 0, "those of today");
    }
    sale.core.leave_unsettled();
}

/// The same, when the ids are old and the messages were taken only now: after an outage of a month.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_lately_is_known_however_old_the_message_is() {
    let sale = Sale::open().await;
    sale.bought(&sale.buyer("ada"), seat("A-1")).await;
    let mut conn = database(&sale.core).await;
    let before = count(&mut conn, r#""order".inbox"#).await;
    sale.core.advance(Duration::days(40));
    jobs::run_now(sale.core.app(), "catalogue", "sweep_messages")
        .await
        .unwrap();
    assert_eq!(count(&mut conn, r#""order".inbox"#).await, before);
    assert!(before > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_forgotten_when_the_provider_repeats_them_no_more() {
    let sale = Sale::open().await;
    let ada = sale.buyer("ada");
    let (checkout, _) = sale.bought(&ada, seat("A-1")).await;
    let mut conn = database(&sale.core).await;
    let known = count(&mut conn, "payment.psp_events").await;
    assert!(known > 0);
    sale.core.advance(Duration::days(34));
    sale.core.run_job("payment", "forget_webhooks").await;
    assert_eq!(count(&mut conn, "payment.psp_events").await, known);
    sale.core.advance(Duration::days(2));
    sale.core.run_job("payment", "forget_webhooks").await;
    assert_eq!(count(&mut conn, "payment.psp_events").await, 0);
    assert_eq!(sale.status(&ada, &checkout).await, "paid");
}

/// A child with an old ticket fills no disk: refusals go, and who was let in by which scan stays.
#[tokio::test(flavor = "multi_thread")]
async fn scans_go_after_a_season_and_none_by_which_somebody_entered() {
    let venue = Venue::open().await;
    let (ticket, token) = venue.ticket().await;
    let root = venue
        .core
        .user("root")
        .role("ADMIN")
        .scope("ticket:checkin");
    let path = format!("/tickets/{ticket}/check-in");
    let scan_at = async |gate: usize, status: u16| {
        let body = json!({ "gateId": venue.gates[gate], "token": token });
        root.post(&path, body).await.expect(status);
    };
    scan_at(0, 200).await;
    for _ in 0..3 {
        scan_at(1, 409).await;
    }
    let mut conn = database(&venue.core).await;
    assert_eq!(count(&mut conn, "ticketing.scans").await, 4);
    venue.core.advance(Duration::days(91));
    scan_at(1, 409).await;
    for _ in 0..2 {
        venue.core.run_job("ticketing", "forget_scans").await;
        assert_eq!(count(&mut conn, "ticketing.scans").await, 2);
    }
    let entered = "ticketing.scans join ticketing.checkins using (ticket_id, scan_id)";
    assert_eq!(count(&mut conn, entered).await, 1);
    assert_eq!(venue.show(ticket).await.status, "used");
}
