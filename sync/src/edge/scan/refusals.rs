//! Scans that are refused again and again because nobody can decide them: the journal has the
//! decision once, and one row for all its repeats (`ADMISSION` 4.6). What is counted and not yet
//! written is lost with the process, which loses no decision.

use std::collections::BTreeMap;

use eventify_protocol::{
    ids::ScanId,
    sync::{JournalEntry, Moment},
    verdict::Verdict,
};

/// Most scans that are counted; each refusal of others has a row of its own.
const MAX_COUNTED: usize = 4_096;

#[derive(Debug)]
struct Refusal {
    verdict: Verdict,
    again: Option<Again>,
}

#[derive(Debug)]
struct Again {
    times: u64,
    first: Moment,
    last: Moment,
}

/// Refusals whose rows are on disk and were not followed by anything else about their scan.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    by_scan: BTreeMap<ScanId, Refusal>,
}

impl Refusals {
    /// A refusal's row is on disk.
    pub(super) fn insert(&mut self, scan: ScanId, verdict: Verdict) {
        if self.by_scan.len() < MAX_COUNTED {
            let again = None;
            self.by_scan.insert(scan, Refusal { verdict, again });
        }
    }

    /// Counts the same refusal once more; false if a row has to be written.
    pub(super) fn count(&mut self, scan: ScanId, verdict: &Verdict, at: Moment) -> bool {
        let refusal = self.by_scan.get_mut(&scan);
        let Some(refusal) = refusal.filter(|refusal| refusal.verdict == *verdict) else {
            return false;
        };
        let again = refusal.again.get_or_insert(Again {
            times: 0,
            first: at,
            last: at,
        });
        again.times += 1;
        again.last = at;
        true
    }

    /// Something else is about to be written about the scan, or the core to be asked: what is to be
    /// written before.
    pub(super) fn take(&mut self, scan: ScanId) -> Option<JournalEntry> {
        let refusal = self.by_scan.remove(&scan)?;
        refusal.entry(scan)
    }

    /// The same for all scans.
    pub(super) fn take_all(&mut self) -> Vec<JournalEntry> {
        let all = std::mem::take(&mut self.by_scan).into_iter();
        all.filter_map(|(scan, refusal)| refusal.entry(scan))
            .collect()
    }
}

impl Refusal {
    fn entry(self, scan: ScanId) -> Option<JournalEntry> {
        self.again.map(|again| JournalEntry::RefusedAgain {
            scan,
            times: again.times,
            first: again.first,
            last: again.last,
        })
    }
}
