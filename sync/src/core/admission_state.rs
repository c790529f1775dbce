//! What the core stores of a ticket's entries, and the changes that decisions want.

use eventify_protocol::{
    hash::Hash32,
    ids::{GateId, IncarnationId, NodeId, ScanId, ScannerId},
    sync::{TicketState, UsedBy},
    time::CoreInterval,
    verdict::Verdict,
};

/// The entries of a ticket in its present passage: at most one check-in, and its conflicts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdmissionState {
    /// Whether the ticket is good, whoever has entered with it.
    pub validity: Validity,
    /// The entry that counts.
    pub check_in: Option<CheckIn>,
    /// Other entries of the same passage.
    pub conflicts: Vec<Conflict>,
}

/// Whether a ticket is good. What has happened stays recorded all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validity {
    #[default]
    Valid,
    /// It is being refunded, and may be good again.
    Suspended,
    /// It was refunded, cancelled or replaced.
    Revoked,
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckIn {
    pub scan: ScanId,
    pub gate: GateId,
    /// The node that asked or decided; none for a check-in over REST.
    pub node: Option<NodeId>,
    /// Exact if the core decided it, or from its first to its last answer to the same scan.
    pub at: CoreInterval,
    pub evidence: Evidence,
}

/// What shows that `Admit` was shown (`ADMISSION` 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing yet: the core answered a `Scan`.
    Unconfirmed,
    /// This journal row.
    Journal(JournalRef),
    /// The caller of the REST API, who has the answer.
    Api,
}

/// A row in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalRef {
    pub node: NodeId,
    pub incarnation: IncarnationId,
    pub seq: u64,
}

/// An entry beside the check-in of the same passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub entry: CheckIn,
    pub kind: ConflictKind,
}

/// How a conflicting entry relates to the check-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// It was later.
    DoubleEntry,
    /// Their times overlap: it is unknown which was first. The check-in is marked the same way then
    /// ([`AdmissionState::order_unknown`]).
    OrderUnknown,
}

/// The order of two entries (`ADMISSION` 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    First,
    Second,
    Unknown,
}

/// What the core stores of one scan id, which is bound to scanner, gate and token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanRecord {
    pub scanner: ScannerId,
    pub gate: GateId,
    pub token: Hash32,
    /// The core's own final verdict, if it gave one.
    pub own: Option<Verdict>,
    /// By the newest journal row.
    pub shown: Option<Shown>,
}

/// The verdict that a node has shown for a scan, by its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `ResyncRequired` if a `Voided` row followed.
    pub verdict: Verdict,
    /// The row of the decision.
    pub source: JournalRef,
}

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
    /// This scan's conflicting entry was not shown: remove it.
    DropConflict {
        scan: ScanId,
    },
}

impl CheckIn {
    /// Whether there is evidence that `Admit` was shown.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.evidence != Evidence::Unconfirmed
    }

    /// An answer of the core to this node that was not confirmed.
    #[must_use]
    pub fn is_unconfirmed_of(&self, node: NodeId) -> bool {
        !self.is_confirmed() && self.node == Some(node)
    }

    /// By row within one journal, otherwise by the intervals of core time.
    pub(super) fn order(&self, other: &Self) -> Order {
        if let (Evidence::Journal(a), Evidence::Journal(b)) = (self.evidence, other.evidence)
            && (a.node, a.incarnation) == (b.node, b.incarnation)
        {
            return if a.seq < b.seq {
                Order::First
            } else {
                Order::Second
            };
        }
        if self.at.is_before(&other.at) {
            Order::First
        } else if other.at.is_before(&self.at) {
            Order::Second
        } else {
            Order::Unknown
        }
    }

    /// As in the feed.
    #[must_use]
    pub fn used_by(&self) -> UsedBy {
        UsedBy {
            scan: self.scan,
            gate: self.gate,
            at: self.at.earliest,
            confirmed: self.is_confirmed(),
        }
    }
}

impl AdmissionState {
    /// Whether somebody was admitted by this scan; as check-in or as conflict.
    #[must_use]
    pub fn has_entry(&self, scan: ScanId) -> bool {
        self.check_in.is_some_and(|check_in| check_in.scan == scan) || self.conflict(scan).is_some()
    }

    /// The guest who was let in beside the core's answer to this scan, which nobody has been shown as far
    /// as is known: a journal has told of the guest since, and the answer is not given again.
    pub(super) fn admitted_instead_of(&self, scan: ScanId) -> Option<&CheckIn> {
        let conflicts = self.conflicts.iter().map(|conflict| &conflict.entry);
        let entries = self.check_in.iter().chain(conflicts);
        let (own, others): (Vec<&CheckIn>, Vec<&CheckIn>) =
            entries.partition(|entry| entry.scan == scan);
        if own.iter().any(|entry| entry.is_confirmed()) {
            return None;
        }
        first_of(others.into_iter().filter(|entry| entry.is_confirmed()))
    }

    /// The ticket's state for the feed.
    #[must_use]
    pub fn state(&self) -> TicketState {
        match (self.validity, &self.check_in) {
            (Validity::Revoked, _) => TicketState::Revoked,
            (Validity::Suspended, _) => TicketState::Suspended,
            (Validity::Valid, Some(check_in)) => TicketState::Used(check_in.used_by()),
            (Validity::Valid, None) => TicketState::Valid,
        }
    }

    #[must_use]
    pub fn conflict(&self, scan: ScanId) -> Option<&Conflict> {
        self.conflicts
            .iter()
            .find(|conflict| conflict.entry.scan == scan)
    }

    /// Whether it is unknown that the check-in was the first entry of its passage: it is then marked
    /// `order_unknown`, like the entries that may have been first (`ADMISSION` 7.2).
    #[must_use]
    pub fn order_unknown(&self) -> bool {
        self.conflicts
            .iter()
            .any(|conflict| conflict.kind == ConflictKind::OrderUnknown)
    }

    /// The conflicting entry that was certainly before the check-in; the first of several.
    pub(super) fn earlier_than_check_in(&self) -> Option<&CheckIn> {
        let check_in = self.check_in.as_ref()?;
        first_of(
            self.conflicts
                .iter()
                .map(|conflict| &conflict.entry)
                .filter(|entry| entry.order(check_in) == Order::First),
        )
    }

    /// Applies one change; one that names a missing entry changes nothing. The kinds of the conflicts
    /// are derived again: check-in or conflict may be another now, or be better known.
    pub fn apply(&mut self, effect: &Effect) {
        self.apply_to_entries(effect);
        let Some(check_in) = self.check_in else {
            return;
        };
        for conflict in &mut self.conflicts {
            conflict.kind = match check_in.order(&conflict.entry) {
                Order::First => ConflictKind::DoubleEntry,
                Order::Second | Order::Unknown => ConflictKind::OrderUnknown,
            };
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
                if let Some(entry) = self.check_in.take_if(|entry| entry.scan == scan) {
                    self.conflicts.push(Conflict {
                        entry,
                        kind: ConflictKind::DoubleEntry,
                    });
                }
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
        }
    }
}

/// The first of some entries, as far as that is known.
pub(super) fn first_of<'e>(entries: impl Iterator<Item = &'e CheckIn>) -> Option<&'e CheckIn> {
    entries.reduce(|a, b| match b.order(a) {
        Order::First => b,
        Order::Second | Order::Unknown => a,
    })
}
