//! Jobs: what time makes a context do. Sweepers, reconciliation, deadlines, long-lived services.
//!
//! A job runs at its interval in one process at a time (advisory lock), at once when a transaction
//! wakes it, and by name in tests. It must be safe to run at any moment and any number of times.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::app::App;
use crate::cause::Cause;
use crate::failure::Failure;
use crate::names::short_name;

type Run =
    Arc<dyn for<'a> Fn(&'a App, &'a Cause) -> BoxFuture<'a, Result<(), Failure>> + Send + Sync>;
type Serve = Arc<dyn Fn(App, CancellationToken) -> BoxFuture<'static, ()> + Send + Sync>;

/// An `async fn name(app: &App, cause: &Cause) -> Result<(), Failure>`.
pub trait JobFn<'a>: Send + Sync {
    /// The function's future.
    type Done: Future<Output = Result<(), Failure>> + Send + 'a;
    /// Calls it.
    fn call(&self, app: &'a App, cause: &'a Cause) -> Self::Done;
}

impl<'a, F, Done> JobFn<'a> for F
where
    F: Fn(&'a App, &'a Cause) -> Done + Send + Sync,
    Done: Future<Output = Result<(), Failure>> + Send + 'a,
{
    type Done = Done;

    fn call(&self, app: &'a App, cause: &'a Cause) -> Done {
        self(app, cause)
    }
}

/// A context's jobs and services.
#[derive(Clone, Default)]
pub struct Jobs {
    jobs: Vec<Job>,
    services: Vec<(&'static str, Serve)>,
}

#[derive(Clone)]
struct Job {
    name: &'static str,
    every: Duration,
    run: Run,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.jobs.iter().map(|job| (job.name, job.every)))
            .finish()
    }
}

impl Jobs {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `job` at this interval, and when woken. Its name is the function's name.
    #[must_use]
    pub fn every<F>(mut self, every: Duration, job: F) -> Self
    where
        F: for<'a> JobFn<'a> + Copy + 'static,
    {
        let name = short_name::<F>();
        let run: Run = Arc::new(move |app, cause| job.call(app, cause).boxed());
        self.jobs.push(Job { name, every, run });
        self
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.jobs.extend(more.jobs);
        self.services.extend(more.services);
        self
    }

    /// Names of the jobs that have a timer.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.jobs.iter().map(|job| job.name)
    }

    /// Keeps `service` running in every process that works, until the token is cancelled. It is
    /// started again when it returns before that. Elect with `app.db.elect` where one is enough.
    #[must_use]
    pub fn service<F, Done>(mut self, service: F) -> Self
    where
        F: Fn(App, CancellationToken) -> Done + Send + Sync + 'static,
        Done: Future<Output = ()> + Send + 'static,
    {
        self.services.push((
            short_name::<F>(),
            Arc::new(move |app, stop| service(app, stop).boxed()),
        ));
        self
    }
}

/// Wakes jobs of this process, and knows whether any is awake.
#[derive(Clone, Debug, Default)]
pub struct JobBells(Arc<BTreeMap<String, JobBell>>);

struct JobBell {
    context: &'static str,
    job: Job,
    bell: Notify,
    /// Wakes whose transaction hasn't ended.
    promised: AtomicUsize,
    /// Wakes that were delivered and not yet taken up.
    rung: AtomicUsize,
    running: AtomicUsize,
}

impl std::fmt::Debug for JobBell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.context, self.job.name)
    }
}

/// A wake that will be delivered after the commit. Dropped undelivered, it wakes nobody.
#[derive(Debug)]
pub struct Wake {
    bells: JobBells,
    job: String,
}

impl JobBell {
    fn of(context: &'static str, job: &Job) -> Self {
        Self {
            context,
            job: job.clone(),
            bell: Notify::new(),
            promised: AtomicUsize::new(0),
            rung: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
        }
    }
}

impl JobBells {
    /// Bells for all jobs of these contexts.
    #[must_use]
    pub fn new<'a>(contexts: impl IntoIterator<Item = (&'static str, &'a Jobs)>) -> Self {
        let bells = contexts.into_iter().flat_map(|(context, jobs)| {
            jobs.jobs
                .iter()
                .map(move |job| (key(context, job.name), JobBell::of(context, job)))
        });
        Self(Arc::new(bells.collect()))
    }

    /// A wake for `<context>/<job>`, to be handed to [`Tx::wake`](crate::db::Tx::wake).
    #[must_use]
    pub fn wake(&self, context: &str, job: &str) -> Wake {
        let job = key(context, job);
        if let Some(bell) = self.0.get(&job) {
            bell.promised.fetch_add(1, Ordering::SeqCst);
        }
        Wake {
            bells: self.clone(),
            job,
        }
    }

    /// Whether no job has been woken that hasn't run since.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.0.values().all(|bell| {
            [&bell.promised, &bell.rung, &bell.running]
                .iter()
                .all(|count| count.load(Ordering::SeqCst) == 0)
        })
    }
}

