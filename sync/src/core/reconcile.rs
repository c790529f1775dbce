//! What a journal row changes: what a node has shown is what happened (`ADMISSION` 7).
//!
//! The rows of one journal come in order; those of several nodes, and the core's own decisions, in
//! any order. The caller holds the ticket's row lock, applies the effects, and records what was shown
//! ([`super::Shown`]) in the same transaction.

use eventify_protocol::{
    ids::{NodeId, ScanId},
    sync::Decision,
    time::{CoreInterval, CoreTime},
    verdict::Verdict,
};

use super::{
    AdmissionState, CheckIn, Conflict, ConflictKind, Effect, Evidence, JournalRef, ScanRecord,
    admission_state::first_of, passages::Place,
};

/// For a moment of which a node could prove nothing: 1970 to 9999.
pub(super) const ANY_TIME: CoreInterval = CoreInterval {
    earliest: CoreTime(0),
    latest: CoreTime(253_402_300_799_000_000),
};

/// A decision in a journal.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub source: JournalRef,
    /// When it was made, as far as the node could prove.
    pub at: Option<CoreInterval>,
    /// Its verdict was shown.
    pub decision: &'a Decision,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// At this time; a later row can make an admission a double entry, or the other way round. A report
    /// counts the final state of each scan ([`super::report`]).
    pub class: Class,
    /// In order.
    pub effects: Vec<Effect>,
    /// Scans whose entries are over by it: their records are marked ([`ScanRecord::ended`]).
    pub ended: Vec<ScanId>,
}

/// How a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The guest was admitted, and this is the ticket's entry.
    Admitted,
    /// The guest was admitted beside another one, who was first.
    DoubleEntry,
    /// The guest was admitted beside another one; it is unknown who was first. Both have this class.
    OrderUnknown,
    /// The guest was admitted with a ticket that the core does not have: a failover has lost it.
    UnknownTicket,
    /// The guest was not admitted.
    Refused,
    /// The same was shown to the same scan before, or its entry is over.
    Repeated,
    /// A supervisor let the guest in.
    Overridden,
    /// An admission was undone.
    Undone,
    /// A guest left.
    Left,
}

impl Outcome {
    pub(super) fn of(class: Class, effects: Vec<Effect>) -> Self {
        Self {
            class,
            effects,
            ended: vec![],
        }
    }
}

/// What a row changes. `record` is what is stored of its scan id, `state` of its ticket: none if the
/// row names no ticket, or one that does not exist.
#[must_use]
pub fn reconcile(
    row: &Row<'_>,
    record: Option<&ScanRecord>,
    state: Option<&AdmissionState>,
) -> Outcome {
    let admitted = row.decision.verdict == Verdict::Admit;
    match state {
        None if admitted => Outcome::of(Class::UnknownTicket, vec![]),
        None => Outcome::of(Class::Refused, vec![]),
        Some(state) if admitted => admit(row, record, state),
        Some(state) => Outcome::of(
            Class::Refused,
            never_shown(state, row.decision.scan, |entry| row.takes_back(entry)),
        ),
    }
}

/// What changes when a node has taken a scan's decision back before it was shown. It was made at this
/// moment, as far as the node could prove. `ResyncRequired` counts as shown then, unless the scan keeps
/// an entry: a copy of the node's disk carries the row over into a file behind that of the node, which
/// may have admitted the guest meanwhile.
#[must_use]
pub fn voided(
    node: NodeId,
    decided_at: Option<CoreInterval>,
    scan: ScanId,
    state: Option<&AdmissionState>,
) -> Outcome {
    let is_later =
        |entry: &CheckIn| decided_at.is_some_and(|at| is_certainly_later(&entry.at, &at));
    let is_taken_back = |entry: &CheckIn| entry.node == Some(node) && !is_later(entry);
    let effects = state.map_or(vec![], |state| never_shown(state, scan, is_taken_back));
    Outcome::of(Class::Refused, effects)
}

/// What changes if an entry belongs to another passage than the present one.
pub(super) fn elsewhere(entry: &CheckIn, state: &AdmissionState, class: Class) -> Option<Outcome> {
    let (class, effects, ended) = match state.place(entry) {
        Place::Present => return None,
        Place::Next => {
            let over = state.entries().map(|it| it.scan).collect();
            (class, Effect::Restart(*entry), over)
        }
        Place::Past => (class, Effect::AddPast(*entry), vec![entry.scan]),
        Place::Earlier(end) => {
            let conflict = Conflict::later(*entry);
            let class = match conflict.kind {
                ConflictKind::DoubleEntry | ConflictKind::OrderUnknown => Class::DoubleEntry,
                ConflictKind::Override => class,
            };
            let passage = end.passage;
            let effect = Effect::AddEarlier { passage, conflict };
            (class, effect, vec![entry.scan])
        }
    };
    Some(Outcome {
        class,
        effects: vec![effects],
        ended,
    })
}

pub(super) fn is_certainly_later(this: &CoreInterval, that: &CoreInterval) -> bool {
    this.earliest > that.latest
}

