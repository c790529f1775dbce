//! Durable work: what a transaction wants done outside of itself, such as a call to another party.
//!
//! [`Tx::request`](crate::db::Tx::request) writes a row in the transaction and wakes the job of its
//! kind. The job claims due rows, works on several at once, and deletes what is done; what failed
//! is due again after 1, 2, 4 … 60 seconds ([`Task::MAX_PAUSE`]), and what can't be done is parked for an operator
//! (`eventify-core tasks list|retry|drop`). Work may be repeated at any point: it must be idempotent.
//!
//! Deliberately not here: results (they are the context's own rows), priorities, cron.

use std::time::Duration;

use chrono::TimeDelta;
use eventify_protocol::ids::CorrelationId;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::app::App;
use crate::cause::Cause;
use crate::db::DbResult;
use crate::db::tasks::{self as rows, Claimed};
use crate::failure::Failure;
use crate::jobs::Job;
use crate::supervision::caught;

/// Tasks that are claimed at once, for each that can be worked on at once.
const CLAIMED_PER_WORKER: u16 = 4;
/// A claimed task is due again after this, should its process have died. Longer than it takes to work
/// on all that were claimed, with every call at its timeout and its last attempt.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// Every so many failed attempts an operator is notified.
pub(crate) const ALARM_EVERY: i32 = 10;

/// A kind of task: the type of its payload. The job of the same name works on it.
pub trait Task: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The job that works on it; its name is the kind.
    const JOB: Job;
    /// How many are worked on at once in a process.
    const CONCURRENCY: u16 = 16;
    /// Safety net behind the wakes, and how soon one that is due is found.
    const EVERY: Duration = Duration::from_secs(1);

    /// Longest pause between two attempts.
    const MAX_PAUSE: TimeDelta = TimeDelta::seconds(60);
    /// An attempt that takes longer has failed: one that waits for what never comes must not hold up
    /// all others of its kind.
    const LONGEST: Duration = Duration::from_secs(30);

    /// What it is about. A second request for the same key replaces the first.
    fn key(&self) -> Uuid;
}

/// A task in hand.
#[derive(Clone, Debug)]
pub struct Attempt<T> {
    pub task: T,
    /// Attempts that were begun before this one since the request, also those whose process died.
    pub earlier: i32,
    /// The chain of work that requested it.
    pub cause: Cause,
}

/// Pause after an attempt with so many earlier ones: 1, 2, 4 … seconds.
fn pause(earlier: i32, longest: TimeDelta) -> TimeDelta {
    TimeDelta::seconds(1 << earlier.clamp(0, 16)).min(longest)
}

/// An `async fn(app: A, attempt: Attempt<T>) -> Result<Outcome, Failure>`.
pub trait TaskFn<A, T>: Copy + Send + Sync + 'static {
    /// The function's future.
    type Done: Future<Output = Result<Outcome, Failure>> + Send + 'static;
    /// Calls it.
    fn call(&self, app: A, attempt: Attempt<T>) -> Self::Done;
}

impl<A, T, F, Done> TaskFn<A, T> for F
where
    F: Fn(A, Attempt<T>) -> Done + Copy + Send + Sync + 'static,
    Done: Future<Output = Result<Outcome, Failure>> + Send + 'static,
{
    type Done = Done;

    fn call(&self, app: A, attempt: Attempt<T>) -> Done {
        self(app, attempt)
    }
}

/// The result of an attempt that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The task goes, unless it was requested anew meanwhile.
    Done,
    /// There is nothing to do yet. The next attempt comes after a pause, but this one counts as no
    /// failure.
    Wait,
    /// The same, and the next attempt comes after this: another party said so.
    After(TimeDelta),
}

/// Works on all tasks of a kind that are due. One that fails doesn't stop the others.
pub(crate) async fn work<A, T, F>(app: &A, run: F) -> Result<(), Failure>
where
    A: AsRef<App> + Clone,
    T: Task,
    F: TaskFn<A, T>,
{
    loop {
        let base = app.as_ref();
        let now = base.clock.now();
        let limit = T::CONCURRENCY * CLAIMED_PER_WORKER;
        let mut conn = base.db.read(T::JOB.context).await?;
        let claimed = rows::claim(&mut conn, T::JOB.name, (now, now + LEASE), limit).await?;
        drop(conn);
        if claimed.is_empty() {
            return Ok(());
        }
        let mut working = stream::iter(claimed)
            .map(|claimed| attempt(app.clone(), run, claimed))
            .buffer_unordered(usize::from(T::CONCURRENCY));
        let mut result = Ok(());
        while let Some(recorded) = working.next().await {
            result = result.and(recorded);
        }
        result?;
    }
}

/// One attempt, and what is written of it.
async fn attempt<A, T, F>(app: A, run: F, claimed: Claimed) -> DbResult<()>
where
    A: AsRef<App> + Clone,
    T: Task,
    F: TaskFn<A, T>,
{
    let outcome = match serde_json::from_value(claimed.payload.clone()) {
        Ok(task) => {
            let cause = Cause::of(CorrelationId(claimed.correlation_id));
            let earlier = claimed.attempts - 1;
            let attempt = Attempt {
                task,
                earlier,
                cause,
            };
            let working = async { run.call(app.clone(), attempt).await };
            match tokio::time::timeout(T::LONGEST, caught(working)).await {
                Ok(done) => done.map_err(Failure::from).flatten(),
                Err(_) => Err(Failure::retry("it took too long and was given up")),
            }
        }
        Err(error) => Err(Failure::park(error)),
    };
    record::<T>(app.as_ref(), &claimed, outcome).await
}

async fn record<T: Task>(
    app: &App,
    claimed: &Claimed,
    outcome: Result<Outcome, Failure>,
) -> DbResult<()> {
    let Job { context, name, .. } = T::JOB;
    let (task, now) = (claimed.key, app.clock.now());
    let again_at = now + pause(claimed.attempts - 1, T::MAX_PAUSE);
    let mut conn = app.db.read(context).await?;
    match outcome {
        Ok(Outcome::Done) => rows::finish(&mut conn, name, claimed).await,
        Ok(Outcome::Wait) => rows::postpone(&mut conn, name, claimed, again_at, None).await,
        Ok(Outcome::After(pause)) => {
            rows::postpone(&mut conn, name, claimed, now + pause, None).await
        }
        Err(Failure::Retry(error)) => {
            let failures = claimed.failures + 1;
            if failures % ALARM_EVERY == 0 {
                tracing::error!(code = "tasks.keeps_failing", context, kind = name, %task,
                    failures, error, "a task keeps failing");
            } else {
                tracing::warn!(code = "tasks.failed", context, kind = name, %task, failures,
                    error, "a task failed and is tried again");
            }
            rows::postpone(&mut conn, name, claimed, again_at, Some(&error)).await
        }
        Err(Failure::Park(error)) => {
            tracing::error!(code = "tasks.parked", context, kind = name, %task, error,
                "a task was parked");
            rows::park(&mut conn, name, claimed, now, &error).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_minute() {
        let pauses: Vec<_> = (0..9)
            .map(|earlier| pause(earlier, TimeDelta::seconds(60)).num_seconds())
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
