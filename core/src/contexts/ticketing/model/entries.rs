//! A ticket's entries while the rows of a batch are applied to them, and what that changes.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::{RefundedAdmitted, TicketFacts};
use eventify_protocol::ids::{ScanId, ScannerId, TicketId};
use eventify_protocol::time::CoreTime;
use eventify_protocol::verdict::Verdict;
use eventify_sync::core::reconcile::Outcome;
use eventify_sync::core::{
    AdmissionState, CheckIn, Conflict, ConflictKind, Effect, EndKind, PassageEnd, Validity,
};
use uuid::Uuid;

use super::conflicts::{PublishedConflict, admission};
use super::refunded::{RefundedEntry, alone, refunded_admitted};
use super::scans::StoredScan;
use super::tickets::Ticket;

/// What is stored of a ticket beside itself.
#[derive(Debug, Default)]
pub(crate) struct StoredEntries {
    /// Of the present passage.
    pub(crate) conflicts: Vec<PublishedConflict>,
    /// Passages that are over.
    pub(crate) ended: Vec<PassageEnd>,
    /// Since when entries count, if its performance was moved after it had begun to admit.
    pub(crate) restarts_at: Option<CoreTime>,
}

/// What a batch has changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// With another check-in than before, or none, or one of which more or less is known.
    pub(crate) tickets: Vec<Ticket>,
    /// As before, though rows tell of them: the feed may not have that state yet, and has to before the
    /// node forgets whom it let in, or whose entry it has ended (`ADMISSION` 4.3).
    pub(crate) unchanged: Vec<Ticket>,
    /// Passages that have ended.
    pub(crate) ended: Vec<(TicketId, PassageEnd)>,
    /// Guests whom gates have let in alone, as far as this is new; some may be published already.
    pub(crate) entered: Vec<Entered>,
    pub(crate) scans: Vec<StoredScan>,
    /// New, or other than published.
    pub(crate) conflicts: Vec<PublishedConflict>,
    /// No conflicts any more.
    pub(crate) dissolved: Vec<PublishedConflict>,
    /// Guests who were admitted though the money went back, or were not after all; with the version
    /// of the ticket.
    pub(crate) refunded: Vec<(i32, RefundedAdmitted)>,
}

/// An entry that a journal has shown, with the ticket as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Entered {
    pub(crate) entry: CheckIn,
    pub(crate) scanner: Option<ScannerId>,
    pub(crate) ticket: TicketFacts,
}

/// A ticket's entries.
#[derive(Debug)]
pub(super) struct Entries {
    ticket: Ticket,
    pub(super) state: AdmissionState,
    /// A row reports that somebody was let in with the ticket, or of an act about it.
    pub(super) is_told: bool,
    published: Vec<PublishedConflict>,
    /// Passages that had ended before this batch.
    ended_before: usize,
    /// Conflicts of passages that are over, with these and their check-ins.
    past: Vec<(i32, CheckIn, Conflict)>,
    /// Ids of all conflicts of the batch, by scan; those that are gone again keep theirs.
    conflict_ids: BTreeMap<ScanId, Uuid>,
}

impl Entries {
    pub(super) fn new(ticket: Ticket, stored: StoredEntries) -> Self {
        let published = stored.conflicts;
        Self {
            conflict_ids: published
                .iter()
                .map(|it| (it.conflict.entry.scan, it.id))
                .collect(),
            ended_before: stored.ended.len(),
            state: AdmissionState {
                ended: stored.ended,
                restarts_at: stored.restarts_at,
                ..ticket.admission_state(published.iter().map(|it| it.conflict).collect())
            },
            is_told: false,
            past: Vec::new(),
            ticket,
            published,
        }
    }

    /// Carries effects out. Returns the conflict that the scan's entry is in, if it is in one: as
    /// the other entry, or as the check-in that may not have been the first.
    pub(super) fn carry_out(
        &mut self,
        outcome: &Outcome,
        scan: ScanId,
        mut id: impl FnMut() -> Uuid,
    ) -> Option<Uuid> {
        for effect in &outcome.effects {
            self.apply(effect);
        }
        let conflicts = &self.state.conflicts;
        let past = self.past.iter().map(|(.., conflict)| conflict);
        for conflict in conflicts.iter().chain(past) {
            self.conflict_ids
                .entry(conflict.entry.scan)
                .or_insert_with(&mut id);
        }
        let conflict = match &self.state.check_in {
            Some(check_in) if check_in.scan == scan => conflicts
                .iter()
                .find(|conflict| conflict.kind == ConflictKind::OrderUnknown),
            Some(_) | None => self.state.conflict(scan),
        };
        self.conflict_ids.get(&conflict?.entry.scan).copied()
    }

