//! What the core holds of a ticket's entries, and the changes that decisions ask for.

use eventify_protocol::{
    hash::Hash32,
    ids::{GateId, IncarnationId, NodeId, ScanId, ScannerId},
    sync::{TicketState, UsedBy},
    time::CoreInterval,
    verdict::Verdict,
};

/// The entries of a ticket in its present passage: at most one check-in, and what contradicts it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The ticket was refunded, cancelled or replaced.
    pub revoked: bool,
    /// The entry that counts.
    pub check_in: Option<CheckIn>,
    /// Other entries of the same passage.
    pub conflicts: Vec<Conflict>,
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckIn {
    /// Its scan.
    pub scan: ScanId,
    /// Where.
    pub gate: GateId,
    /// The node that asked or decided; none for a check-in over REST.
    pub node: Option<NodeId>,
    /// When; exact if the core decided it itself.
    pub at: CoreInterval,
    /// Who says that `Admit` was shown.
    pub evidence: Evidence,
}

/// Who says that `Admit` was shown (`ADMISSION` 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Nobody yet: the core answered a `Scan`.
    Unconfirmed,
    /// This journal row.
    Journal(Place),
    /// The caller of the REST API, who has the answer.
    Api,
}

/// A row in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Whose.
    pub node: NodeId,
    /// Which file.
    pub incarnation: IncarnationId,
    /// Which row.
    pub seq: u64,
}

/// An entry beside the check-in of the same passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The entry.
    pub entry: CheckIn,
    /// How it stands to the check-in.
    pub kind: ConflictKind,
}

/// How a conflicting entry stands to the check-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// It was later.
    DoubleEntry,
    /// Their times overlap: it is unknown which of both was first. The same then stands on the
    /// check-in ([`Standing::order_unknown`]).
    OrderUnknown,
}

/// What can be said of two entries (`ADMISSION` 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    First,
    Second,
    Unknown,
}

/// What the core holds of one scan id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanRecord {
    /// Who scanned. An id is bound to scanner, gate and token.
    pub scanner: ScannerId,
    /// Where.
    pub gate: GateId,
    /// What.
    pub token: Hash32,
    /// The core's own final verdict, if it gave one.
    pub own: Option<Verdict>,
    /// What was shown, by the newest journal row.
    pub shown: Option<Shown>,
}

/// What a journal said was shown for a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The verdict; `ResyncRequired` if a `Voided` row followed.
    pub verdict: Verdict,
    /// The row of the decision.
    pub place: Place,
}

/// One change to a ticket's entries. Several are carried out in order and in one transaction;
/// never are there two check-ins in a passage in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Add the check-in.
    Insert(CheckIn),
    /// A journal row says that the check-in of this scan was shown.
    Confirm {
        /// The check-in's scan.
        scan: ScanId,
        /// The row.
        place: Place,
    },
    /// The check-in of another scan, which nobody was shown, becomes this one.
    Move {
        /// The check-in's scan before.
        from: ScanId,
        /// The check-in from now on.
        to: CheckIn,
    },
    /// Take the check-in of this scan away: the ticket is free.
    Free {
        /// The check-in's scan.
        scan: ScanId,
    },
    /// The check-in of this scan becomes a conflict: another was first.
    Demote {
        /// The check-in's scan.
        scan: ScanId,
    },
    /// The conflict of this scan becomes the check-in: the other has gone.
    Promote {
        /// The conflict's scan.
        scan: ScanId,
    },
    /// Add a conflict.
    AddConflict(Conflict),
    /// A journal row says that the conflicting entry of this scan was shown.
    ConfirmConflict {
        /// The conflict's scan.
        scan: ScanId,
        /// The row.
        place: Place,
    },
    /// The conflicting entry of this scan was never shown: take it away.
    DropConflict {
        /// The conflict's scan.
        scan: ScanId,
    },
}

