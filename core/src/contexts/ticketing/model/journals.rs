//! Journal rows, applied to the core's records: what was shown is what happened (`ADMISSION` 7).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::{RefundedAdmitted, RowOutcome};
use eventify_protocol::ids::{IncarnationId, NodeId, ScanId, TicketId, VenueId};
use eventify_protocol::sync::{Decision, JournalEntry, SealedRow};
use eventify_protocol::verdict::Verdict;
use eventify_sync::core::reconcile::{self, Class, Outcome, Row};
use eventify_sync::core::{AdmissionState, ConflictKind, JournalRef, ScanRecord, Shown, Validity};
use uuid::Uuid;

use super::conflicts::{PublishedConflict, admission};
use super::refunded::{RefundedEntry, alone, refunded_admitted};
use super::scans::StoredScan;
use super::tickets::Ticket;

/// Rows of one journal file, without gaps. Fleet has verified their chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) node: NodeId,
    pub(crate) venue: VenueId,
    pub(crate) incarnation: IncarnationId,
    pub(crate) from: u64,
    pub(crate) through: u64,
    /// The rows' exact bytes, in order.
    pub(crate) rows: Vec<Vec<u8>>,
}

/// The records to which the rows of a batch are applied, in order: its tickets, which are locked,
/// and their scans.
#[derive(Debug)]
pub(crate) struct Reconciliation {
    node: NodeId,
    now: DateTime<Utc>,
    tickets: BTreeMap<TicketId, Entries>,
    scans: BTreeMap<ScanId, StoredScan>,
    changed: BTreeSet<ScanId>,
}

/// A ticket's entries.
#[derive(Debug)]
struct Entries {
    ticket: Ticket,
    state: AdmissionState,
    /// A row reports that somebody was let in with the ticket.
    admitted: bool,
    published: Vec<PublishedConflict>,
    /// Ids of all conflicts of the batch, by scan; those that are gone again keep theirs.
    conflict_ids: BTreeMap<ScanId, Uuid>,
}

/// What a batch has changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// With another check-in than before, or none, or one of which more or less is known.
    pub(crate) tickets: Vec<Ticket>,
    /// As before, though somebody was let in: they were used already. The feed may not have that
    /// yet, and has to before the node forgets whom it let in (`ADMISSION` 4.3).
    pub(crate) unchanged: Vec<Ticket>,
    pub(crate) scans: Vec<StoredScan>,
    /// New, or other than published.
    pub(crate) conflicts: Vec<PublishedConflict>,
    /// No conflicts any more.
    pub(crate) dissolved: Vec<PublishedConflict>,
    /// Guests who were admitted though the money went back, or were not after all; with the version
    /// of the ticket.
    pub(crate) refunded: Vec<(i32, RefundedAdmitted)>,
}

impl Reconciliation {
    /// A node reports only on tickets of its own venue; the others are left out.
    pub(crate) fn new(
        (node, venue): (NodeId, VenueId),
        now: DateTime<Utc>,
        tickets: Vec<Ticket>,
        mut conflicts: BTreeMap<TicketId, Vec<PublishedConflict>>,
        scans: BTreeMap<ScanId, StoredScan>,
    ) -> Self {
        let of_venue = tickets
            .into_iter()
            .filter(|ticket| ticket.venue_id == venue);
        let tickets = of_venue.map(|ticket| {
            let published = conflicts.remove(&ticket.id).unwrap_or_default();
            (ticket.id, Entries::new(ticket, published))
        });
        Self {
            node,
            now,
            tickets: tickets.collect(),
            scans,
            changed: BTreeSet::new(),
        }
    }

    /// Applies one row, and returns its outcome if it is about a scan. `id` makes the ids of new
    /// conflicts.
    pub(crate) fn apply(
        &mut self,
        row: &SealedRow,
        id: impl FnMut() -> Uuid,
    ) -> Option<RowOutcome> {
        let row = row.row();
        let source = |seq| JournalRef {
            node: self.node,
            incarnation: row.incarnation,
            seq,
        };
        let (outcome, conflict_id) = match &row.entry {
            JournalEntry::Opened { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. } => return None,
            JournalEntry::Decision(decision) => {
                let source = source(row.seq);
                let stored = self.scans.get(&decision.scan);
                // A node that gave up on the core may not have learned which ticket a short code
                // stands for, and the core may have admitted it.
                let known = stored.and_then(|scan| scan.ticket);
                let ticket = decision.ticket.or(known);
                let entries = ticket.and_then(|id| self.tickets.get_mut(&id));
                let outcome = reconcile::reconcile(
                    &Row {
                        source,
                        at: row.at.core,
                        decision,
                    },
                    stored.map(|scan| &scan.record),
                    entries.as_ref().map(|entries| &entries.state),
                );
                let conflict_id = entries.and_then(|entries| {
                    entries.admitted |= decision.verdict == Verdict::Admit;
                    entries.carry_out(&outcome, decision.scan, id)
                });
                self.record_shown(decision, source);
                (outcome, conflict_id)
            }
            JournalEntry::Voided {
                row: voided,
                scan,
                decided_at,
            } => {
                let source = source(*voided);
                let ticket = self.scans.get(scan).and_then(|stored| stored.ticket);
                let entries = ticket.and_then(|id| self.tickets.get_mut(&id));
                let state = entries.as_ref().map(|entries| &entries.state);
                let outcome =
                    reconcile::voided(self.node, decided_at.or(row.at.core), *scan, state);
                let stands =
                    outcome.effects.is_empty() && state.is_some_and(|state| state.has_entry(*scan));
                let conflict_id = entries.and_then(|it| it.carry_out(&outcome, *scan, id));
                if !stands {
                    self.record_voided(*scan, source);
                }
                (outcome, conflict_id)
            }
        };
        Some(RowOutcome {
            seq: row.seq,
            class: name(outcome.class).to_owned(),
            conflict_id,
        })
    }