/// `Admit` was shown.
fn admit(row: &Row<'_>, record: Option<&ScanRecord>, state: &AdmissionState) -> Outcome {
    let (scan, source) = (row.decision.scan, row.source);
    // The same id from another scanner or gate is another scan.
    let same = record.is_none_or(|record| row.is_of(record));
    let before = record
        .and_then(|record| record.shown.as_ref())
        .map(|shown| &shown.verdict);
    if same && before == Some(&Verdict::Admit) {
        return Outcome::of(Class::Repeated, vec![]);
    }
    if same && record.is_some_and(|record| record.ended.is_some()) {
        // The guest has left, before this row came.
        return Outcome::of(Class::Admitted, vec![]);
    }
    let mut effects = drop_replaced(row, state);
    let entry = row.entry();
    if let Some(outcome) = elsewhere(&entry, state, Class::Admitted) {
        return outcome;
    }
    effects.push(match &state.check_in {
        None => Effect::Insert(entry),
        Some(check_in) if check_in.scan == scan && same => Effect::Confirm { scan, source },
        Some(check_in) if row.replaces(check_in) => Effect::Move {
            from: check_in.scan,
            to: entry,
        },
        Some(_) if same && state.conflict(scan).is_some() => {
            Effect::ConfirmConflict { scan, source }
        }
        Some(check_in) => Effect::AddConflict(Conflict::beside(check_in, entry)),
    });
    let after = order_entries(state, &mut effects);
    Outcome::of(class_of(source, &after), effects)
}

/// The entry that was certainly first becomes the check-in: the row's own entry that arrives late, or
/// one that the row shows to have been before it, now that both are in one journal.
pub(super) fn order_entries(state: &AdmissionState, effects: &mut Vec<Effect>) -> AdmissionState {
    let mut after = state.clone();
    for effect in effects.iter() {
        after.apply(effect);
    }
    let displaced = after.check_in.zip(after.earlier_than_check_in().copied());
    if let Some((second, first)) = displaced {
        let swap = [
            Effect::Demote { scan: second.scan },
            Effect::Promote { scan: first.scan },
        ];
        for effect in swap {
            after.apply(&effect);
            effects.push(effect);
        }
    }
    after
}

/// The class of the entry that this row confirms.
fn class_of(source: JournalRef, state: &AdmissionState) -> Class {
    let is_rows = |entry: &CheckIn| entry.evidence == Evidence::Journal(source);
    let beside = state
        .conflicts
        .iter()
        .find(|conflict| is_rows(&conflict.entry));
    match beside.map(|conflict| conflict.kind) {
        Some(ConflictKind::DoubleEntry) => Class::DoubleEntry,
        Some(ConflictKind::OrderUnknown) => Class::OrderUnknown,
        Some(ConflictKind::Override) => Class::Overridden,
        None if state.order_unknown() => Class::OrderUnknown,
        None => Class::Admitted,
    }
}

/// Conflicting entries that this row replaces.
fn drop_replaced(row: &Row<'_>, state: &AdmissionState) -> Vec<Effect> {
    state
        .conflicts
        .iter()
        .filter(|conflict| row.replaces(&conflict.entry))
        .map(|conflict| Effect::DropConflict {
            scan: conflict.entry.scan,
        })
        .collect()
}

/// `Admit` was not shown for `scan`: its entry is removed, if `ends` says that it depends on this. An
/// entry that was second until now becomes the check-in.
pub(super) fn never_shown(
    state: &AdmissionState,
    scan: ScanId,
    ends: impl Fn(&CheckIn) -> bool,
) -> Vec<Effect> {
    let is_removed = |entry: &CheckIn| entry.scan == scan && ends(entry);
    if state.check_in.is_some_and(|check_in| is_removed(&check_in)) {
        let next = first_of(state.conflicts.iter().map(|conflict| &conflict.entry));
        let promoted = next.map(|entry| Effect::Promote { scan: entry.scan });
        return [Effect::Free { scan }]
            .into_iter()
            .chain(promoted)
            .collect();
    }
    let conflict = state
        .conflicts
        .iter()
        .find(|conflict| is_removed(&conflict.entry));
    conflict
        .map(|_| Effect::DropConflict { scan })
        .into_iter()
        .collect()
}

impl Row<'_> {
    fn is_of(&self, record: &ScanRecord) -> bool {
        record.scanner == self.decision.scanner
            && record.gate == self.decision.gate
            && record.token == self.decision.token
    }

    /// The entry is an answer of the core that this node did not show.
    fn replaces(&self, entry: &CheckIn) -> bool {
        entry.is_unconfirmed_of(self.source.node) && self.decision.replaces.contains(&entry.scan)
    }

    /// The entry is an answer of the core to a question of which this row says that nothing was
    /// shown. An answer to a later question about the same scan is not: this row may have been held
    /// up while that one was shown.
    fn takes_back(&self, entry: &CheckIn) -> bool {
        let asked_until = self.decision.asked_until;
        entry.is_unconfirmed_of(self.source.node)
            && asked_until.is_some_and(|until| entry.at.latest < until)
    }

    fn entry(&self) -> CheckIn {
        CheckIn {
            scan: self.decision.scan,
            gate: self.decision.gate,
            node: Some(self.source.node),
            at: self.at.unwrap_or(ANY_TIME),
            evidence: Evidence::Journal(self.source),
        }
    }
}
