//! The scanners' line to the core: the node's list goes up until the core holds it, and the core's orders
//! about scanners come down (`eventify_protocol::sync::ScannersReport`).
//!
//! Nothing is sent before the core has asked for it on this connection: one of a release before would end
//! the connection of a node that sends what it does not know.

use std::{sync::Arc, time::Duration};

use eventify_protocol::{
    ids::ScannerId,
    sync::{
        MAX_SCANNERS_A_MESSAGE, ScannerChange, ScannerGates, ScannerOrder, ScannerOrders,
        ScannerState, ScannersReport,
    },
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    Lan,
    scanners::{Edit, Order, Paired, ScannerError},
};
use crate::owner::{LineEvent, ScannerLine};

/// A list that the core has not named is sent again after this, later and later.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const MAX_RETRY: Duration = Duration::from_secs(60);
/// When scanners were seen is reported this often, with the rest of the list.
const REPORT_EVERY: Duration = Duration::from_secs(3_600);
/// How often it is written which scanners were seen.
const SAVE_EVERY: Duration = Duration::from_secs(60);

struct Line {
    lan: Arc<Lan>,
    reports: mpsc::Sender<ScannersReport>,
    /// The core takes reports on this connection.
    is_open: bool,
    /// The newest revision that the core holds.
    held: u64,
    report_at: Instant,
    retry: Duration,
}

/// Runs until the owner is gone.
pub(crate) async fn keep(lan: Arc<Lan>, line: ScannerLine) {
    let ScannerLine {
        mut events,
        reports,
    } = line;
    let mut revisions = lan.scanners.revisions();
    let mut line = Line {
        lan,
        reports,
        is_open: false,
        held: 0,
        report_at: Instant::now() + REPORT_EVERY,
        retry: FIRST_RETRY,
    };
    let mut save_at = Instant::now() + SAVE_EVERY;
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => line.receive(event),
                None => break,
            },
            Ok(()) = revisions.changed() => line.report(),
            () = sleep_until(line.report_at) => line.report(),
            () = sleep_until(save_at) => {
                save_at = Instant::now() + SAVE_EVERY;
                line.save_sights();
            }
        }
    }
    line.save_sights();
}

impl Line {
    fn receive(&mut self, event: LineEvent) {
        match event {
            LineEvent::Disconnected => self.is_open = false,
            LineEvent::Orders(orders) => self.obey(orders),
        }
    }

    fn obey(&mut self, orders: ScannerOrders) {
        let was_open = std::mem::replace(&mut self.is_open, true);
        self.held = orders.revision;
        if self.held > self.revision()
            && let Err(error) = self.lan.scanners.overtake(self.held)
        {
            warn(&error);
        }
        let is_ordered = !orders.orders.is_empty();
        for order in orders.orders {
            let ScannerOrder { number, .. } = order;
            if let Err(error) = self.lan.obey(number, read(order)) {
                // The core repeats it.
                warn(&error);
                return;
            }
        }
        if is_ordered || !was_open || self.held != self.revision() {
            self.retry = FIRST_RETRY;
            self.report();
        } else {
            self.retry = FIRST_RETRY;
            self.report_at = Instant::now() + REPORT_EVERY;
        }
    }

    fn revision(&self) -> u64 {
        self.lan.scanners.read(|roll| roll.revision)
    }

    /// Sends the whole list, and again later if the core does not hold it by then.
    fn report(&mut self) {
        self.report_at = Instant::now() + self.retry;
        self.retry = (self.retry * 2).min(MAX_RETRY);
        if !self.is_open {
            return;
        }
        for part in parts(&self.lan) {
            // What finds no room is sent again.
            drop(self.reports.try_send(part));
        }
    }

    fn save_sights(&self) {
        if let Err(error) = self.lan.scanners.save_sights(self.lan.stamp()) {
            warn(&error);
        }
    }
}

fn warn(error: &ScannerError) {
    tracing::warn!(
        code = "lan.scanners_not_stored",
        %error,
        "a change of the scanners could not be written"
    );
}

/// The list in messages; an empty list is one, too.
fn parts(lan: &Lan) -> Vec<ScannersReport> {
    lan.scanners.read(|roll| {
        let all: Vec<_> = roll
            .list()
            .into_iter()
            .map(|(scanner, paired)| state(scanner, paired))
            .collect();
        let report = |scanners: &[ScannerState]| ScannersReport {
            revision: roll.revision,
            total: u32::try_from(all.len()).unwrap_or(u32::MAX),
            last_order: roll.last_order,
            scanners: scanners.to_vec(),
        };
        if all.is_empty() {
            vec![report(&[])]
        } else {
            all.chunks(MAX_SCANNERS_A_MESSAGE).map(report).collect()
        }
    })
}

fn state(scanner: ScannerId, paired: &Paired) -> ScannerState {
    ScannerState {
        scanner,
        label: paired.label.to_string(),
        gates: paired.gates.as_deref().map_or(ScannerGates::All, |gates| {
            ScannerGates::Only(gates.to_vec())
        }),
        paired_at: paired.life.paired_at.map(|stamp| stamp.at),
        last_seen: paired.life.seen.map(|stamp| stamp.at),
    }
}

fn read(order: ScannerOrder) -> Order {
    let ScannerOrder {
        scanner, change, ..
    } = order;
    match change {
        ScannerChange::Unpair => Order::Remove(scanner),
        ScannerChange::Edit { label, gates } => {
            let gates = gates.map(|gates| match gates {
                ScannerGates::All => None,
                ScannerGates::Only(gates) => Some(gates),
            });
            Order::Edit(scanner, Edit { label, gates })
        }
    }
}
