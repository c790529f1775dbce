//! Wakes: a job runs when the transaction that needs it has committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::{Job, Jobs, Scheduled};

/// Wakes jobs of this process, and knows whether any is awake.
#[derive(Clone, Debug, Default)]
pub struct JobWakers(pub(super) Arc<BTreeMap<Job, JobWaker>>);

pub(super) struct JobWaker {
    pub(super) scheduled: Scheduled,
    pub(super) notify: Notify,
    /// Wakes whose transaction hasn't ended.
    promised: AtomicUsize,
    /// Wakes that were delivered and not yet taken up.
    pub(super) delivered: AtomicUsize,
    pub(super) running: AtomicUsize,
    /// Runs that failed since the last that did not.
    pub(super) failures: AtomicU32,
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
                failures: AtomicU32::new(0),
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
