//! The bell: a commit with outbox rows rings it, and the relay of that context wakes.
//!
//! Within a process it is a notification in memory; between processes `NOTIFY`, sent beside the
//! business transactions and never inside: a `NOTIFY` in a transaction takes a lock over the whole
//! database at commit, which would queue up an on-sale.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

/// One bell per context. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bell(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    relays: BTreeMap<&'static str, Notify>,
    remote: BTreeMap<&'static str, Notify>,
}

impl Bell {
    /// Bells for these contexts.
    #[must_use]
    pub fn new(contexts: impl IntoIterator<Item = &'static str> + Clone) -> Self {
        let bells = |names: Vec<&'static str>| {
            names
                .into_iter()
                .map(|name| (name, Notify::new()))
                .collect()
        };
        let names: Vec<_> = contexts.into_iter().collect();
        Self(Arc::new(Inner {
            relays: bells(names.clone()),
            remote: bells(names),
        }))
    }

    /// Rows were committed here: wakes the relay here and tells the other processes.
    pub fn ring(&self, context: &str) {
        self.wake(context);
        if let Some(bell) = self.0.remote.get(context) {
            bell.notify_one();
        }
    }

    /// Wakes the relay of this process alone: another process rang.
    pub fn wake(&self, context: &str) {
        if let Some(bell) = self.0.relays.get(context) {
            bell.notify_one();
        }
    }

    /// Waits until rows of a context were committed anywhere. A ring before the call counts.
    pub async fn heard(&self, context: &str) {
        match self.0.relays.get(context) {
            Some(bell) => bell.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Waits until rows of a context were committed in this process.
    pub async fn rung_here(&self, context: &str) {
        match self.0.remote.get(context) {
            Some(bell) => bell.notified().await,
            None => std::future::pending().await,
        }
    }
}