impl Wake {
    pub(crate) fn deliver(self) {
        if let Some(bell) = self.bells.0.get(&self.job) {
            bell.rung.fetch_add(1, Ordering::SeqCst);
            bell.bell.notify_one();
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        if let Some(bell) = self.bells.0.get(&self.job) {
            bell.promised.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

fn key(context: &str, job: &str) -> String {
    format!("{context}/{job}")
}

/// Longest pause before a service that ended is started again.
const SERVICE_RESTART: Duration = Duration::from_millis(500);

/// Starts a context's jobs and services; they end when `stop` is cancelled.
pub(crate) fn start(
    app: &App,
    context: &'static str,
    jobs: &Jobs,
    stop: &CancellationToken,
) -> Vec<BoxFuture<'static, ()>> {
    let factor = app.config.jobs.interval_factor;
    let mut running: Vec<BoxFuture<'static, ()>> = Vec::new();
    for job in jobs.jobs.clone() {
        let every = (factor > 0.0).then(|| job.every.mul_f64(factor));
        running.push(keep_running(app.clone(), context, job, every, stop.clone()).boxed());
    }
    for (name, serve) in jobs.services.clone() {
        let (app, stop) = (app.clone(), stop.clone());
        running.push(
            async move {
                while !stop.is_cancelled() {
                    serve(app.clone(), stop.clone()).await;
                    if !stop.is_cancelled() {
                        tracing::warn!(context, service = name, "service ended; starting it again");
                        stop.run_until_cancelled(tokio::time::sleep(SERVICE_RESTART))
                            .await;
                    }
                }
            }
            .boxed(),
        );
    }
    running
}

async fn keep_running(
    app: App,
    context: &'static str,
    job: Job,
    every: Option<Duration>,
    stop: CancellationToken,
) {
    let bell = &app.jobs.0[&key(context, job.name)];
    loop {
        let timer = async {
            match every {
                Some(every) => tokio::time::sleep(every).await,
                None => std::future::pending().await,
            }
        };
        let woken = tokio::select! {
            () = stop.cancelled() => return,
            () = bell.bell.notified() => true,
            () = timer => false,
        };
        bell.running.fetch_add(1, Ordering::SeqCst);
        if woken {
            bell.rung.store(0, Ordering::SeqCst);
        }
        if let Err(failure) = run_elected(&app, context, &job, woken).await {
            tracing::error!(context, job = job.name, %failure, "job failed");
        }
        bell.running.fetch_sub(1, Ordering::SeqCst);
        app.interference.progressed();
    }
}

/// One run under the job's lock. A timer's run is left out when another process is at it.
async fn run_elected(
    app: &App,
    context: &'static str,
    job: &Job,
    must_run: bool,
) -> Result<(), Failure> {
    let lock = format!("job/{}", job.name);
    let elected = if must_run {
        app.db.elect(context, &lock).await?
    } else {
        match app.db.try_elect(context, &lock).await? {
            Some(elected) => elected,
            None => return Ok(()),
        }
    };
    let cause = Cause::fresh(&app.clock);
    let span = cause.span(job.name);
    let result = (job.run)(app, &cause).instrument(span).await;
    elected.resign().await;
    result
}

/// Works on all items, so many at once. The others go on when one fails; then the first failure is
/// answered.
///
/// # Errors
/// The first failure.
pub async fn at_once<T, E>(
    limit: usize,
    items: Vec<T>,
    work: impl Fn(T) -> BoxFuture<'static, Result<(), E>>,
) -> Result<(), E> {
    let mut working = stream::iter(items).map(work).buffer_unordered(limit);
    let mut result = Ok(());
    while let Some(done) = working.next().await {
        result = result.and(done);
    }
    result
}

/// Runs a job now, as its timer would. For tests and operators.
///
/// # Errors
/// The job's own failure; [`Failure::Park`] when there is no such job.
pub async fn run_now(app: &App, context: &str, name: &str) -> Result<(), Failure> {
    if let Some(bell) = app.jobs.0.get(&key(context, name)) {
        return run_elected(app, bell.context, &bell.job, true).await;
    }
    Err(Failure::park(format!("there is no job {context}/{name}")))
}
