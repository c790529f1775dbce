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

use crate::app::{App, AppWith};
use crate::cause::Cause;
use crate::failure::Failure;
use crate::names::short_name;
use crate::supervision::{caught, supervised};
use crate::tasks::{self, Task, TaskFn};

type Run<A> =
    Arc<dyn for<'a> Fn(&'a A, &'a Cause) -> BoxFuture<'a, Result<(), Failure>> + Send + Sync>;
type Serve<A> = Arc<dyn Fn(A, CancellationToken) -> BoxFuture<'static, ()> + Send + Sync>;

/// Which job: what [`Jobs::every`] registers and [`JobWakers::wake`] wakes. A constant each:
/// `pub(crate) const DRIVE_REFUNDS: Job = Job::of(NAME, "drive_refunds");`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Job {
    /// Its context.
    pub context: &'static str,
    /// Unique in its context.
    pub name: &'static str,
}

impl Job {
    /// Names a job.
    #[must_use]
    pub const fn of(context: &'static str, name: &'static str) -> Self {
        Self { context, name }
    }
}

impl std::fmt::Display for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.context, self.name)
    }
}

/// An `async fn name(app: &A, cause: &Cause) -> Result<(), Failure>`.
pub trait JobFn<'a, A: 'a>: Send + Sync {
    /// The function's future.
    type Done: Future<Output = Result<(), Failure>> + Send + 'a;
    /// Calls it.
    fn call(&self, app: &'a A, cause: &'a Cause) -> Self::Done;
}

impl<'a, A: 'a, F, Done> JobFn<'a, A> for F
where
    F: Fn(&'a A, &'a Cause) -> Done + Send + Sync,
    Done: Future<Output = Result<(), Failure>> + Send + 'a,
{
    type Done = Done;

    fn call(&self, app: &'a A, cause: &'a Cause) -> Done {
        self(app, cause)
    }
}

/// A context's jobs and services. `A` is what they are called with: [`App`], or an [`AppWith`]
/// until [`Jobs::capture`].
pub struct Jobs<A = App> {
    jobs: Vec<Scheduled<A>>,
    services: Vec<(&'static str, Serve<A>)>,
}

struct Scheduled<A = App> {
    job: Job,
    every: Duration,
    run: Run<A>,
}

impl<A> Clone for Scheduled<A> {
    fn clone(&self) -> Self {
        let run = Arc::clone(&self.run);
        Self { run, ..*self }
    }
}

impl<A> Default for Jobs<A> {
    fn default() -> Self {
        Self {
            jobs: Vec::new(),
            services: Vec::new(),
        }
    }
}

impl<A> std::fmt::Debug for Jobs<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.jobs.iter().map(|it| (it.job.name, it.every)))
            .finish()
    }
}

impl<A: Send + Sync + 'static> Jobs<A> {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `run` at this interval, and when `job` is woken.
    #[must_use]
    pub fn every<F>(mut self, every: Duration, job: Job, run: F) -> Self
    where
        F: for<'a> JobFn<'a, A> + Copy + 'static,
    {
        let run: Run<A> = Arc::new(move |app, cause| run.call(app, cause).boxed());
        self.jobs.push(Scheduled { job, every, run });
        self
    }

    /// Works on tasks of this type when they are due or requested.
    #[must_use]
    pub fn tasks<T, F>(mut self, run: F) -> Self
    where
        A: AsRef<App> + Clone,
        T: Task,
        F: TaskFn<A, T>,
    {
        let (job, every) = (T::JOB, T::EVERY);
        let run: Run<A> = Arc::new(move |app, _| tasks::work::<A, T, F>(app, run).boxed());
        self.jobs.push(Scheduled { job, every, run });
        self
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.jobs.extend(more.jobs);
        self.services.extend(more.services);
        self
    }

    /// The jobs that have a timer.
    pub fn list(&self) -> impl Iterator<Item = Job> + '_ {
        self.jobs.iter().map(|it| it.job)
    }

    /// Keeps `service` running in every process that works, until the token is cancelled. It is
    /// started again when it returns before that. Elect with `app.db.elect` where one is enough.
    #[must_use]
    pub fn service<F, Done>(mut self, service: F) -> Self
    where
        F: Fn(A, CancellationToken) -> Done + Send + Sync + 'static,
        Done: Future<Output = ()> + Send + 'static,
    {
        self.services.push((
            short_name::<F>(),
            Arc::new(move |app, stop| service(app, stop).boxed()),
        ));
        self
    }
}

