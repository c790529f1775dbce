//! Jobs: what time makes a context do. Sweepers, reconciliation, deadlines, long-lived services.
//!
//! A job runs at its interval in one process at a time (advisory lock), at once when a transaction
//! wakes it, and by name in tests. It must be safe to run at any moment and any number of times.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use tokio_util::sync::CancellationToken;

use crate::app::{App, AppWith};
use crate::cause::Cause;
use crate::db::Work;
use crate::failure::Failure;
use crate::names::short_name;
use crate::tasks::{self, Task, TaskFn};

mod failing;
mod run;
mod wakers;

pub use run::{run_now, start};
pub use wakers::{JobWakers, Wake};

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
    /// Who waits for it: whose connections it has.
    pub(crate) work: Work,
}

impl Job {
    /// Names a job.
    #[must_use]
    pub const fn of(context: &'static str, name: &'static str) -> Self {
        Self {
            context,
            name,
            work: Work::Ordinary,
        }
    }

    /// The same, for which gates wait: it has their connections.
    #[must_use]
    pub const fn for_gates(self) -> Self {
        Self {
            work: Work::Gates,
            ..self
        }
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
