//! What tests do to messages: deliver each twice, fail one step once, fail every step once. In
//! production it does nothing. The laws of `flows.rs` are tested with it.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

/// Injected into the consumer loop.
#[derive(Clone, Debug, Default)]
pub struct Interference(Option<Arc<Plan>>);

#[derive(Debug)]
struct Plan {
    twice: bool,
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

impl Interference {
    fn plan(twice: bool, failing: Failing) -> Self {
        Self(Some(Arc::new(Plan {
            twice,
            failing,
            failed: Mutex::default(),
        })))
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
        if self.0.as_ref().is_some_and(|plan| plan.twice) {
            2
        } else {
            1
        }
    }

    /// Whether this attempt is to fail before its commit.
    pub(crate) fn breaks(&self, context: &str, handler: &str, message: uuid::Uuid) -> bool {
        self.0.as_ref().is_some_and(|plan| {
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
        let failed = self.0.as_ref().and_then(|plan| plan.failed.lock().ok());
        failed.map(|failed| failed.clone()).unwrap_or_default()
    }
}
