//! A journal that another program holds (`ADMISSION` 3.5): who waits for its rows is told so at once, and
//! what their rows say is taken back by rows behind them. Nobody was shown it, and nobody will be.

use eventify_protocol::{
    ids::ScanId,
    lan::JournalFault,
    verdict::{DecidedBy, Verdict},
};

use super::{Machine, Now, Reply, ScanOutcome, Shown};

impl Machine {
    /// No row reaches the disk, for nobody knows how long.
    pub(super) fn is_journal_held(&self) -> bool {
        self.journal_fault == Some(JournalFault::Held)
    }

    /// Whoever waits for the disk, or for what would have to be written there, has waited long enough. Scans
    /// that the core was asked about end with its answer, or its deadline.
    pub(super) fn give_up_on_journal(&mut self, now: Now) {
        self.give_up_on_scans(now);
        self.give_up_on_acts(now);
        self.give_up_on_searches();
    }

    /// The answer to a scan while no row can be written.
    #[must_use]
    pub fn node_fault(&self, scan: ScanId, now: Now) -> ScanOutcome {
        let status = self.status(now);
        ScanOutcome {
            scan,
            verdict: Verdict::NodeFault,
            shown: Shown::default(),
            mode: status.mode,
            cache_age: status.cache_age,
            limit: status.limit,
            decided_by: DecidedBy::Edge,
            repeated: false,
        }
    }

    pub(super) fn reply_node_fault(
        &mut self,
        scan: ScanId,
        requests: impl IntoIterator<Item = super::RequestId>,
        now: Now,
    ) {
        let outcome = self.node_fault(scan, now);
        for request in requests {
            self.reply(request, Reply::Verdict(Box::new(outcome.clone())));
        }
    }
}
