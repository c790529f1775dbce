//! Wakes the relay of a context when outbox rows were committed.
//!
//! Where the relay runs in this process, that is a notification in memory. Otherwise it is a
//! `NOTIFY`, sent beside the business transactions and never inside: in a transaction it takes a
//! lock over the whole database at commit, which would queue up an on-sale. The relay's slow poll
//! is the safety net under both.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// The notifiers of all contexts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OutboxNotifier(Arc<BTreeMap<&'static str, OfContext>>);

#[derive(Debug, Default)]
struct OfContext {
    local: Notify,
    remote: Notify,
    /// Whether the relay of this context runs in this process.
    relay_is_here: AtomicBool,
}

impl OutboxNotifier {
    /// Notifiers for these contexts.
    #[must_use]
    pub fn new(contexts: impl IntoIterator<Item = &'static str>) -> Self {
        let notifiers = contexts
            .into_iter()
            .map(|name| (name, OfContext::default()));
        Self(Arc::new(notifiers.collect()))
    }

    /// Rows were committed in this process.
    pub fn committed(&self, context: &str) {
        if let Some(notifier) = self.0.get(context) {
            if notifier.relay_is_here.load(Ordering::Acquire) {
                notifier.local.notify_one();
            } else {
                notifier.remote.notify_one();
            }
        }
    }

    /// Rows were committed in another process.
    pub(crate) fn committed_elsewhere(&self, context: &str) {
        if let Some(notifier) = self.0.get(context) {
            notifier.local.notify_one();
        }
    }

    /// The relay of this context begins or ends to run here.
    pub(crate) fn relay_is_here(&self, context: &str, here: bool) {
        if let Some(notifier) = self.0.get(context) {
            notifier.relay_is_here.store(here, Ordering::Release);
        }
    }

    /// Waits until the relay here has something to do. A commit before the call counts.
    pub(crate) async fn local(&self, context: &str) {
        match self.0.get(context) {
            Some(notifier) => notifier.local.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Waits until relays elsewhere have to be notified.
    pub(crate) async fn remote(&self, context: &str) {
        match self.0.get(context) {
            Some(notifier) => notifier.remote.notified().await,
            None => std::future::pending().await,
        }
    }
}
