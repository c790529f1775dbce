//! The queue of durable tasks on real PostgreSQL: what is requested is done, however often it fails,
//! whoever dies.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use chrono::Duration;
use eventify_core::config::Config;
use eventify_kernel::app::App;
use eventify_kernel::cause::Cause;
use eventify_kernel::clock::Clock;
use eventify_kernel::context::Context;
use eventify_kernel::db::migrate::Migration;
use eventify_kernel::db::tasks::{self, Listed};
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{self, Job, Jobs};
use eventify_kernel::tasks::{Attempt, Outcome, Task};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::world::{TestApp, TestOptions};

const SHIP: Job = Job::of("order", "ship");

const SHIPMENTS: &[Migration] = &[Migration {
    name: "0001_shipments",
    sql: "create table shipments (id uuid primary key, times int not null, note text not null)",
}];

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Way {
    Done,
    Wait,
    Fail,
    Park,
    Panic,
    /// Done when the test lets it go on.
    Pause,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ship {
    id: Uuid,
    way: Way,
    note: String,
}

impl Task for Ship {
    const JOB: Job = SHIP;
    const LONGEST: std::time::Duration = std::time::Duration::from_secs(2);

    fn key(&self) -> Uuid {
        self.id
    }
}

/// Where a paused attempt stands.
#[derive(Debug)]
struct Gate {
    arrived: Semaphore,
    open: Semaphore,
}

static GATES: LazyLock<Mutex<HashMap<Uuid, Arc<Gate>>>> = LazyLock::new(Mutex::default);

fn gate(id: Uuid) -> Arc<Gate> {
    let closed = || Gate {
        arrived: Semaphore::new(0),
        open: Semaphore::new(0),
    };
    let mut gates = GATES.lock().unwrap();
    Arc::clone(gates.entry(id).or_insert_with(|| Arc::new(closed())))
}

fn contexts(_: &Config, _: &Clock) -> Vec<Context> {
    vec![Context {
        jobs: Jobs::new().tasks(ship),
        ..Context::new("order", SHIPMENTS)
    }]
}

async fn ship(app: App, attempt: Attempt<Ship>) -> Result<Outcome, Failure> {
    let Ship { id, way, note } = attempt.task;
    let mut conn = app.db.read("order").await?;
    sqlx::query(
        "insert into \"order\".shipments as known values ($1, 1, $2)
         on conflict (id) do update set times = known.times + 1, note = $2",
    )
    .bind(id)
    .bind(format!("{note}, {} earlier", attempt.earlier))
    .execute(&mut *conn)
    .await
    .map_err(Failure::retry)?;
    drop(conn);
    match way {
        Way::Done => Ok(Outcome::Done),
        Way::Wait => Ok(Outcome::Wait),
        Way::Fail => Err(Failure::retry("the carrier does not answer")),
        Way::Park => Err(Failure::park("there is no such address")),
        Way::Panic => panic!("a defect in shipping"),
        Way::Pause => {
            let gate = gate(id);
            gate.arrived.add_permits(1);
            gate.open.acquire().await.unwrap().forget();
            Ok(Outcome::Done)
        }
    }
}

/// A core whose one context ships.
struct Depot(TestApp);

impl Depot {
    async fn open() -> Self {
        Self(
            TestApp::with(TestOptions {
                contexts: Some(contexts),
                ..TestOptions::default()
            })
            .await,
        )
    }

    /// Requests a shipment; its job wakes.
    async fn request(&self, way: Way) -> Uuid {
        let id = self.0.clock.new_id();
        self.request_again(id, way, "first").await;
        id
    }

    async fn request_again(&self, id: Uuid, way: Way, note: &str) {
        let app = self.0.app();
        let mut tx = app.db.begin("order", &self.cause()).await.unwrap();
        let note = note.to_owned();
        tx.request(app, &Ship { id, way, note }).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn cause(&self) -> Cause {
        Cause::fresh(&self.0.clock)
    }

    async fn run(&self) {
        self.0.run_job(SHIP.context, SHIP.name).await;
    }

    /// How often, and the note of the last time.
    async fn shipped(&self, id: Uuid) -> (i32, String) {
        let mut conn = self.0.app().db.read("order").await.unwrap();
        sqlx::query_as("select times, note from \"order\".shipments where id = $1")
            .bind(id)
            .fetch_one(&mut *conn)
            .await
            .unwrap()
    }

    async fn times(&self, id: Uuid) -> i32 {
        self.shipped(id).await.0
    }

    /// Which alarms stand after a look at what doesn't go on.
    async fn watched(&self) -> Vec<String> {
        let app = self.0.app();
        let looked = jobs::run_now(app, "order", "watch_parked_work").await;
        looked.expect("the job");
        let mut conn = app.db.read("order").await.unwrap();
        sqlx::query_scalar(
            "select kind || ' ' || subject || ' ' || coalesce(details ->> 'parked', details ->> 'failing')
             from standing_alarms where cleared_at is null order by kind",
        )
        .fetch_all(&mut *conn)
        .await
        .unwrap()
    }

    async fn troubled(&self) -> Vec<Listed> {
        let mut conn = self.0.app().db.read("order").await.unwrap();
        tasks::list_troubled(&mut conn, 100).await.unwrap()
    }

    /// Rows of the queue.
    async fn open_tasks(&self) -> i64 {
        let mut conn = self.0.app().db.read("order").await.unwrap();
        sqlx::query_scalar("select count(*) from \"order\".tasks")
            .fetch_one(&mut *conn)
            .await
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_goes_and_what_rolls_back_was_never_requested() {
    let depot = Depot::open().await;
    let id = depot.request(Way::Done).await;
    depot.0.settle().await;
    assert_eq!((depot.times(id).await, depot.open_tasks().await), (1, 0));

    let app = depot.0.app();
    let mut tx = app.db.begin("order", &depot.cause()).await.unwrap();
    let (id, note) = (depot.0.clock.new_id(), String::new());
    let way = Way::Done;
    tx.request(app, &Ship { id, way, note }).await.unwrap();
    drop(tx);
    depot.run().await;
    assert_eq!(depot.open_tasks().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_comes_again_after_a_pause_that_grows_to_a_minute() {
    let depot = Depot::open().await;
    let id = depot.request(Way::Fail).await;
    depot.0.settle().await;
    let now = depot.0.clock.now();
    let listed = depot.troubled().await.remove(0);
    assert_eq!((listed.key, listed.failures), (id, 1));
    let error = listed.last_error.as_deref();
    assert_eq!(error, Some("the carrier does not answer"));
    assert!(listed.parked_at.is_none() && listed.due_at <= now + Duration::seconds(1));
    for times in 2..=8 {
        depot.0.advance(Duration::minutes(1));
        depot.run().await;
        assert_eq!(depot.times(id).await, times);
    }
    depot.run().await;
    assert_eq!(depot.times(id).await, 8, "the pause is a minute now");
    assert_eq!(depot.troubled().await[0].failures, 8);
    assert_eq!(depot.watched().await, Vec::<String>::new());
    for _ in 9..=10 {
        depot.0.advance(Duration::minutes(1));
        depot.run().await;
    }
    assert_eq!(depot.watched().await, ["tasks.failing order 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_a_failed_attempt_and_ends_nothing_else() {
    let depot = Depot::open().await;
    let id = depot.request(Way::Panic).await;
    depot.0.settle().await;
    let listed = depot.troubled().await.remove(0);
    let error = listed.last_error.as_deref();
    assert_eq!(listed.failures, 1);
    assert_eq!(error, Some("it panicked: a defect in shipping"));
    depot.0.advance(Duration::minutes(1));
    let other = depot.request(Way::Done).await;
    depot.0.settle().await;
    assert_eq!((depot.times(id).await, depot.times(other).await), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_to_wait_is_no_failure() {
    let depot = Depot::open().await;
    let id = depot.request(Way::Wait).await;
    depot.0.settle().await;
    assert!(depot.troubled().await.is_empty());
    for times in 2..=12 {
        depot.0.advance(Duration::minutes(1));
        depot.run().await;
        assert_eq!(
            (depot.times(id).await, depot.open_tasks().await),
            (times, 1)
        );
    }
    depot.request_again(id, Way::Fail, "second").await;
    depot.0.settle().await;
    assert_eq!(depot.troubled().await[0].failures, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_knows_of_earlier_ones_also_after_a_retry() {
    let depot = Depot::open().await;
    let id = depot.request(Way::Park).await;
    depot.0.settle().await;
    assert_eq!(depot.shipped(id).await, (1, "first, 0 earlier".to_owned()));
    let app = depot.0.app();
    let mut conn = app.db.read("order").await.unwrap();
    let retried = tasks::retry(&mut conn, (SHIP.name, id), app.clock.now()).await;
    assert!(retried.unwrap());
    depot.run().await;
    assert_eq!(depot.shipped(id).await, (2, "first, 1 earlier".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_during_an_attempt_is_not_lost() {
    let depot = Depot::open().await;
    let id = depot.request(Way::Pause).await;
    let gate = gate(id);
    gate.arrived.acquire().await.unwrap().forget();
    depot.request_again(id, Way::Done, "second").await;
    gate.open.add_permits(1);
    depot.0.settle().await;
    assert_eq!(depot.shipped(id).await, (2, "second, 0 earlier".to_owned()));
    assert_eq!(depot.open_tasks().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_task_is_not_begun() {
    let depot = Depot::open().await;
    let app = depot.0.app();
    let mut tx = app.db.begin("order", &depot.cause()).await.unwrap();
    let (id, note) = (depot.0.clock.new_id(), String::new());
    let way = Way::Done;
    tx.request(app, &Ship { id, way, note }).await.unwrap();
    tx.withdraw::<Ship>(id).await.unwrap();
    tx.commit().await.unwrap();
    depot.0.settle().await;
    assert_eq!(depot.open_tasks().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_work_waits_for_an_operator() {
    let depot = Depot::open().await;
    let (parked, failing) = (
        depot.request(Way::Park).await,
        depot.request(Way::Fail).await,
    );
    depot.0.settle().await;
    let listed = depot.troubled().await;
    let is_parked = |id| {
        listed
            .iter()
            .any(|it| it.key == id && it.parked_at.is_some())
    };
    assert_eq!((is_parked(parked), is_parked(failing)), (true, false));
    assert_eq!(depot.watched().await, ["tasks.parked order 1"]);
    depot.0.advance(Duration::days(1));
    depot.run().await;
    assert_eq!(depot.times(parked).await, 1, "time does not bring it back");

    let app = depot.0.app();
    let mut conn = app.db.read("order").await.unwrap();
    let now = app.clock.now();
    let found = tasks::retry(&mut conn, (SHIP.name, parked), now).await;
    assert!(found.unwrap());
    depot.run().await;
    assert_eq!(depot.times(parked).await, 2);
    let mut drop_parked = async |id| tasks::drop_parked(&mut conn, SHIP.name, id).await.unwrap();
    assert!(!drop_parked(failing).await, "it is still being worked on");
    assert!(drop_parked(parked).await);
    assert!(!drop_parked(parked).await);
    assert_eq!(depot.troubled().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_never_ends_has_failed_and_holds_up_no_other() {
    let depot = Depot::open().await;
    let endless = depot.request(Way::Pause).await;
    gate(endless).arrived.acquire().await.unwrap().forget();
    let next = depot.request(Way::Done).await;
    depot.0.settle().await;
    assert_eq!(
        (depot.times(endless).await, depot.times(next).await),
        (1, 1)
    );
    let troubled = depot.troubled().await;
    let reason = troubled[0].last_error.as_deref().unwrap();
    assert!(reason.contains("too long"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_can_not_be_read_is_parked() {
    let depot = Depot::open().await;
    let mut conn = depot.0.app().db.read("order").await.unwrap();
    sqlx::query(
        "insert into \"order\".tasks (kind, key, payload, due_at, correlation_id, created_at)
         values ('ship', $1, '{}', now(), $1, now())",
    )
    .bind(depot.0.clock.new_id())
    .execute(&mut *conn)
    .await
    .unwrap();
    drop(conn);
    depot.run().await;
    assert!(depot.troubled().await[0].parked_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_do_each_task_once() {
    let depot = Depot::open().await;
    let works = vec![("process.roles", "[\"work\"]".to_owned())];
    let second = depot.0.beside(works, contexts).await;
    let app = depot.0.app();
    let mut ids = Vec::new();
    let mut tx = app.db.begin("order", &depot.cause()).await.unwrap();
    for _ in 0..250 {
        let (id, note) = (depot.0.clock.new_id(), String::new());
        let (way, now) = (Way::Done, app.clock.now());
        tx.request_at(app, &Ship { id, way, note }, now)
            .await
            .unwrap();
        ids.push(id);
    }
    tx.commit().await.unwrap();
    let runs = [app, &second.app].map(|app| jobs::run_now(app, SHIP.context, SHIP.name));
    for run in futures_util::future::join_all(runs).await {
        run.unwrap();
    }
    for id in ids {
        assert_eq!(depot.times(id).await, 1);
    }
    assert_eq!(depot.open_tasks().await, 0);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_had_in_hand_comes_again_after_the_lease() {
    let depot = Depot::open().await;
    let app = depot.0.app().clone();
    let (id, note) = (depot.0.clock.new_id(), "first".to_owned());
    let mut tx = app.db.begin("order", &depot.cause()).await.unwrap();
    let (way, now) = (Way::Pause, app.clock.now());
    tx.request_at(&app, &Ship { id, way, note }, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let dying = tokio::spawn(async move { jobs::run_now(&app, SHIP.context, SHIP.name).await });
    let gate = gate(id);
    gate.arrived.acquire().await.unwrap().forget();
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    gate.open.add_permits(1);
    depot.run().await;
    assert_eq!(depot.times(id).await, 1, "it may still be in hand");
    depot.0.advance(Duration::seconds(30));
    depot.run().await;
    assert_eq!((depot.times(id).await, depot.open_tasks().await), (2, 0));
}
