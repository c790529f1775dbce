//! What an outage's rows add up to: scans = admitted + double entries + refused by reason, each
//! scan in exactly one class, and every gap in the chain named (`ADMISSION` 7.3). A repeat is no new
//! scan. Overrides become a class of their own with the row that records them.

use std::collections::BTreeMap;

use eventify_protocol::{
    ids::{IncarnationId, ScanId},
    sync::{JournalEntry, JournalHead, SealedRow},
    verdict::Verdict,
};

use super::ConflictKind;

/// The report of one node's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Different scan ids.
    pub scans: u64,
    /// Guests let in whose entry counts, and was the first.
    pub admitted: u64,
    /// Guests let in beside an earlier one.
    pub double_entries: u64,
    /// Guests let in beside another one, order unknown: both of them.
    pub order_unknown: u64,
    /// Guests not let in, by the verdict's name.
    pub refused: BTreeMap<&'static str, u64>,
    /// Where rows are missing, or the chain was begun anew.
    pub gaps: Vec<Gap>,
}

/// A place where the chain does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Rows between these two are missing, or were changed.
    Missing {
        /// Which file.
        incarnation: IncarnationId,
        /// The last row before.
        after: u64,
        /// The first row behind.
        before: u64,
    },
    /// A new file does not begin at the end of the one before: rows may have been lost.
    BegunAnew {
        /// The end of the file before, as held.
        held: JournalHead,
        /// The new file.
        by: IncarnationId,
    },
}

impl Report {
    /// Adds the rows of one node up, in the order of incarnations and rows. `conflict` says how a
    /// scan that was shown `Admit` stands now: without one it is the check-in, and was the first.
    /// A check-in that may have been second stands as [`ConflictKind::OrderUnknown`], like the
    /// other entry.
    #[must_use]
    pub fn of<'r>(
        rows: impl IntoIterator<Item = &'r SealedRow>,
        conflict: impl Fn(ScanId) -> Option<ConflictKind>,
    ) -> Self {
        let mut report = Self::default();
        let mut shown: BTreeMap<ScanId, &Verdict> = BTreeMap::new();
        let mut last: Option<&SealedRow> = None;
        for row in rows {
            report.gaps.extend(last.and_then(|last| gap(last, row)));
            last = Some(row);
            match &row.row().entry {
                JournalEntry::Opened { .. } => {}
                JournalEntry::Decision(decision) => {
                    shown.insert(decision.scan, &decision.verdict);
                }
                JournalEntry::Voided { scan, .. } => {
                    shown.insert(*scan, &Verdict::ResyncRequired);
                }
            }
        }
        for (scan, verdict) in shown {
            report.count(verdict, conflict(scan));
        }
        report
    }

    /// All scans that ended in one of the classes; [`Self::scans`] if the report is right.
    #[must_use]
    pub fn classified(&self) -> u64 {
        self.admitted
            + self.double_entries
            + self.order_unknown
            + self.refused.values().sum::<u64>()
    }

    fn count(&mut self, verdict: &Verdict, conflict: Option<ConflictKind>) {
        self.scans += 1;
        match (verdict, conflict) {
            (Verdict::Admit, None) => self.admitted += 1,
            (Verdict::Admit, Some(ConflictKind::DoubleEntry)) => self.double_entries += 1,
            (Verdict::Admit, Some(ConflictKind::OrderUnknown)) => self.order_unknown += 1,
            (refusal, _) => *self.refused.entry(refusal.name()).or_default() += 1,
        }
    }
}

fn gap(last: &SealedRow, next: &SealedRow) -> Option<Gap> {
    let (held, row) = (last.head(), next.row());
    if held.incarnation == row.incarnation {
        return (!held.is_followed_by(row)).then_some(Gap::Missing {
            incarnation: held.incarnation,
            after: held.seq,
            before: row.seq,
        });
    }
    let joins = match &row.entry {
        JournalEntry::Opened { succeeds, .. } => *succeeds == Some(held),
        JournalEntry::Decision(_) | JournalEntry::Voided { .. } => false,
    };
    (!joins).then_some(Gap::BegunAnew {
        held,
        by: row.incarnation,
    })
}
