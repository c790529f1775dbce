//! Jobs and services: a panic ends one run and not the loop.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use eventify_kernel::app::App;
use eventify_kernel::cause::Cause;
use eventify_kernel::context::Context;
use eventify_kernel::failure::Failure;
use eventify_kernel::jobs::{Job, Jobs};
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
