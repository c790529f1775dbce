//! Jobs and services: a panic ends one run and not the loop, a lost lock ends the job.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use eventify_kernel::app::App;
use eventify_kernel::cause::Cause;
use eventify_kernel::context::Context;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{self, Job, Jobs};
use sqlx::{Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::world::{TestApp, TestOptions, until};

const SWEEP: Job = Job::of("order", "sweep");
static SWEPT: AtomicUsize = AtomicUsize::new(0);
static SERVED: AtomicUsize = AtomicUsize::new(0);

async fn sweep(_: &App, _: &Cause) -> Result<(), Failure> {
    assert_ne!(
        SWEPT.fetch_add(1, Ordering::SeqCst),
        0,
        "a defect in sweeping"
    );
    Ok(())
}

async fn serve(_: App, stop: CancellationToken) {
    assert_ne!(
        SERVED.fetch_add(1, Ordering::SeqCst),
        0,
        "a defect in serving"
    );
    stop.cancelled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_and_a_service_that_panic_run_again() {
    let core = TestApp::with(TestOptions {
        contexts: Some(|_, _| {
            let jobs = Jobs::new().every(Duration::from_secs(60), SWEEP, sweep);
            vec![Context {
                jobs: jobs.service(serve),
                ..Context::new("order", &[])
            }]
        }),
        ..TestOptions::default()
    })
    .await;
    let app = core.app();
    for runs in 1..=3 {
        let cause = Cause::fresh(&core.clock);
        let mut tx = app.db.begin("order", &cause).await.unwrap();
        tx.wake(app.jobs.wake(SWEEP));
        tx.commit().await.unwrap();
        core.settle().await;
        assert_eq!(SWEPT.load(Ordering::SeqCst), runs);
    }
    until("the service runs again", async || {
        SERVED.load(Ordering::SeqCst) == 2
    })
    .await;
}

const FLAKY: Job = Job::of("order", "reckon");
static RECKONED: AtomicUsize = AtomicUsize::new(0);

async fn reckon(_: &App, _: &Cause) -> Result<(), Failure> {
    match RECKONED.fetch_add(1, Ordering::SeqCst) {
        5 => Ok(()),
        _ => Err(Failure::retry("it can't be reckoned")),
    }
}

/// A job that failed at each run was a line in a log that nobody read.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_again_and_again_is_an_alarm_until_it_succeeds() {
    let core = TestApp::with(TestOptions {
        contexts: Some(|_, _| {
            vec![Context {
                jobs: Jobs::new().every(Duration::from_secs(60), FLAKY, reckon),
                ..Context::new("order", &[])
            }]
        }),
        ..TestOptions::default()
    })
    .await;
    let app = core.app();
    let mut alarms = Vec::new();
    for _ in 1..=6 {
        let mut tx = app
            .db
            .begin("order", &Cause::fresh(&core.clock))
            .await
            .unwrap();
        tx.wake(app.jobs.wake(FLAKY));
        tx.commit().await.unwrap();
        core.settle().await;
        let mut conn = app.db.read("order").await.unwrap();
        let standing: Vec<String> = sqlx::query_scalar(
            "select kind || ' ' || subject || ' ' || (details ->> 'failures') from standing_alarms
             where cleared_at is null",
        )
        .fetch_all(&mut *conn)
        .await
        .unwrap();
        alarms.push(standing.join(", "));
    }
    let raised = "jobs.failing order/reckon 5";
    assert_eq!(alarms, ["", "", "", "", raised, ""]);
}

const GUARD: Job = Job::of("order", "guard");
static GUARDING: AtomicUsize = AtomicUsize::new(0);

/// Does what one process alone may do, and never ends by itself.
async fn guard(_: &App, _: &Cause) -> Result<(), Failure> {
    struct Guarding;
    impl Drop for Guarding {
        fn drop(&mut self) {
            GUARDING.fetch_sub(1, Ordering::SeqCst);
        }
    }
    GUARDING.fetch_add(1, Ordering::SeqCst);
    let _guarding = Guarding;
    std::future::pending().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_loses_its_lock_ends_before_it_meets_its_like() {
    let core = TestApp::with(TestOptions {
        contexts: Some(|_, _| {
            vec![Context {
                jobs: Jobs::new().every(Duration::from_secs(60), GUARD, guard),
                ..Context::new("order", &[])
            }]
        }),
        ..TestOptions::default()
    })
    .await;
    let app = core.app().clone();
    let running = tokio::spawn(async move { jobs::run_now(&app, "order", GUARD.name).await });
    until("it runs", async || GUARDING.load(Ordering::SeqCst) == 1).await;
    let mut server = PgConnection::connect(core.scope.database.url())
        .await
        .unwrap();
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_locks join pg_database on oid = database
         where locktype = 'advisory' and datname = current_database()",
    )
    .execute(&mut server)
    .await
    .unwrap();
    assert!(running.await.unwrap().is_err());
    assert_eq!(GUARDING.load(Ordering::SeqCst), 0);
}
