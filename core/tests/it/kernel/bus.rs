//! The way of a message on real servers: outbox, relay, broker, inbox, retries, dead letters. Two
//! small contexts stand in for the product's: a payment that is captured, an order that consumes it.

use crate::world::{ContextsOf, TestApp, TestOptions};
use eventify_core::config::Config;
use eventify_kernel::app::App;
use eventify_kernel::bus::{Consumers, dead_letters};
use eventify_kernel::cause::Cause;
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;
use eventify_kernel::db::migrate::Migration;
use eventify_kernel::db::{PgConnection, Tx, outbox};
use eventify_kernel::domain_events;
use eventify_kernel::event::Received;
use eventify_kernel::failure::Failure;
use eventify_kernel::fault_injection::FaultInjection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PaymentCaptured {
    payment_id: Uuid,
    order_id: Uuid,
}

domain_events! { "payment":
    PaymentCaptured: "payment.captured" as "payment.captured" of payment_id;
}

const ORDERS: &[Migration] = &[Migration {
    name: "0001_paid",
    sql: "create table paid (order_id uuid primary key, times int not null)",
}];

/// An order that this test's consumer refuses.
const REFUSED: Uuid = Uuid::from_u128(0xdead);
/// One that makes it panic.
const DEFECT: Uuid = Uuid::from_u128(0xdefec7);

pub(super) fn contexts(_: &Config, _: &Clock) -> Vec<Context> {
    hearing(Consumers::new().on::<PaymentCaptured, _>(on_payment_captured))
}

/// The same with an order that takes messages together.
pub(super) fn contexts_together(_: &Config, _: &Clock) -> Vec<Context> {
    hearing(Consumers::new().grouped::<PaymentCaptured, _>(on_payments_captured))
}

fn hearing(consumers: Consumers) -> Vec<Context> {
    vec![
        Context {
            events: events(),
            ..Context::new("payment", &[])
        },
        Context {
            consumers,
            ..Context::new("order", ORDERS)
        },
    ]
}

async fn on_payment_captured(
    _: &App,
    tx: &mut Tx,
    event: Received<PaymentCaptured>,
) -> Result<(), Failure> {
    if event.data.order_id == REFUSED {
        return Err(Failure::retry("no such order"));
    }
    assert_ne!(event.data.order_id, DEFECT, "a defect in paying");
    sqlx::query(
        "insert into paid values ($1, 1)
         on conflict (order_id) do update set times = paid.times + 1",
    )
    .bind(event.data.order_id)
    .execute(&mut **tx)
    .await
    .map_err(Failure::retry)?;
    Ok(())
}

async fn on_payments_captured(
    app: &App,
    tx: &mut Tx,
    events: Vec<Received<PaymentCaptured>>,
) -> Result<(), Failure> {
    for event in events {
        on_payment_captured(app, tx, event).await?;
    }
    Ok(())
}

async fn start(faults: FaultInjection) -> TestApp {
    start_with(contexts, faults).await
}

async fn start_together(faults: FaultInjection) -> TestApp {
    start_with(contexts_together, faults).await
}

async fn start_with(contexts: ContextsOf, faults: FaultInjection) -> TestApp {
    TestApp::with(TestOptions {
        faults,
        contexts: Some(contexts),
        ..TestOptions::default()
    })
    .await
}

async fn start_on_a_breakable_line() -> TestApp {
    TestApp::with(TestOptions {
        contexts: Some(contexts),
        breakable_broker_line: true,
        ..TestOptions::default()
    })
    .await
}

/// In how many transactions messages had their effect.
async fn transactions(core: &TestApp) -> i64 {
    let mut conn = core.app().db.read("order").await.expect("a connection");
    let conn: &mut PgConnection = &mut conn;
    sqlx::query_scalar("select count(distinct received_at) from inbox")
        .fetch_one(conn)
        .await
        .expect("the count")
}

