//! Gates come first: a rush in the shop stands in no queue before a gate (DECISIONS 46).

use eventify_contracts::order::OrderPaid;
use eventify_contracts::ticketing::TicketIssued;
use eventify_kernel::cause::Cause;
use eventify_kernel::event::DomainEvent;
use eventify_protocol::ids::{OrderId, VenueId};
use eventify_protocol::sync::Up;
use eventify_protocol::verdict::{Mode, Verdict};
use sqlx::{Connection, PgConnection};

use crate::fleet::journal::{Journal, ack};
use crate::fleet::world::{Venue, issue, ticket};
use crate::world::{TestApp, product, until};

/// More than a consumer takes ahead: what comes later is not even delivered.
const RUSH: u128 = 100;

/// Another session that holds what the shop's consumers need: orders, and the venue whose tickets are
/// being sold.
async fn hold_up_the_shop(core: &TestApp, other: VenueId) -> PgConnection {
    let mut conn = PgConnection::connect(core.scope.database.url())
        .await
        .expect("a connection");
    sqlx::raw_sql("begin; lock table ticketing.orders in access exclusive mode")
        .execute(&mut conn)
        .await
        .expect("the lock");
    sqlx::query("insert into fleet.venues (venue_id, digest_key, digest) values ($1, $2, $2)")
        .bind(other)
        .bind([0_u8; 32].as_slice())
        .execute(&mut conn)
        .await
        .expect("the row");
    conn
}

/// Of a context's sessions, those that wait for what the other session holds.
async fn held_up(watch: &mut PgConnection, context: &str) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock' and application_name = $1",
    )
    .bind(format!("eventify {context}"))
    .fetch_one(watch)
    .await
    .expect("the count")
}

/// Messages that a consumer doesn't get, because so many stand before them.
async fn rush<E: DomainEvent>(core: &TestApp, context: &'static str, event: impl Fn(u128) -> E) {
    let app = core.app();
    let begun = app.db.begin(context, &Cause::fresh(&app.clock)).await;
    let mut tx = begun.expect("a transaction");
    for number in 0..RUSH {
        tx.publish(app.clock.new_id(), 1, &event(number));
    }
    tx.commit().await.expect("a commit");
}

/// C35: journals went to ticketing through the queue of orders, and their outcome came back through
/// that of the tickets that were sold meanwhile. A gate whose line had healed during an on-sale or a mass
/// refund waited for all of them, and locked after five minutes with its guests outside.
#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_comes_back_is_acknowledged_while_the_shop_stands_still() {
    let venue = Venue::among(product).await;
    let mut node = venue.node("North door").await;
    venue.core.settle().await;
    venue.core.leave_unsettled();
    let url = venue.core.scope.database.url();
    let mut watch = PgConnection::connect(url).await.expect("a connection");

    let other = VenueId(venue.new_id());
    let _held = hold_up_the_shop(&venue.core, other).await;
    rush::<TicketIssued>(&venue.core, "ticketing", |number| {
        issue(vec![ticket(other, number)])
    })
    .await;
    rush(&venue.core, "order", |_| OrderPaid {
        order_id: OrderId(venue.new_id()),
        customer_id: venue.new_id().into(),
        paid_at: venue.core.clock.now(),
        items: Vec::new(),
    })
    .await;
    until(
        "the shop's consumers stand still, and the rush before them",
        async || {
            let sql = "select (select count(*) from ticketing.outbox where published_at is null)
            + (select count(*) from \"order\".outbox where published_at is null)";
            let unpublished: i64 = sqlx::query_scalar(sql)
                .fetch_one(&mut watch)
                .await
                .expect("the count");
            let [ticketing, fleet] = ["ticketing", "fleet"];
            let (orders, tickets) = (
                held_up(&mut watch, ticketing).await,
                held_up(&mut watch, fleet).await,
            );
            unpublished == 0 && orders > 0 && tickets > 0
        },
    )
    .await;

    let mut journal = Journal::open(node.id, 1);
    journal.scan(101, Verdict::Admit, Mode::Degraded);
    node.send(Up::Journal(journal.batch(1, 2))).await;
    let acknowledged = ack(&mut node).await;
    assert_eq!(
        (acknowledged.seq, acknowledged.hash),
        (2, journal.rows[1].hash())
    );
    until("T no longer waits for the journal", async || {
        let sql = "select count(*) from ticketing.outbox
            where kind = 'ticketing.journal.applied' and settled_at is null";
        let unsettled: i64 = sqlx::query_scalar(sql)
            .fetch_one(&mut watch)
            .await
            .expect("the count");
        unsettled == 0
    })
    .await;
    for context in ["ticketing", "fleet"] {
        assert!(
            held_up(&mut watch, context).await > 0,
            "{context} stands still all the while"
        );
    }
}
