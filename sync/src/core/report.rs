//! The totals of an outage's rows: scans = admitted + double entries + order unknown + refused by
//! reason + overrides + undone, each scan in exactly one class, and every gap in the chain (`ADMISSION`
//! 7.3). A repeat is no new scan, except of a text that is no ticket: those are counted, not kept
//! (`ADMISSION` 4.8). Guests who left are counted beside: no scan let them in or refused them.

use std::collections::{BTreeMap, BTreeSet};

use eventify_protocol::{
    ids::{ActId, BootId, GateId, IncarnationId, ScanId, ScannerId},
    sync::{Decision, JournalEntry, JournalHead, JournalRow, Moment, SealedRow},
    time::{BootTime, CoreInterval},
    verdict::Verdict,
};

use super::{ConflictKind, reconcile::is_certainly_later};

/// Of one node's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Different scan ids, and texts that are no tickets.
    pub scans: u64,
    /// Guests admitted whose entry was the first.
    pub admitted: u64,
    /// Guests admitted beside an earlier one.
    pub double_entries: u64,
    /// Guests admitted beside another one, order unknown: both of them.
    pub order_unknown: u64,
    /// Guests not admitted, by the verdict's name.
    pub refused: BTreeMap<&'static str, u64>,
    /// Guests whom a supervisor let in although the scan had refused them.
    pub overrides: u64,
    /// Admissions that were undone: those guests did not go in.
    pub undone: u64,
    /// Guests who left; no scans.
    pub left: u64,
    /// What people did beside scanning, in order.
    pub acts: Vec<ActRow>,
    /// Where rows are missing, or a new chain was begun.
    pub gaps: Vec<Gap>,
}

/// An act, and when it was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActRow {
    pub at: Moment,
    pub entry: JournalEntry,
}

/// What was done about a scan by its newest row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    /// By this row.
    Overridden(IncarnationId, u64),
    Undone,
}

/// What rows say of each scan, by the newest that counts.
#[derive(Default)]
struct Scans<'r> {
    shown: BTreeMap<ScanId, (&'r Verdict, &'r JournalRow)>,
    done: BTreeMap<ScanId, Done>,
    acts: BTreeSet<ActId>,
    unreadable: BTreeMap<(ScannerId, GateId, BootId, BootTime), u64>,
}

impl<'r> Scans<'r> {
    fn insert(&mut self, row: &'r JournalRow) {
        match &row.entry {
            JournalEntry::Overridden(act) => {
                let by = Done::Overridden(row.incarnation, row.seq);
                let held = self.done.entry(act.scan).or_insert(by);
                if *held != Done::Undone {
                    *held = by;
                }
            }
            JournalEntry::Undone(act) => drop(self.done.insert(act.scan, Done::Undone)),
            JournalEntry::Unreadable {
                scanner,
                gate,
                times,
                first,
                ..
            } => {
                // A row that another file has carried over is the same row.
                let key = (*scanner, *gate, first.boot, first.boottime);
                self.unreadable.insert(key, *times);
            }
            JournalEntry::Decision(decision) => self.insert_decision(decision, row),
            JournalEntry::Voided {
                scan,
                decided_at,
                row: voided,
            } => self.void((*scan, *decided_at), *voided, row),
            JournalEntry::Left(_)
            | JournalEntry::GateChanged(_)
            | JournalEntry::Opened { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Searched(_) => {}
        }
    }

    /// A final verdict stands: what is not final and comes behind it was carried over from before, and so
    /// was an older admission.
    fn insert_decision(&mut self, decision: &'r Decision, row: &'r JournalRow) {
        let stands = self.shown.get(&decision.scan).is_some_and(|(verdict, by)| {
            let again = **verdict == Verdict::Admit && decision.verdict == Verdict::Admit;
            verdict.is_final() && !decision.verdict.is_final()
                || again && is_later(by.at.core, row.at.core)
        });
        if !stands {
            self.shown.insert(decision.scan, (&decision.verdict, row));
        }
    }

    fn void(
        &mut self,
        (scan, decided_at): (ScanId, Option<CoreInterval>),
        voided: u64,
        row: &'r JournalRow,
    ) {
        let taken_back = Done::Overridden(row.incarnation, voided);
        if self.done.get(&scan) == Some(&taken_back) {
            self.done.remove(&scan);
        }
        // What was decided anew since is not what this row takes back.
        let decided_at = decided_at.or(row.at.core);
        let shown = self.shown.get(&scan);
        if !shown.is_some_and(|(_, by)| is_later(by.at.core, decided_at)) {
            self.shown.insert(scan, (&Verdict::ResyncRequired, row));
        }
    }
}

/// Where the chain is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Rows between `after` and `before` are missing, or were changed.
    Missing {
        incarnation: IncarnationId,
        after: u64,
        before: u64,
    },
    /// A new file does not begin at the end of the one before: rows may have been lost.
    BegunAnew {
        /// The stored end of the file before.
        held: JournalHead,
        /// The new file.
        by: IncarnationId,
    },
    /// A new file goes on without rows that were known to exist. The core may hold some of them.
    Lost {
        /// The last of them.
        known: JournalHead,
        /// The new file.
        by: IncarnationId,
    },
}

