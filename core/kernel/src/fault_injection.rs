//! Faults that tests inject: deliver each message twice, fail one step once, fail every step once;
//! and the notification of progress that they wait for. In production it does nothing. The laws of
//! `flows.rs` are tested with it.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Injected into consumers, relays and jobs.
#[derive(Clone, Debug, Default)]
pub struct FaultInjection {
    plan: Option<Arc<Plan>>,
    progress: Arc<Notify>,
}

#[derive(Debug)]
struct Plan {
    deliver_twice: bool,
    failing: Failing,
    /// Context, handler, message.
    failed: Mutex<HashSet<(String, String, uuid::Uuid)>>,
}

#[derive(Debug)]
enum Failing {
    Nothing,
    Step(String, String),
    EveryStep,
}

impl FaultInjection {
    fn plan(deliver_twice: bool, failing: Failing) -> Self {
        Self {
            plan: Some(Arc::new(Plan {
                deliver_twice,
                failing,
                failed: Mutex::default(),
            })),
            progress: Arc::default(),
        }
    }

    /// Injects no faults and shares the progress: for a second process of the same core.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            plan: None,
            progress: Arc::clone(&self.progress),
        }
    }

    /// A message was published or consumed, or a job has ended: tests look again.
    pub(crate) fn progressed(&self) {
        self.progress.notify_waiters();
    }

    /// Waits for the next progress. What comes after this call counts once it has been enabled.
    pub fn progress(&self) -> OwnedNotified {
        Arc::clone(&self.progress).notified_owned()
    }

    /// Every message is delivered two times at the same moment.
    #[must_use]
    pub fn deliver_twice() -> Self {
        Self::plan(true, Failing::Nothing)
    }

    /// The first attempt at each message of this handler does its work and then fails before the
    /// commit, as if the process had died there.
    #[must_use]
    pub fn fail_once(context: &str, handler: &str) -> Self {
        Self::plan(false, Failing::Step(context.to_owned(), handler.to_owned()))
    }

    /// The same for every handler.
    #[must_use]
    pub fn fail_each_once() -> Self {
        Self::plan(false, Failing::EveryStep)
    }

    /// How often a message is handled.
    pub(crate) fn deliveries(&self) -> usize {
        if self.plan.as_ref().is_some_and(|plan| plan.deliver_twice) {
            2
        } else {
            1
        }
    }

    /// Whether this attempt is to fail before its commit.
    pub(crate) fn breaks(&self, context: &str, handler: &str, message: uuid::Uuid) -> bool {
        self.plan.as_ref().is_some_and(|plan| {
            let hit = match &plan.failing {
                Failing::Nothing => false,
                Failing::Step(at, step) => at == context && step == handler,
                Failing::EveryStep => true,
            };
            let attempt = (context.to_owned(), handler.to_owned(), message);
            hit && plan
                .failed
                .lock()
                .is_ok_and(|mut failed| failed.insert(attempt))
        })
    }

    /// How many messages were made to fail, so that a test knows that its law was tested.
    #[must_use]
    pub fn broken(&self) -> usize {
        self.failed().len()
    }

    /// Which handlers were made to fail: context and function.
    #[must_use]
    pub fn broken_steps(&self) -> BTreeSet<(String, String)> {
        let failed = self.failed().into_iter();
        failed
            .map(|(context, handler, _)| (context, handler))
            .collect()
    }

    fn failed(&self) -> HashSet<(String, String, uuid::Uuid)> {
        let failed = self.plan.as_ref().and_then(|plan| plan.failed.lock().ok());
        failed.map(|failed| failed.clone()).unwrap_or_default()
    }
}