impl<S: Send + Sync + 'static> Jobs<AppWith<S>> {
    /// The jobs are called with this state.
    #[must_use]
    pub fn capture(self, state: &Arc<S>) -> Jobs {
        let jobs = self.jobs.into_iter().map(|Scheduled { job, every, run }| {
            let state = Arc::clone(state);
            let run: Run<App> = Arc::new(move |app, cause| {
                let (app, run) = (app.with(&state), Arc::clone(&run));
                async move { run(&app, cause).await }.boxed()
            });
            Scheduled { job, every, run }
        });
        let services = self.services.into_iter().map(|(name, serve)| {
            let state = Arc::clone(state);
            let serve: Serve<App> = Arc::new(move |app, stop| serve(app.with(&state), stop));
            (name, serve)
        });
        Jobs {
            jobs: jobs.collect(),
            services: services.collect(),
        }
    }
}

/// Wakes jobs of this process, and knows whether any is awake.
#[derive(Clone, Debug, Default)]
pub struct JobWakers(Arc<BTreeMap<Job, JobWaker>>);

struct JobWaker {
    scheduled: Scheduled,
    notify: Notify,
    /// Wakes whose transaction hasn't ended.
    promised: AtomicUsize,
    /// Wakes that were delivered and not yet taken up.
    delivered: AtomicUsize,
    running: AtomicUsize,
}

impl std::fmt::Debug for JobWaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.scheduled.job)
    }
}

/// A wake that will be delivered after the commit. Dropped undelivered, it has no effect.
#[derive(Debug)]
pub struct Wake {
    wakers: JobWakers,
    job: Job,
}

impl JobWakers {
    /// For all jobs of these contexts.
    #[must_use]
    pub fn new<'a>(contexts: impl IntoIterator<Item = &'a Jobs>) -> Self {
        let scheduled = contexts.into_iter().flat_map(|jobs| jobs.jobs.iter());
        let wakers = scheduled.map(|scheduled| {
            let waker = JobWaker {
                scheduled: scheduled.clone(),
                notify: Notify::new(),
                promised: AtomicUsize::new(0),
                delivered: AtomicUsize::new(0),
                running: AtomicUsize::new(0),
            };
            (scheduled.job, waker)
        });
        Self(Arc::new(wakers.collect()))
    }

    /// A wake, to be handed to [`Tx::wake`](crate::db::Tx::wake).
    #[must_use]
    pub fn wake(&self, job: Job) -> Wake {
        if let Some(waker) = self.0.get(&job) {
            waker.promised.fetch_add(1, Ordering::SeqCst);
        }
        Wake {
            wakers: self.clone(),
            job,
        }
    }

    /// Whether no job has been woken that hasn't run since.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.0.values().all(|waker| {
            [&waker.promised, &waker.delivered, &waker.running]
                .iter()
                .all(|count| count.load(Ordering::SeqCst) == 0)
        })
    }
}

impl Wake {
    pub(crate) fn deliver(self) {
        if let Some(waker) = self.wakers.0.get(&self.job) {
            waker.delivered.fetch_add(1, Ordering::SeqCst);
            waker.notify.notify_one();
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        if let Some(waker) = self.wakers.0.get(&self.job) {
            waker.promised.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

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
        if let Err(failure) = run_elected(&app, &waker.scheduled, woken).await {
            let Job { context, name } = job;
            tracing::error!(code = "jobs.failed", context, job = name, error = %failure,
                "a job failed; it runs again at its next interval");
        }
        waker.running.fetch_sub(1, Ordering::SeqCst);
        app.faults.progressed();
    }
}

/// One run under the job's lock. A timer's run is left out when another process is at it.
async fn run_elected(app: &App, scheduled: &Scheduled, must_run: bool) -> Result<(), Failure> {
    let Job { context, name } = scheduled.job;
    let lock = format!("job/{name}");
    let elected = if must_run {
        app.db.elect(context, &lock).await?
    } else {
        match app.db.try_elect(context, &lock).await? {
            Some(elected) => elected,
            None => return Ok(()),
        }
    };
    let cause = Cause::fresh(&app.clock);
    let span = cause.span(name);
    let result = caught((scheduled.run)(app, &cause).instrument(span)).await;
    elected.resign().await;
    result?
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
    let mut jobs = app.jobs.0.values().map(|waker| &waker.scheduled);
    let found = jobs.find(|it| it.job.context == context && it.job.name == name);
    let scheduled =
        found.ok_or_else(|| Failure::park(format!("there is no job {context}/{name}")))?;
    run_elected(app, scheduled, true).await
}
