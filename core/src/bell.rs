//! The bell: a commit with outbox rows rings it, and the relay of that context wakes.
//!
//! Where the relay is in this process, ringing is a notification in memory. Otherwise it is a
//! `NOTIFY`, sent beside the business transactions and never inside: in a transaction it takes a
//! lock over the whole database at commit, which would queue up an on-sale. The relay's slow poll
//! is the safety net under both.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// One bell per context. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bell(Arc<BTreeMap<&'static str, OneBell>>);

#[derive(Debug, Default)]
struct OneBell {
    relay: Notify,
    others: Notify,
    /// Whether the relay of this context runs in this process.
    relay_is_here: AtomicBool,
}

impl Bell {
    /// Bells for these contexts.
    #[must_use]
    pub fn new(contexts: impl IntoIterator<Item = &'static str>) -> Self {
        Self(Arc::new(
            contexts
                .into_iter()
                .map(|name| (name, OneBell::default()))
                .collect(),
        ))
    }

    /// Rows were committed in this process.
    pub fn ring(&self, context: &str) {
        if let Some(bell) = self.0.get(context) {
            if bell.relay_is_here.load(Ordering::Acquire) {
                bell.relay.notify_one();
            } else {
                bell.others.notify_one();
            }
        }
    }

    /// Rows were committed in another process.
    pub(crate) fn heard_from_afar(&self, context: &str) {
        if let Some(bell) = self.0.get(context) {
            bell.relay.notify_one();
        }
    }

    /// The relay of this context begins or ends to run here.
    pub(crate) fn relay_is_here(&self, context: &str, here: bool) {
        if let Some(bell) = self.0.get(context) {
            bell.relay_is_here.store(here, Ordering::Release);
        }
    }

    /// Waits until the relay here has something to do. A ring before the call counts.
    pub(crate) async fn for_relay(&self, context: &str) {
        match self.0.get(context) {
            Some(bell) => bell.relay.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Waits until relays elsewhere have to be told.
    pub(crate) async fn for_others(&self, context: &str) {
        match self.0.get(context) {
            Some(bell) => bell.others.notified().await,
            None => std::future::pending().await,
        }
    }
}
