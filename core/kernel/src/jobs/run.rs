//! The loops of jobs and services.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{Job, Jobs, Scheduled, Serve, failing};
use crate::app::App;
use crate::cause::Cause;
use crate::failure::Failure;
use crate::supervision::{caught, supervised};

/// Pause before a service that ended is started again.
const SERVICE_RESTART: Duration = Duration::from_millis(500);

/// Starts a context's jobs and services; they end when `stop` is cancelled.
pub fn start(
    app: &App,
    context: &'static str,
    jobs: &Jobs,
    stop: &CancellationToken,
) -> Vec<BoxFuture<'static, ()>> {
    let factor = app.config.jobs.interval_factor;
    let mut running: Vec<BoxFuture<'static, ()>> = Vec::new();
    for scheduled in &jobs.jobs {
        let every = (factor > 0.0).then(|| scheduled.every.mul_f64(factor));
        let (job, app) = (scheduled.job, app.clone());
        let run = move |stop| keep_running(app.clone(), job, every, stop);
        running.push(supervised(context, job.name, stop, run));
    }
    for (name, serve) in jobs.services.clone() {
        let app = app.clone();
        let run = move |stop| keep_serving(app.clone(), (context, name), serve.clone(), stop);
        running.push(supervised(context, name, stop, run));
    }
    running
}

async fn keep_serving(
    app: App,
    (context, service): (&'static str, &'static str),
    serve: Serve<App>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        serve(app.clone(), stop.clone()).await;
        if !stop.is_cancelled() {
            tracing::warn!(
                code = "jobs.service_ended",
                context,
                service,
                "a service ended and is started again"
            );
            let pause = tokio::time::sleep(SERVICE_RESTART);
            stop.run_until_cancelled(pause).await;
        }
    }
}

async fn keep_running(app: App, job: Job, every: Option<Duration>, stop: CancellationToken) {
    let waker = &app.jobs.0[&job];
    loop {
        let timer = async {
            match every {
                Some(every) => tokio::time::sleep(every).await,
                None => std::future::pending().await,
            }
        };
        let woken = tokio::select! {
            () = stop.cancelled() => return,
            () = waker.notify.notified() => true,
            () = timer => false,
        };
        waker.running.fetch_add(1, Ordering::SeqCst);
        if woken {
            waker.delivered.store(0, Ordering::SeqCst);
        }
        let ran = run_elected(&app, &waker.scheduled, woken).await;
        failing::record(&app, (job, &waker.failures), ran, woken).await;
        waker.running.fetch_sub(1, Ordering::SeqCst);
        app.faults.progressed();
    }
}

/// One run under the job's lock. A timer's run is left out, which is false, when another process is at it.
async fn run_elected(app: &App, scheduled: &Scheduled, must_run: bool) -> Result<bool, Failure> {
    let Job {
        context,
        name,
        work,
    } = scheduled.job;
    let app = &app.for_work(work);
    let lock = format!("job/{name}");
    let mut elected = if must_run {
        app.db.elect(context, &lock).await?
    } else {
        match app.db.try_elect(context, &lock).await? {
            Some(elected) => elected,
            None => return Ok(false),
        }
    };
    let cause = Cause::fresh(&app.clock);
    let span = cause.span(name);
    let running = caught((scheduled.run)(app, &cause).instrument(span));
    let result = elected.while_held(running).await?;
    elected.resign().await;
    result??;
    Ok(true)
}

/// Runs a job now, as its timer would. For tests and operators.
///
/// # Errors
/// The job's own failure; [`Failure::Park`] when there is no such job.
pub async fn run_now(app: &App, context: &str, name: &str) -> Result<(), Failure> {
    let mut jobs = app.jobs.0.values().map(|waker| &waker.scheduled);
    let found = jobs.find(|it| it.job.context == context && it.job.name == name);
    let scheduled =
        found.ok_or_else(|| Failure::park(format!("there is no job {context}/{name}")))?;
    run_elected(app, scheduled, true).await?;
    Ok(())
}
