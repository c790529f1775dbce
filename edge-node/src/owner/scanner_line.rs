//! How what is said about scanners goes between their list and the connection to the core. The owner only
//! hands it on: it decides nothing of it.

use eventify_protocol::sync::{ScannerOrders, ScannersReport};
use tokio::sync::mpsc;

/// With more under way some are lost, and come again.
const CAPACITY: usize = 16;

/// To the list.
#[derive(Debug)]
pub(crate) enum LineEvent {
    Disconnected,
    /// From the core.
    Orders(ScannerOrders),
}

/// The list's ends.
#[derive(Debug)]
pub(crate) struct ScannerLine {
    pub(crate) events: mpsc::Receiver<LineEvent>,
    pub(crate) reports: mpsc::Sender<ScannersReport>,
}

/// The owner's ends.
#[derive(Debug)]
pub(crate) struct OwnersLine {
    pub(super) events: mpsc::Sender<LineEvent>,
    pub(super) reports: mpsc::Receiver<ScannersReport>,
}

pub(crate) fn scanner_line() -> (OwnersLine, ScannerLine) {
    let (to_list, events) = mpsc::channel(CAPACITY);
    let (reports, from_list) = mpsc::channel(CAPACITY);
    (
        OwnersLine {
            events: to_list,
            reports: from_list,
        },
        ScannerLine { events, reports },
    )
}

impl OwnersLine {
    pub(super) fn notify(&self, event: LineEvent) {
        // The core repeats its orders; a report that no connection takes is repeated, too.
        drop(self.events.try_send(event));
    }
}
