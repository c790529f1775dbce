//! The changes to a ticket's entries that decisions, journals and acts want, and their application.

use eventify_protocol::ids::ScanId;

use super::{AdmissionState, CheckIn, Conflict, Evidence, JournalRef, PassageEnd};

/// One change to a ticket's entries. Several are applied in order in one transaction; between them a
/// passage never has two check-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Add the check-in.
    Insert(CheckIn),
    /// A journal row says that this scan's check-in was shown.
    Confirm {
        scan: ScanId,
        source: JournalRef,
    },
    /// The check-in of scan `from`, which was not shown, becomes this one.
    Move {
        from: ScanId,
        to: CheckIn,
    },
    /// Remove this scan's check-in: the ticket is free.
    Free {
        scan: ScanId,
    },
    /// This scan's check-in becomes a conflict: another was first.
    Demote {
        scan: ScanId,
    },
    /// This scan's conflict becomes the check-in: the other one was removed.
    Promote {
        scan: ScanId,
    },
    AddConflict(Conflict),
    /// A journal row says that this scan's conflicting entry was shown.
    ConfirmConflict {
        scan: ScanId,
        source: JournalRef,
    },
    /// This scan's conflicting entry was not shown, or was undone: remove it.
    DropConflict {
        scan: ScanId,
    },
    /// The passage is over, with all of its entries that were not certainly behind this end.
    EndPassage(PassageEnd),
    /// The show was moved since the entries so far: the next passage begins with this one.
    Restart(CheckIn),
    /// An entry beside those of a passage that is over.
    AddEarlier {
        passage: i32,
        conflict: Conflict,
    },
    /// An entry from before the show was moved, beside which no other of then is known: the scan is its
    /// record.
    AddPast(CheckIn),
}

impl AdmissionState {
    /// Applies one change; one that names a missing entry changes nothing. The kinds of the conflicts
    /// are derived again: check-in or conflict may be another now, or be better known.
    pub fn apply(&mut self, effect: &Effect) {
        self.apply_to_entries(effect);
        let Some(check_in) = self.check_in else {
            return;
        };
        for conflict in &mut self.conflicts {
            *conflict = Conflict::beside(&check_in, conflict.entry);
        }
    }

    fn apply_to_entries(&mut self, effect: &Effect) {
        match *effect {
            Effect::Insert(check_in) => {
                debug_assert!(self.check_in.is_none(), "two check-ins in one passage");
                self.check_in = Some(check_in);
            }
            Effect::Confirm { scan, source } => {
                if let Some(check_in) = self.check_in.as_mut().filter(|entry| entry.scan == scan) {
                    check_in.evidence = Evidence::Journal(source);
                }
            }
            Effect::Move { from, to } => {
                if self.check_in.is_some_and(|entry| entry.scan == from) {
                    self.check_in = Some(to);
                }
            }
            Effect::Free { scan } => {
                self.check_in = self.check_in.filter(|entry| entry.scan != scan);
            }
            Effect::Demote { scan } => {
                let demoted = self.check_in.take_if(|entry| entry.scan == scan);
                self.conflicts.extend(demoted.map(Conflict::later));
            }
            Effect::Promote { scan } => {
                let of_scan = |conflict: &Conflict| conflict.entry.scan == scan;
                if let Some(index) = self.conflicts.iter().position(of_scan) {
                    self.check_in = Some(self.conflicts.remove(index).entry);
                }
            }
            Effect::AddConflict(conflict) => self.conflicts.push(conflict),
            Effect::ConfirmConflict { scan, source } => {
                let mut conflicts = self.conflicts.iter_mut();
                if let Some(conflict) = conflicts.find(|conflict| conflict.entry.scan == scan) {
                    conflict.entry.evidence = Evidence::Journal(source);
                }
            }
            Effect::DropConflict { scan } => {
                self.conflicts
                    .retain(|conflict| conflict.entry.scan != scan);
            }
            Effect::EndPassage(end) => self.end_passage(&end),
            Effect::Restart(entry) => self.restart(entry),
            Effect::AddEarlier { .. } | Effect::AddPast(_) => {}
        }
    }
}