    /// Records what was shown for a scan. An id that belongs to another scan stays as it is.
    fn record_shown(&mut self, decision: &Decision, source: JournalRef) {
        let (node, now) = (self.node, self.now);
        let stored = self
            .scans
            .entry(decision.scan)
            .or_insert_with(|| StoredScan {
                id: decision.scan,
                record: ScanRecord {
                    scanner: decision.scanner,
                    gate: decision.gate,
                    token: decision.token,
                    own: None,
                    shown: None,
                },
                own_at: None,
                ticket: None,
                node: None,
                device: None,
                person: None,
                decided_by: decision.decided_by,
                point: None,
                created_at: now,
            });
        let record = &stored.record;
        if (record.scanner, record.gate, record.token)
            != (decision.scanner, decision.gate, decision.token)
        {
            return;
        }
        stored.record.shown = Some(Shown {
            verdict: decision.verdict.clone(),
            source,
        });
        stored.decided_by = decision.decided_by;
        stored.point = decision
            .point
            .and_then(|point| Some((i64::try_from(point.position.0).ok()?, point.truth)));
        stored.node = Some(node);
        stored.person = decision.person;
        stored.ticket = stored.ticket.or(decision.ticket);
        self.changed.insert(decision.scan);
    }

    /// Records that the decision of a scan was never shown.
    fn record_voided(&mut self, scan: ScanId, source: JournalRef) {
        let stored = self.scans.get_mut(&scan);
        if let Some(stored) = stored.filter(|stored| stored.node == Some(self.node)) {
            stored.record.shown = Some(Shown {
                verdict: Verdict::ResyncRequired,
                source,
            });
            self.changed.insert(scan);
        }
    }

    /// What is to be written and published.
    pub(crate) fn derive_changes(mut self) -> Changes {
        let mut changes = Changes::default();
        for entries in self.tickets.into_values() {
            entries.derive_changes(&self.scans, self.now, &mut changes);
        }
        self.scans.retain(|id, _| self.changed.contains(id));
        changes.scans = self.scans.into_values().collect();
        changes
    }
}

impl Entries {
    fn new(ticket: Ticket, published: Vec<PublishedConflict>) -> Self {
        Self {
            state: ticket.admission_state(published.iter().map(|it| it.conflict).collect()),
            conflict_ids: published
                .iter()
                .map(|it| (it.conflict.entry.scan, it.id))
                .collect(),
            admitted: false,
            ticket,
            published,
        }
    }

    /// Carries effects out. Returns the conflict that the scan's entry is in, if it is in one: as
    /// the other entry, or as the check-in that may not have been the first.
    fn carry_out(
        &mut self,
        outcome: &Outcome,
        scan: ScanId,
        mut id: impl FnMut() -> Uuid,
    ) -> Option<Uuid> {
        for effect in &outcome.effects {
            self.state.apply(effect);
        }
        let conflicts = &self.state.conflicts;
        for conflict in conflicts {
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

    fn derive_changes(
        self,
        scans: &BTreeMap<ScanId, StoredScan>,
        now: DateTime<Utc>,
        changes: &mut Changes,
    ) {
        let Self { ticket, state, .. } = self;
        let conflicts = self.published.iter().map(|it| it.conflict);
        let before = ticket.admission_state(conflicts.collect());
        let published = ticket
            .refunded_scan
            .and_then(|scan| RefundedEntry::of(&before, scan));
        for conflict in &state.conflicts {
            let entry = &conflict.entry;
            let first = state.check_in.as_ref().unwrap_or(entry);
            let second_unknown = conflict.kind == ConflictKind::OrderUnknown;
            let published = self
                .published
                .iter()
                .find(|it| it.conflict.entry.scan == entry.scan);
            let current = PublishedConflict {
                id: self.conflict_ids[&entry.scan],
                ticket: ticket.id,
                passage: ticket.passage,
                conflict: *conflict,
                first: admission(first, scans.get(&first.scan), state.order_unknown()),
                second: admission(entry, scans.get(&entry.scan), second_unknown),
                version: published.map_or(1, |published| published.version),
            };
            match published {
                Some(published) if *published == current => {}
                Some(_) => changes.conflicts.push(current.next_version()),
                None => changes.conflicts.push(current),
            }
        }
        let dissolved = self
            .published
            .into_iter()
            .filter(|it| state.conflict(it.conflict.entry.scan).is_none());
        let dissolved = dissolved.map(PublishedConflict::next_version);
        changes.dissolved.extend(dissolved);
        let differs = ticket.differs_from(&state);
        let is_good = state.validity == Validity::Valid;
        let found = if !is_good && (self.admitted || published.is_some()) {
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
        if let Some(named) = found.or(published).filter(|_| differs) {
            let scan = scans.get(&named.entry.scan);
            let event = refunded_admitted(&after, &named, scan, found.is_none());
            changes.refunded.push((after.version, event));
        }
        if differs {
            changes.tickets.push(after);
        } else if self.admitted {
            changes.unchanged.push(after);
        }
    }
}

/// A row's class as fleet and reports know it.
fn name(class: Class) -> &'static str {
    match class {
        Class::Admitted => "admitted",
        Class::DoubleEntry => "double_entry",
        Class::OrderUnknown => "order_unknown",
        Class::UnknownTicket => "unknown_ticket",
        Class::Refused => "refused",
        Class::Repeated => "repeated",
    }
}