impl CheckIn {
    /// Whether somebody has said that `Admit` was shown.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.evidence != Evidence::Unconfirmed
    }

    /// An answer of the core to this node that nobody has confirmed.
    #[must_use]
    pub fn is_unconfirmed_of(&self, node: NodeId) -> bool {
        !self.is_confirmed() && self.node == Some(node)
    }

    /// Who was first: by row within one journal, else by the intervals of core time.
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

    /// As it stands in the feed.
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

impl Standing {
    /// The ticket's state for the feed.
    #[must_use]
    pub fn state(&self) -> TicketState {
        match &self.check_in {
            _ if self.revoked => TicketState::Revoked,
            Some(check_in) => TicketState::Used(check_in.used_by()),
            None => TicketState::Valid,
        }
    }

    /// The conflict of a scan.
    #[must_use]
    pub fn conflict(&self, scan: ScanId) -> Option<&Conflict> {
        self.conflicts
            .iter()
            .find(|conflict| conflict.entry.scan == scan)
    }

    /// Whether it can't be said that the check-in was the first entry of its passage: then
    /// `order_unknown` stands on it as on the entries that may have been (`ADMISSION` 7.2).
    #[must_use]
    pub fn order_unknown(&self) -> bool {
        self.conflicts
            .iter()
            .any(|conflict| conflict.kind == ConflictKind::OrderUnknown)
    }

    /// The conflicting entry that was certainly before the check-in, if one was; of several the
    /// first.
    pub(super) fn earlier_than_check_in(&self) -> Option<&CheckIn> {
        let check_in = self.check_in.as_ref()?;
        first_of(
            self.conflicts
                .iter()
                .map(|conflict| &conflict.entry)
                .filter(|entry| entry.order(check_in) == Order::First),
        )
    }

    /// Carries out one change; one that names what is not there changes nothing. How the conflicts
    /// stand to the check-in is found anew: either may be another now, or be better known.
    pub fn apply(&mut self, effect: &Effect) {
        self.carry_out(effect);
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

    fn carry_out(&mut self, effect: &Effect) {
        match *effect {
            Effect::Insert(check_in) => {
                debug_assert!(self.check_in.is_none(), "two check-ins in one passage");
                self.check_in = Some(check_in);
            }
            Effect::Confirm { scan, place } => {
                if let Some(check_in) = self.check_in.as_mut().filter(|held| held.scan == scan) {
                    check_in.evidence = Evidence::Journal(place);
                }
            }
            Effect::Move { from, to } => {
                if self.check_in.is_some_and(|held| held.scan == from) {
                    self.check_in = Some(to);
                }
            }
            Effect::Free { scan } => {
                self.check_in = self.check_in.filter(|held| held.scan != scan);
            }
            Effect::Demote { scan } => {
                if let Some(entry) = self.check_in.take_if(|held| held.scan == scan) {
                    self.conflicts.push(Conflict {
                        entry,
                        kind: ConflictKind::DoubleEntry,
                    });
                }
            }
            Effect::Promote { scan } => {
                let held = self
                    .conflicts
                    .iter()
                    .position(|held| held.entry.scan == scan);
                if let Some(index) = held {
                    self.check_in = Some(self.conflicts.remove(index).entry);
                }
            }
            Effect::AddConflict(conflict) => self.conflicts.push(conflict),
            Effect::ConfirmConflict { scan, place } => {
                let held = self
                    .conflicts
                    .iter_mut()
                    .find(|held| held.entry.scan == scan);
                if let Some(conflict) = held {
                    conflict.entry.evidence = Evidence::Journal(place);
                }
            }
            Effect::DropConflict { scan } => {
                self.conflicts
                    .retain(|conflict| conflict.entry.scan != scan);
            }
        }
    }
}

/// The first of some entries, as far as that can be said.
pub(super) fn first_of<'e>(entries: impl Iterator<Item = &'e CheckIn>) -> Option<&'e CheckIn> {
    entries.reduce(|a, b| match b.order(a) {
        Order::First => b,
        Order::Second | Order::Unknown => a,
    })
}
