//! What the core stores of a ticket's entries, and the changes that decisions want.

use eventify_protocol::{
    hash::Hash32,
    ids::{GateId, IncarnationId, NodeId, ScanId, ScannerId},
    sync::{TicketState, UsedBy},
    time::{CoreInterval, CoreTime},
    verdict::Verdict,
};

use super::PassageEnd;

/// The entries of a ticket in its present passage: at most one check-in, and its conflicts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdmissionState {
    /// Whether the ticket is good, whoever has entered with it.
    pub validity: Validity,
    /// The entry that counts.
    pub check_in: Option<CheckIn>,
    /// Other entries of the same passage.
    pub conflicts: Vec<Conflict>,
    /// The number of the present passage.
    pub passage: i32,
    /// Passages that are over. A decision of the core needs none of them.
    pub ended: Vec<PassageEnd>,
    /// Since when entries count, if its performance was moved after it had begun to admit.
    pub restarts_at: Option<CoreTime>,
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
    /// This journal row, by which a supervisor let in whom the scan had refused.
    Override(JournalRef),
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
    /// A supervisor let in a further guest, knowing of the check-in.
    Override,
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
    /// By the newest journal row that counts: [`Self::show`].
    pub shown: Option<Shown>,
    /// Since when its entry is over: undone, or of a passage that has ended. It enters nowhere again.
    pub ended: Option<CoreTime>,
}

/// The verdict that a node has shown for a scan, by its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `ResyncRequired` if a `Voided` row followed.
    pub verdict: Verdict,
    /// The row of the decision.
    pub source: JournalRef,
}

impl ScanRecord {
    /// A journal row says what the node has shown; false if that is not what stands. A final verdict does:
    /// what is not final and comes behind it was carried over from before.
    pub fn show(&mut self, verdict: &Verdict, source: JournalRef) -> bool {
        let held = self.shown.as_ref().map(|shown| &shown.verdict);
        if held.is_some_and(Verdict::is_final) && !verdict.is_final() {
            return false;
        }
        let verdict = verdict.clone();
        self.shown = Some(Shown { verdict, source });
        true
    }
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

    /// A supervisor let this guest in.
    #[must_use]
    pub fn is_override(&self) -> bool {
        matches!(self.evidence, Evidence::Override(_))
    }

    /// By row within one journal, otherwise by the intervals of core time.
    pub(super) fn order(&self, other: &Self) -> Order {
        if let (Some(a), Some(b)) = (self.evidence.row(), other.evidence.row())
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

impl Conflict {
    /// An entry beside a check-in, as it is called until both are compared.
    pub(super) fn later(entry: CheckIn) -> Self {
        let kind = if entry.is_override() {
            ConflictKind::Override
        } else {
            ConflictKind::DoubleEntry
        };
        Self { entry, kind }
    }

    /// An entry beside this check-in.
    pub(super) fn beside(check_in: &CheckIn, entry: CheckIn) -> Self {
        let kind = match check_in.order(&entry) {
            _ if entry.is_override() => ConflictKind::Override,
            Order::First => ConflictKind::DoubleEntry,
            Order::Second | Order::Unknown => ConflictKind::OrderUnknown,
        };
        Self { entry, kind }
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
}

/// The first of some entries, as far as that is known.
pub(super) fn first_of<'e>(entries: impl Iterator<Item = &'e CheckIn>) -> Option<&'e CheckIn> {
    entries.reduce(|a, b| match b.order(a) {
        Order::First => b,
        Order::Second | Order::Unknown => a,
    })
}
