//! What the scripted core knows of the node's scanners, and what it orders.

use eventify_protocol::{
    ids::ScannerId,
    sync::{Config, Down, ScannerChange, ScannerOrder, ScannerOrders, ScannersReport},
};

#[derive(Default)]
pub(super) struct ScannerList {
    pub(super) report: Option<ScannersReport>,
    orders: Vec<ScannerOrder>,
}

impl ScannerList {
    /// What the node is told: the revision held, and the orders that it has not reported.
    pub(super) fn config(&self, revoked: bool) -> Down {
        let done = self.report.as_ref().map_or(0, |report| report.last_order);
        let open = self.orders.iter().filter(|order| order.number > done);
        Down::Config(Config {
            revoked,
            duplicate: None,
            time_zone: None,
            scanners: Some(ScannerOrders {
                revision: self.report.as_ref().map_or(0, |report| report.revision),
                orders: open.cloned().collect(),
            }),
        })
    }

    pub(super) fn order(&mut self, scanner: ScannerId, change: ScannerChange) {
        self.orders.push(ScannerOrder {
            number: self.orders.len() as u64 + 1,
            scanner,
            change,
        });
    }
}