/// Many captures in one commit, so that they come at once.
async fn capture_at_once(core: &TestApp, orders: impl IntoIterator<Item = Uuid>) {
    let app = core.app();
    let mut tx = app
        .db
        .begin("payment", &Cause::fresh(&app.clock))
        .await
        .expect("a transaction");
    for order_id in orders {
        let event = PaymentCaptured {
            payment_id: app.clock.new_id(),
            order_id,
        };
        tx.publish(app.clock.new_id(), 1, &event);
    }
    tx.commit().await.expect("a commit");
}

pub(super) async fn capture(core: &TestApp, order_id: Uuid) {
    capture_at_once(core, [order_id]).await;
}

pub(super) async fn times_paid(core: &TestApp) -> Vec<i32> {
    let mut conn = core.app().db.read("order").await.expect("a connection");
    let conn: &mut PgConnection = &mut conn;
    sqlx::query_scalar("select times from paid")
        .fetch_all(conn)
        .await
        .expect("the rows")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_committed_event_has_its_effect_once() {
    let core = start(FaultInjection::default()).await;
    for _ in 0..300 {
        capture(&core, core.clock.new_id()).await;
    }
    core.settle().await;
    assert_eq!(times_paid(&core).await, vec![1; 300]);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_come_at_once_share_a_transaction() {
    let core = start_together(FaultInjection::default()).await;
    let ids = (0..200).map(|_| core.clock.new_id());
    capture_at_once(&core, ids).await;
    core.settle().await;
    assert_eq!(times_paid(&core).await, vec![1; 200]);
    let transactions = transactions(&core).await;
    assert!(transactions <= 100, "{transactions} for 200 messages");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_message_spoils_nothing_for_those_that_came_with_it() {
    let core = start_together(FaultInjection::default()).await;
    let good = (0..60).map(|_| core.clock.new_id());
    let all = good.flat_map(|id| [id, REFUSED]);
    capture_at_once(&core, all).await;
    let app = core.app();
    crate::world::until("the bad ones are parked", async || {
        dead_letters::count(&app.bus, "order").await.unwrap() == 60
    })
    .await;
    assert_eq!(times_paid(&core).await, vec![1; 60]);
    core.leave_unsettled();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_makes_its_handler_panic_is_parked_and_the_others_go_on() {
    for contexts in [contexts as ContextsOf, contexts_together] {
        let core = start_with(contexts, FaultInjection::default()).await;
        core.leave_unsettled();
        let bus = &core.app().bus;
        let good = (0..10).map(|_| core.clock.new_id());
        capture_at_once(&core, good.flat_map(|id| [id, DEFECT])).await;
        crate::world::until("the bad ones are parked", async || {
            dead_letters::count(bus, "order").await.unwrap() == 10
        })
        .await;
        let letter = dead_letters::read(bus, "order", 1).await.unwrap().remove(0);
        let reason = letter.reason.unwrap();
        assert!(reason.contains("a defect in paying"), "{reason}");
        capture(&core, core.clock.new_id()).await;
        crate::world::until("the next one is paid", async || {
            times_paid(&core).await == vec![1; 11]
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_together_keep_the_laws_of_one() {
    for faults in [
        FaultInjection::deliver_twice(),
        FaultInjection::fail_each_once(),
    ] {
        let core = start_together(faults).await;
        let ids: Vec<_> = (0..100).map(|_| core.clock.new_id()).collect();
        capture_at_once(&core, ids).await;
        core.settle().await;
        assert_eq!(times_paid(&core).await, vec![1; 100]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolled_back_event_is_never_heard() {
    let core = start(FaultInjection::default()).await;
    let app = core.app();
    let mut tx = app
        .db
        .begin("payment", &Cause::fresh(&app.clock))
        .await
        .unwrap();
    let event = PaymentCaptured {
        payment_id: app.clock.new_id(),
        order_id: app.clock.new_id(),
    };
    tx.publish(app.clock.new_id(), 1, &event);
    drop(tx);
    capture(&core, app.clock.new_id()).await;
    core.settle().await;
    assert_eq!(times_paid(&core).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_delivered_twice_has_one_effect() {
    let core = start(FaultInjection::deliver_twice()).await;
    for _ in 0..20 {
        capture(&core, core.clock.new_id()).await;
    }
    core.settle().await;
    assert_eq!(times_paid(&core).await, vec![1; 20]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_dies_before_its_commit_is_done_again() {
    let core = start(FaultInjection::fail_once("order", "on_payment_captured")).await;
    for _ in 0..20 {
        capture(&core, core.clock.new_id()).await;
    }
    core.settle().await;
    assert_eq!(times_paid(&core).await, vec![1; 20]);
    assert_eq!(core.faults.broken(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_five_times_is_parked_and_can_be_replayed() {
    let core = start(FaultInjection::default()).await;
    core.leave_unsettled();
    let bus = core.app().bus.clone();
    let parked = async || dead_letters::count(&bus, "order").await.unwrap() == 1;
    capture(&core, REFUSED).await;
    crate::world::until("the message is parked", parked).await;

    let letters = dead_letters::read(&bus, "order", 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].attempts, 5);
    assert_eq!(letters[0].reason.as_deref(), Some("no such order"));
    assert_eq!(letters[0].kind.as_deref(), Some("payment.captured"));

    crate::world::until("the message is back", parked).await;
    assert_eq!(dead_letters::replay(&bus, "order", 10).await.unwrap(), 1);
    crate::world::until("the message is parked again", parked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_publishes_what_was_committed() {
    let mut core = start(FaultInjection::default()).await;
    for _ in 0..50 {
        capture(&core, core.clock.new_id()).await;
    }
    core.stop().await;
    let url = core.scope.database.url();
    let mut conn = <PgConnection as sqlx::Connection>::connect(url)
        .await
        .unwrap();
    let left: i64 =
        sqlx::query_scalar("select count(*) from payment.outbox where published_at is null")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_answers_nothing_holds_up_no_stop() {
    let mut core = TestApp::with(TestOptions {
        contexts: Some(contexts),
        config: vec![("process.stop_grace_ms", "1000".to_owned())],
        breakable_broker_line: true,
        ..TestOptions::default()
    })
    .await;
    core.broker_line.as_ref().unwrap().black_hole();
    let stop = tokio::time::timeout(std::time::Duration::from_secs(20), core.stop());
    stop.await.expect("it ends within its grace periods");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_line_to_the_broker_heals_and_nothing_is_lost() {
    let core = start_on_a_breakable_line().await;
    let line = core.broker_line.as_ref().unwrap();
    for round in 0..60 {
        capture(&core, core.clock.new_id()).await;
        match round {
            10 | 40 => line.reset_connections(),
            20 => line.cut(),
            30 => line.heal(),
            _ => {}
        }
    }
    core.settle().await;
    assert_eq!(times_paid(&core).await, vec![1; 60]);
}

/// With polls that never come, only the notification between processes can wake the relay.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_wakes_the_relay_of_another_process() {
    let no_polls = ("relay.poll_ms", "3600000".to_owned());
    let core = TestApp::with(TestOptions {
        contexts: Some(contexts),
        config: vec![
            no_polls,
            ("process.roles", "[\"serve\", \"work\"]".to_owned()),
        ],
        ..TestOptions::default()
    })
    .await;
    let relays = vec![("process.roles", "[\"relay\"]".to_owned())];
    let relay = core.beside(relays, contexts).await;
    for _ in 0..20 {
        capture(&core, core.clock.new_id()).await;
        core.settle().await;
    }
    assert_eq!(times_paid(&core).await, vec![1; 20]);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_the_work_and_relay_each_row_once() {
    let core = start(FaultInjection::default()).await;
    let other = core.beside(Vec::new(), contexts).await;
    for _ in 0..100 {
        capture(&core, core.clock.new_id()).await;
    }
    core.settle().await;
    assert_eq!(times_paid(&core).await, vec![1; 100]);
    other.stop().await;
}

/// An outbox row that no program of ours writes.
async fn odd_row(core: &TestApp, routing_key: &str, tracestate: &str) -> Uuid {
    let mut conn = core.app().db.read("payment").await.expect("a connection");
    let id = core.clock.new_id();
    let payload = serde_json::json!({ "paymentId": id, "orderId": id });
    sqlx::query(
        "insert into outbox (message_id, kind, routing_key, aggregate_id, aggregate_version,
             schema_version, feeds_venues, payload, correlation_id, tracestate)
         values ($1, 'payment.captured', $2, $1, 1, 1, true, $3, $1, $4)",
    )
    .bind(id)
    .bind(routing_key)
    .bind(payload)
    .bind(tracestate)
    .execute(&mut *conn)
    .await
    .expect("a row");
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_the_broker_refuses_holds_up_nobody_and_is_tried_again() {
    let core = start(FaultInjection::default()).await;
    // One that no queue takes, and one whose headers fit in no frame: it costs the connection.
    let nowhere = odd_row(&core, "payment.nowhere", "").await;
    let endless = odd_row(&core, "payment.captured", &"x".repeat(300_000)).await;
    for _ in 0..20 {
        capture(&core, core.clock.new_id()).await;
    }
    crate::world::until("the others are through", async || {
        times_paid(&core).await == vec![1; 20]
    })
    .await;
    let mut conn = core.app().db.read("payment").await.unwrap();
    let conn: &mut PgConnection = &mut conn;
    let unsettled = outbox::oldest_unprojected(conn, Uuid::nil()).await.unwrap();
    assert!(unsettled.is_some(), "the watermark stands");
    crate::world::until("both were refused again", async || {
        let refusals: Vec<i32> = sqlx::query_scalar(
            "select refusals from outbox where message_id in ($1, $2) and published_at is null",
        )
        .bind(nowhere)
        .bind(endless)
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        refusals.len() == 2 && refusals.iter().all(|refusals| *refusals > 1)
    })
    .await;

    // Somebody has mended them.
    sqlx::query(
        "update outbox set routing_key = 'payment.captured', tracestate = null, retry_at = now()
         where published_at is null",
    )
    .execute(&mut *conn)
    .await
    .unwrap();
    crate::world::until("all are through", async || {
        times_paid(&core).await == vec![1; 22]
    })
    .await;
}

/// A broker short of memory stops reading from connections that publish, acknowledgements included.
#[tokio::test(flavor = "multi_thread")]
async fn publishing_and_consuming_have_a_connection_each() {
    let core = start_on_a_breakable_line().await;
    for _ in 0..20 {
        capture(&core, core.clock.new_id()).await;
    }
    core.settle().await;
    assert_eq!(core.broker_line.as_ref().unwrap().connections(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_parse_is_parked_at_once_with_its_reason() {
    let core = start(FaultInjection::default()).await;
    core.leave_unsettled();
    let mut conn = core.app().db.read("payment").await.unwrap();
    let conn: &mut PgConnection = &mut conn;
    // An outbox row of another release: its data lacks a field that the schema requires.
    sqlx::query(
        "insert into outbox (message_id, kind, routing_key, aggregate_id, aggregate_version,
             schema_version, feeds_venues, payload, correlation_id)
         values ($1, 'payment.captured', 'payment.captured', $1, 1, 1, false, '{\"paymentId\": 1}', $1)",
    )
    .bind(core.clock.new_id())
    .execute(conn)
    .await
    .unwrap();
    let bus = core.app().bus.clone();
    crate::world::until("the message is parked", async || {
        dead_letters::count(&bus, "order").await.unwrap() == 1
    })
    .await;
    let letters = dead_letters::read(&bus, "order", 1).await.unwrap();
    assert_eq!(letters[0].attempts, 1);
    assert!(
        letters[0].reason.as_deref().unwrap().contains("schema"),
        "{letters:?}"
    );
}
