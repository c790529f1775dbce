//! What a journal row changes: what was shown is what happened (`ADMISSION` 7).
//!
//! The rows of one journal come in order; those of several nodes, and the core's own decisions,
//! in any. The caller holds the ticket's row lock, carries the effects out, and records what was
//! shown ([`super::Shown`]) in the same transaction.

use eventify_protocol::{
    ids::{NodeId, ScanId},
    sync::Decision,
    time::{CoreInterval, CoreTime},
    verdict::Verdict,
};

use super::{
    CheckIn, Conflict, ConflictKind, Effect, Evidence, Place, ScanRecord, Standing,
    standing::{Order, first_of},
};

/// What is known of a moment of which a node could prove nothing: 1970 to 9999.
const ANY_TIME: CoreInterval = CoreInterval {
    earliest: CoreTime(0),
    latest: CoreTime(253_402_300_799_000_000),
};

/// A decision in a journal.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Where it stands.
    pub place: Place,
    /// When it was made, as far as the node could prove.
    pub at: Option<CoreInterval>,
    /// What was shown.
    pub decision: &'a Decision,
}

/// What comes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its class at this time; a later row can make an admission a double entry, or the other way
    /// round. What counts for a report is how the scan stands in the end ([`super::report`]).
    pub class: Class,
    /// The changes to the ticket's entries, in order.
    pub effects: Vec<Effect>,
}

/// How a row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The guest was let in, and this is the ticket's entry.
    Admitted,
    /// The guest was let in beside another one, who was first.
    DoubleEntry,
    /// The guest was let in beside another one; it is unknown who was first. So stand both.
    OrderUnknown,
    /// The guest was let in with a ticket that the core does not have (lost by a failover).
    UnknownTicket,
    /// The guest was not let in.
    Refused,
    /// The same was shown to the same scan before.
    Repeated,
}

/// Decides what a row changes. `record` is what was held of its scan id before, `standing` what is
/// held of its ticket: none if the row names no ticket, or one that is not there.
#[must_use]
pub fn decide(row: &Row<'_>, record: Option<&ScanRecord>, standing: Option<&Standing>) -> Outcome {
    let admitted = row.decision.verdict == Verdict::Admit;
    match standing {
        None if admitted => Outcome {
            class: Class::UnknownTicket,
            effects: vec![],
        },
        None => Outcome {
            class: Class::Refused,
            effects: vec![],
        },
        Some(standing) if admitted => shown(row, record, standing),
        Some(standing) => Outcome {
            class: Class::Refused,
            effects: never_shown(standing, row.decision.scan, |entry| {
                entry.is_unconfirmed_of(row.place.node)
            }),
        },
    }
}

/// Decides what it changes that a node took the decision of a scan back before it was shown. From
/// then on `ResyncRequired` counts as shown.
#[must_use]
pub fn voided(node: NodeId, scan: ScanId, standing: Option<&Standing>) -> Outcome {
    let of_that_node = |entry: &CheckIn| entry.node == Some(node);
    let effects = standing.map_or(vec![], |standing| never_shown(standing, scan, of_that_node));
    Outcome {
        class: Class::Refused,
        effects,
    }
}

/// `Admit` was shown.
fn shown(row: &Row<'_>, record: Option<&ScanRecord>, standing: &Standing) -> Outcome {
    let (scan, place) = (row.decision.scan, row.place);
    // The same id from another scanner or gate is another scan, whatever it calls itself.
    let same = record.is_none_or(|record| row.is_of(record));
    let before = record
        .and_then(|record| record.shown.as_ref())
        .map(|shown| &shown.verdict);
    if same && before == Some(&Verdict::Admit) {
        return Outcome {
            class: Class::Repeated,
            effects: vec![],
        };
    }
    let mut effects = forgotten(row, standing);
    let entry = row.entry();
    effects.push(match &standing.check_in {
        None => Effect::Insert(entry),
        Some(held) if held.scan == scan && same => Effect::Confirm { scan, place },
        Some(held) if row.replaces(held) => Effect::Move {
            from: held.scan,
            to: entry,
        },
        Some(_) if same && standing.conflict(scan).is_some() => {
            Effect::ConfirmConflict { scan, place }
        }
        Some(held) => Effect::AddConflict(Conflict {
            entry,
            kind: match held.order(&entry) {
                Order::First => ConflictKind::DoubleEntry,
                Order::Second | Order::Unknown => ConflictKind::OrderUnknown,
            },
        }),
    });
    let after = put_in_order(standing, &mut effects);
    let class = class_of(place, &after);
    Outcome { class, effects }
}

/// Whoever was certainly first takes the check-in's place: the row's own entry that comes late, or
/// one that the row shows to have been before it, now that both stand in one journal.
fn put_in_order(standing: &Standing, effects: &mut Vec<Effect>) -> Standing {
    let mut after = standing.clone();
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

/// How the entry stands that this row confirms.
fn class_of(place: Place, standing: &Standing) -> Class {
    let is_rows = |entry: &CheckIn| entry.evidence == Evidence::Journal(place);
    let beside = standing
        .conflicts
        .iter()
        .find(|conflict| is_rows(&conflict.entry));
    match beside.map(|conflict| conflict.kind) {
        Some(ConflictKind::DoubleEntry) => Class::DoubleEntry,
        Some(ConflictKind::OrderUnknown) => Class::OrderUnknown,
        None if standing.order_unknown() => Class::OrderUnknown,
        None => Class::Admitted,
    }
}

/// Conflicting entries that this row replaces.
fn forgotten(row: &Row<'_>, standing: &Standing) -> Vec<Effect> {
    standing
        .conflicts
        .iter()
        .filter(|conflict| row.replaces(&conflict.entry))
        .map(|conflict| Effect::DropConflict {
            scan: conflict.entry.scan,
        })
        .collect()
}

/// `Admit` was not shown to `scan`: its entry goes, if `ends` says that it hangs on this. Another
/// entry that was second until now takes its place.
fn never_shown(standing: &Standing, scan: ScanId, ends: impl Fn(&CheckIn) -> bool) -> Vec<Effect> {
    let goes = |entry: &CheckIn| entry.scan == scan && ends(entry);
    if standing.check_in.is_some_and(|check_in| goes(&check_in)) {
        let next = first_of(standing.conflicts.iter().map(|conflict| &conflict.entry));
        let promoted = next.map(|entry| Effect::Promote { scan: entry.scan });
        return [Effect::Free { scan }]
            .into_iter()
            .chain(promoted)
            .collect();
    }
    let conflict = standing
        .conflicts
        .iter()
        .find(|conflict| goes(&conflict.entry));
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

    /// The entry is an answer of the core that this node says it never showed.
    fn replaces(&self, entry: &CheckIn) -> bool {
        entry.is_unconfirmed_of(self.place.node) && self.decision.replaces.contains(&entry.scan)
    }

    fn entry(&self) -> CheckIn {
        CheckIn {
            scan: self.decision.scan,
            gate: self.decision.gate,
            node: Some(self.place.node),
            at: self.at.unwrap_or(ANY_TIME),
            evidence: Evidence::Journal(self.place),
        }
    }
}
