//! What tests do to messages: deliver each twice, fail one step once. In production it does
//! nothing. The laws of `flows.rs` are tested with it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// Injected into the consumer loop.
#[derive(Clone, Debug, Default)]
pub struct Interference(Option<Arc<Plan>>);

#[derive(Debug)]
struct Plan {
    twice: bool,
    failing: Option<(String, String)>,
    failed: Mutex<HashSet<uuid::Uuid>>,
}

impl Interference {
    /// Every message is delivered two times at the same moment.
    #[must_use]
    pub fn deliver_twice() -> Self {
        Self(Some(Arc::new(Plan {
            twice: true,
            failing: None,
            failed: Mutex::default(),
        })))
    }

    /// The first attempt at each message of this handler does its work and then fails before the
    /// commit, as if the process had died there.
    #[must_use]
    pub fn fail_once(context: &str, handler: &str) -> Self {
        let failing = Some((context.to_owned(), handler.to_owned()));
        Self(Some(Arc::new(Plan {
            twice: false,
            failing,
            failed: Mutex::default(),
        })))
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
            let hit = plan
                .failing
                .as_ref()
                .is_some_and(|(at, step)| at == context && step == handler);
            hit && plan
                .failed
                .lock()
                .is_ok_and(|mut failed| failed.insert(message))
        })
    }

    /// How many messages were made to fail, so that a test knows that its law was tested.
    #[must_use]
    pub fn broken(&self) -> usize {
        self.0
            .as_ref()
            .and_then(|plan| plan.failed.lock().ok().map(|set| set.len()))
            .unwrap_or(0)
    }
}