impl Report {
    /// Counts the rows of one node, in the order of incarnations and rows. `conflict` returns the
    /// present conflict of a scan that was shown `Admit`: none if it is the check-in and was the first.
    /// A check-in that may have been second has [`ConflictKind::OrderUnknown`], like the other entry.
    #[must_use]
    pub fn of<'r>(
        rows: impl IntoIterator<Item = &'r SealedRow>,
        conflict: impl Fn(ScanId) -> Option<ConflictKind>,
    ) -> Self {
        let mut report = Self::default();
        let mut scans = Scans::default();
        let mut last: Option<&SealedRow> = None;
        for row in rows {
            report.gaps.extend(gap(last, row));
            last = Some(row);
            let row = row.row();
            // One that another file has carried over is the same act.
            let act = row.entry.act();
            if act.is_some_and(|by| scans.acts.insert(by.act)) {
                report.insert_act(row);
            }
            scans.insert(row);
        }
        // A guest who was let in here, though the scan was refused before.
        let overridden = |(_, done): &(&ScanId, &Done)| matches!(done, Done::Overridden(..));
        let elsewhere = scans.done.iter().filter(overridden);
        let elsewhere = elsewhere.filter(|(scan, _)| !scans.shown.contains_key(scan));
        let elsewhere = elsewhere.count() as u64;
        report.scans += elsewhere;
        report.overrides += elsewhere;
        for (scan, (verdict, _)) in scans.shown {
            report.count(verdict, scans.done.get(&scan), || conflict(scan));
        }
        report.count_unreadable(scans.unreadable.values().sum());
        report
    }

    /// Every scan is in one class and no row is missing.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.classified() == self.scans && self.gaps.is_empty()
    }

    /// All scans in one of the classes; [`Self::scans`] if the report is right.
    #[must_use]
    pub fn classified(&self) -> u64 {
        self.admitted
            + self.double_entries
            + self.order_unknown
            + self.overrides
            + self.undone
            + self.refused.values().sum::<u64>()
    }

    /// Texts that are no tickets have no rows of their own: each counts as a scan, a repeat, too.
    fn count_unreadable(&mut self, times: u64) {
        if times > 0 {
            self.scans += times;
            *self.refused.entry(Verdict::Unreadable.name()).or_default() += times;
        }
    }

    fn count(
        &mut self,
        verdict: &Verdict,
        done: Option<&Done>,
        conflict: impl Fn() -> Option<ConflictKind>,
    ) {
        self.scans += 1;
        match (done, verdict) {
            (Some(Done::Overridden(..)), _) => self.overrides += 1,
            (Some(Done::Undone), _) => self.undone += 1,
            (None, Verdict::Admit) => match conflict() {
                None => self.admitted += 1,
                Some(ConflictKind::DoubleEntry) => self.double_entries += 1,
                Some(ConflictKind::OrderUnknown) => self.order_unknown += 1,
                Some(ConflictKind::Override) => self.overrides += 1,
            },
            (None, refusal) => *self.refused.entry(refusal.name()).or_default() += 1,
        }
    }

    fn insert_act(&mut self, row: &JournalRow) {
        self.left += u64::from(matches!(row.entry, JournalEntry::Left(_)));
        self.acts.push(ActRow {
            at: row.at,
            entry: row.entry.clone(),
        });
    }
}

/// Whether this was certainly after that; not if either could not be proven.
fn is_later(this: Option<CoreInterval>, that: Option<CoreInterval>) -> bool {
    let both = this.zip(that);
    both.is_some_and(|(this, that)| is_certainly_later(&this, &that))
}

fn gap(last: Option<&SealedRow>, next: &SealedRow) -> Option<Gap> {
    let row = next.row();
    let opened = match &row.entry {
        JournalEntry::Opened {
            succeeds,
            after_loss,
            ..
        } => Some((*succeeds, *after_loss)),
        JournalEntry::Decision(_)
        | JournalEntry::Voided { .. }
        | JournalEntry::RefusedAgain { .. }
        | JournalEntry::Unreadable { .. }
        | JournalEntry::Searched(_)
        | JournalEntry::Overridden(_)
        | JournalEntry::Undone(_)
        | JournalEntry::Left(_)
        | JournalEntry::GateChanged(_) => None,
    };
    if let Some((_, Some(known))) = opened {
        let by = row.incarnation;
        return Some(Gap::Lost { known, by });
    }
    let held = last?.head();
    if held.incarnation == row.incarnation {
        return (!held.is_followed_by(row)).then_some(Gap::Missing {
            incarnation: held.incarnation,
            after: held.seq,
            before: row.seq,
        });
    }
    let joins = opened.is_some_and(|(succeeds, _)| succeeds == Some(held));
    (!joins).then_some(Gap::BegunAnew {
        held,
        by: row.incarnation,
    })
}
