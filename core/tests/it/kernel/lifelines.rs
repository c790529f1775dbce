//! What the core can't work without, as alarms that begin and end with the fact.

use chrono::Duration;
use eventify_kernel::alarms::{self, AlarmRow, Filter, State, Stops};
use eventify_kernel::db::PgConnection;
use eventify_kernel::jobs;

use super::bus::{capture, contexts};
use crate::world::{TestApp, TestOptions, until};

async fn start(config: Vec<(&'static str, String)>) -> TestApp {
    TestApp::with(TestOptions {
        contexts: Some(contexts),
        breakable_broker_line: true,
        config,
        ..TestOptions::default()
    })
    .await
}

/// The first of the contexts has the kernel's jobs.
async fn watch(core: &TestApp, name: &str) {
    jobs::run_now(core.app(), "payment", name)
        .await
        .expect("it looks");
}

/// The alarms that stop sales.
async fn standing(core: &TestApp, states: &[State]) -> Vec<AlarmRow> {
    let filter = Filter {
        stops: Some(Stops::Sales),
        states: Some(states.to_vec()),
        ..Filter::default()
    };
    let listed = alarms::list(core.app(), &filter, (0, 100)).await;
    listed.expect("the alarms").0
}

fn codes(alarms: &[AlarmRow]) -> Vec<(&str, &str)> {
    alarms
        .iter()
        .map(|alarm| (alarm.kind.as_str(), alarm.subject.as_str()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_away_is_one_alarm_until_it_is_back() {
    let core = start(vec![]).await;
    watch(&core, "watch_servers").await;
    assert!(standing(&core, &[State::Open]).await.is_empty());
    let line = core.broker_line.as_ref().expect("a proxy");
    line.cut();
    until("the core knows", async || {
        !core.app().bus.is_connected().await
    })
    .await;
    watch(&core, "watch_servers").await;
    watch(&core, "watch_servers").await;
    let open = standing(&core, &[State::Open]).await;
    assert_eq!(codes(&open), [("bus.unreachable", "broker")]);
    assert_eq!((open[0].occurrences, open[0].momentary), (2, false));
    assert_eq!(open[0].stops, ["sales", "gates"]);
    let ready = core.anybody().get("/health/ready").await;
    ready.assert_refused(503, "unavailable");
    core.advance(Duration::seconds(2));
    let sales = core.anybody().get("/health/sales").await;
    sales.assert_refused(503, "unavailable");
    let said = &sales.error().message;
    assert!(said.contains("bus.unreachable"), "{said}");

    line.heal();
    until("the core is connected", async || {
        core.app().bus.is_connected().await
    })
    .await;
    watch(&core, "watch_servers").await;
    assert!(standing(&core, &[State::Open]).await.is_empty());
    let over = standing(&core, &[State::Ended]).await;
    assert_eq!(codes(&over), [("bus.unreachable", "broker")]);
    core.advance(Duration::seconds(2));
    core.anybody().get("/health/sales").await.expect(200);
}

/// C13: the broker takes nothing, or no process relays, and everything looks connected.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_do_not_leave_are_an_alarm_of_their_context_until_they_left() {
    let core = start(vec![("process.roles", "[\"serve\", \"work\"]".to_owned())]).await;
    capture(&core, core.clock.new_id()).await;
    watch(&core, "watch_outboxes").await;
    assert!(
        standing(&core, &[State::Open]).await.is_empty(),
        "it takes milliseconds, and may take a minute"
    );
    let mut conn = core.app().db.read("payment").await.unwrap();
    let rows: &mut PgConnection = &mut conn;
    sqlx::query("update outbox set created_at = created_at - interval '61 seconds'")
        .execute(rows)
        .await
        .unwrap();
    drop(conn);
    watch(&core, "watch_outboxes").await;
    let open = standing(&core, &[State::Open]).await;
    assert_eq!(codes(&open), [("bus.outbox_standing", "payment")]);
    assert_eq!(open[0].details["waiting"], 1);

    let relays = vec![("process.roles", "[\"relay\"]".to_owned())];
    let relay = core.beside(relays, contexts).await;
    core.settle().await;
    watch(&core, "watch_outboxes").await;
    assert!(standing(&core, &[State::Open]).await.is_empty());
    relay.stop().await;
}