    fn apply(&mut self, effect: &Effect) {
        let passage = self.state.passage;
        let (first, before) = (self.state.check_in, self.state.conflicts.clone());
        self.state.apply(effect);
        if let Effect::AddEarlier { passage, conflict } = effect {
            let mut ended = self.state.ended.iter();
            let end = ended.find(|end| end.passage == *passage);
            self.past
                .extend(end.map(|end| (*passage, end.first, *conflict)));
        }
        let is_over = matches!(effect, Effect::EndPassage(_) | Effect::Restart(_));
        if let Some(first) = first.filter(|_| is_over) {
            let left = before
                .into_iter()
                .filter(|it| !self.state.has_entry(it.entry.scan));
            self.past
                .extend(left.map(|conflict| (passage, first, conflict)));
        }
    }

    pub(super) fn derive_changes(
        mut self,
        scans: &BTreeMap<ScanId, StoredScan>,
        now: DateTime<Utc>,
        changes: &mut Changes,
    ) {
        self.derive_conflicts(scans, changes);
        let ended = self.state.ended.split_off(self.ended_before);
        let id = self.ticket.id;
        changes.ended.extend(ended.iter().map(|end| (id, *end)));
        let Self { ticket, state, .. } = self;
        let conflicts = self.published.iter().map(|it| it.conflict);
        let before = ticket.admission_state(conflicts.collect());
        let published = ticket
            .refunded_scan
            .and_then(|scan| RefundedEntry::of(&before, scan));
        let state = AdmissionState {
            ended: ended.clone(),
            ..state
        };
        let differs = ticket.differs_from(&state);
        let is_good = state.validity == Validity::Valid;
        let found = if !is_good && (self.is_told || published.is_some()) {
            alone(&state, scans)
        } else {
            None
        };
        let found_scan = found.map(|it| it.entry.scan);
        let finds = ticket.refunded_scan != found_scan;
        let mut after = ticket;
        if differs {
            after = after.with_entries(&state, now);
        }
        if finds {
            after = after.with_refunded(found_scan, now);
        }
        let differs = differs || finds;
        let first = ended.iter().filter(|end| end.kind != EndKind::Undone);
        let entries = first.map(|end| end.first).chain(state.check_in);
        let known = before.check_in.map(|it| it.scan);
        for entry in entries.filter(|it| Some(it.scan) != known) {
            changes.entered.extend(entered(entry, &after, scans));
        }
        if let Some(named) = found.or(published).filter(|_| differs) {
            let scan = scans.get(&named.entry.scan);
            let event = refunded_admitted(&after, &named, scan, found.is_none());
            changes.refunded.push((after.version, event));
        }
        if differs {
            changes.tickets.push(after);
        } else if self.is_told {
            changes.unchanged.push(after);
        }
    }

    /// What is new about conflicts: of the present passage, and of those that are over.
    fn derive_conflicts(&self, scans: &BTreeMap<ScanId, StoredScan>, changes: &mut Changes) {
        let (ticket, state) = (&self.ticket, &self.state);
        let order_unknown = state.order_unknown();
        let present = state.conflicts.iter().map(|conflict| {
            let first = state.check_in.as_ref().unwrap_or(&conflict.entry);
            (state.passage, *first, *conflict, order_unknown)
        });
        let past = self.past.iter().map(|(passage, first, conflict)| {
            let order_unknown = conflict.kind == ConflictKind::OrderUnknown;
            (*passage, *first, *conflict, order_unknown)
        });
        let mut held = BTreeSet::new();
        for (passage, first, conflict, order_unknown) in present.chain(past) {
            let entry = &conflict.entry;
            held.insert(entry.scan);
            let second_unknown = conflict.kind == ConflictKind::OrderUnknown;
            let mut published = self.published.iter();
            let published = published.find(|it| it.conflict.entry.scan == entry.scan);
            let current = PublishedConflict {
                id: self.conflict_ids[&entry.scan],
                ticket: ticket.id,
                passage,
                conflict,
                first: admission(&first, scans.get(&first.scan), order_unknown),
                second: admission(entry, scans.get(&entry.scan), second_unknown),
                version: published.map_or(1, |published| published.version),
            };
            match published {
                Some(published) if *published == current => {}
                Some(_) => changes.conflicts.push(current.next_version()),
                None => changes.conflicts.push(current),
            }
        }
        let dissolved = self.published.iter();
        let dissolved = dissolved.filter(|it| !held.contains(&it.conflict.entry.scan));
        let dissolved = dissolved.cloned().map(PublishedConflict::next_version);
        changes.dissolved.extend(dissolved);
    }
}

/// What is published of an entry, unless the core let the guest in itself and has said so.
fn entered(
    entry: CheckIn,
    ticket: &Ticket,
    scans: &BTreeMap<ScanId, StoredScan>,
) -> Option<Entered> {
    let scan = scans.get(&entry.scan);
    let is_own = scan.is_some_and(|it| it.record.own == Some(Verdict::Admit));
    (!is_own).then(|| Entered {
        entry,
        scanner: scan.map(|it| it.record.scanner),
        ticket: ticket.facts(),
    })
}
