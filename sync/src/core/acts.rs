//! What an act changes that a node's journal tells of (`ADMISSION` 7.4): like a decision it is what happened,
//! whatever came before it or behind it.

use eventify_protocol::{
    ids::NodeId,
    sync::{Left, Overridden, Undone},
    time::CoreInterval,
};

use super::{
    AdmissionState, CheckIn, Conflict, Effect, EndKind, Evidence, JournalRef, ScanRecord,
    reconcile::{ANY_TIME, Class, Outcome, elsewhere, never_shown, order_entries},
};

/// What changes when a supervisor has let in whom a scan had refused. The entry bears the scan's id, and
/// comes once, whichever files carry its row. Beside it is what is stored of the scan, and of which node:
/// another one's is nothing that this node could override, and stays as it is.
#[must_use]
pub fn overridden(
    (source, at): (JournalRef, Option<CoreInterval>),
    act: &Overridden,
    (record, of): (Option<&ScanRecord>, Option<NodeId>),
    state: Option<&AdmissionState>,
) -> Outcome {
    let Some(state) = state else {
        return Outcome::of(Class::UnknownTicket, vec![]);
    };
    let scan = act.scan;
    let mut entries = state.entries().filter(|it| it.scan == scan);
    let is_done = |it: &CheckIn| it.is_override() || it.node != Some(source.node);
    if entries.any(is_done)
        || is_of_another(source, of)
        || record.is_some_and(|record| record.ended.is_some())
    {
        return Outcome::of(Class::Repeated, vec![]);
    }
    let entry = CheckIn {
        scan,
        gate: act.by.gate,
        node: Some(source.node),
        at: at.unwrap_or(ANY_TIME),
        evidence: Evidence::Override(source),
    };
    if let Some(outcome) = elsewhere(&entry, state, Class::Overridden) {
        return outcome;
    }
    let mut effects = vec![];
    match &state.check_in {
        None => effects.push(Effect::Insert(entry)),
        // An answer of the core to this scan, which nobody was shown.
        Some(check_in) if check_in.scan == scan => effects.push(Effect::Move {
            from: scan,
            to: entry,
        }),
        Some(check_in) => {
            effects.extend(state.conflict(scan).map(|_| Effect::DropConflict { scan }));
            effects.push(Effect::AddConflict(Conflict::beside(check_in, entry)));
        }
    }
    order_entries(state, &mut effects);
    Outcome::of(Class::Overridden, effects)
}

/// What changes when a node's own admission was undone: that entry is over, whatever came before it or
/// behind it, and no other. `of` is the node that the scan is stored of: another one's goes on.
#[must_use]
pub fn undone(
    (source, at): (JournalRef, Option<CoreInterval>),
    act: &Undone,
    of: Option<NodeId>,
    state: Option<&AdmissionState>,
) -> Outcome {
    let scan = act.scan;
    let own = |entry: &CheckIn| entry.scan == scan && entry.node == Some(source.node);
    let state = state.filter(|state| state.entries().any(own));
    let effects = state.map_or(vec![], |state| {
        let is_check_in = state.check_in.is_some_and(|it| it.scan == scan);
        if is_check_in && state.conflicts.is_empty() {
            let at = at.unwrap_or(ANY_TIME);
            state.end(EndKind::Undone, (at, source)).0
        } else {
            never_shown(state, scan, own)
        }
    });
    let ended = Some(scan).filter(|_| !is_of_another(source, of));
    Outcome {
        class: Class::Undone,
        effects,
        ended: ended.into_iter().collect(),
    }
}

/// No node decides a scan of another one, and what it says of one is no fact.
fn is_of_another(source: JournalRef, of: Option<NodeId>) -> bool {
    of.is_some_and(|node| node != source.node)
}

/// What changes when a guest has left: nothing, if the entry that the node knew is none of the present
/// passage any more.
#[must_use]
pub fn left(
    (source, at): (JournalRef, Option<CoreInterval>),
    act: &Left,
    state: Option<&AdmissionState>,
) -> Outcome {
    let state = state.filter(|state| state.has_entry(act.entry));
    let at = at.unwrap_or(ANY_TIME);
    let (effects, ended) = state.map_or((vec![], vec![]), |state| {
        state.end(EndKind::Left, (at, source))
    });
    Outcome {
        class: Class::Left,
        effects,
        ended,
    }
}
