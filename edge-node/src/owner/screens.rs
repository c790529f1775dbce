//! What the screens are told: the countdown each second, changes at once, counts when they change.

use std::{sync::Arc, time::Duration};

use eventify_protocol::lan::{NodeStatus, StreamEvent};
use eventify_sync::edge::{Reason, Status};
use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};

use super::view::{self, Facts};

/// Changes within this time reach the screens together.
const DELAY: Duration = Duration::from_millis(50);

/// See the module.
pub(super) struct Screens {
    latest: watch::Sender<Arc<NodeStatus>>,
    stream: broadcast::Sender<StreamEvent>,
    shown: Option<Status>,
    due: Option<Instant>,
}

impl Screens {
    pub(super) fn new(
        latest: watch::Sender<Arc<NodeStatus>>,
        stream: broadcast::Sender<StreamEvent>,
    ) -> Self {
        Self {
            latest,
            stream,
            shown: None,
            due: None,
        }
    }

    /// Something has changed.
    pub(super) fn changed(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + DELAY);
    }

    /// When the next change is to be shown.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn show(&mut self, status: Status, facts: &Facts) {
        self.due = None;
        self.latest
            .send_replace(Arc::new(view::node_status(&status, facts)));
        let before = self.shown.as_ref();
        if self.stream.receiver_count() > 0 {
            // Nobody listening is no error.
            drop(self.stream.send(view::mode_event(&status)));
            if before.is_none_or(|before| before.gates != status.gates) {
                drop(self.stream.send(view::counts_event(&status.gates)));
            }
        }
        let mode = (status.mode, status.reason);
        if before.is_none_or(|before| (before.mode, before.reason) != mode) {
            let reason = status.reason.map_or("", Reason::code);
            tracing::info!(mode = ?status.mode, reason, "mode");
        }
        self.shown = Some(status);
    }
}
