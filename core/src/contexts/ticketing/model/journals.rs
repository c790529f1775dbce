//! Journal rows, applied to the core's records: what was shown is what happened (`ADMISSION` 7).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use eventify_contracts::ticketing::RowOutcome;
use eventify_protocol::ids::{IncarnationId, NodeId, ScanId, TicketId, VenueId};
use eventify_protocol::sync::{Decision, JournalEntry, SealedRow};
use eventify_protocol::time::{CoreInterval, CoreTime};
use eventify_protocol::verdict::Verdict;
use eventify_sync::core::reconcile::{self, Class, Outcome, Row};
use eventify_sync::core::{JournalRef, ScanRecord, Shown, acts};
use uuid::Uuid;

use super::entries::{Changes, Entries, StoredEntries};
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

impl Reconciliation {
    /// A node reports only on tickets of its own venue; the others are left out.
    pub(crate) fn new(
        (node, venue): (NodeId, VenueId),
        now: DateTime<Utc>,
        tickets: Vec<Ticket>,
        mut stored: BTreeMap<TicketId, StoredEntries>,
        scans: BTreeMap<ScanId, StoredScan>,
    ) -> Self {
        let of_venue = tickets
            .into_iter()
            .filter(|ticket| ticket.venue_id == venue);
        let tickets = of_venue.map(|ticket| {
            let stored = stored.remove(&ticket.id).unwrap_or_default();
            (ticket.id, Entries::new(ticket, stored))
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
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_)
            | JournalEntry::GateChanged(_) => return None,
            JournalEntry::Overridden(_) | JournalEntry::Undone(_) | JournalEntry::Left(_) => {
                self.apply_act(&row.entry, (source(row.seq), row.at.core), id)?
            }
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
                    entries.is_told |= decision.verdict == Verdict::Admit;
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
        let at = row
            .at
            .core
            .map_or(CoreTime(row.at.wall.0), |core| core.earliest);
        self.record_ended(&outcome.ended, at);
        Some(RowOutcome {
            seq: row.seq,
            class: name(outcome.class).to_owned(),
            conflict_id,
        })
    }

    /// Applies what somebody did beside scanning.
    fn apply_act(
        &mut self,
        entry: &JournalEntry,
        made: (JournalRef, Option<CoreInterval>),
        id: impl FnMut() -> Uuid,
    ) -> Option<(Outcome, Option<Uuid>)> {
        let state = |ticket| self.tickets.get(&ticket).map(|entries| &entries.state);
        let (ticket, scan, outcome) = match entry {
            JournalEntry::Overridden(act) => {
                let stored = self.scans.get(&act.scan);
                let scanned = (stored.map(|it| &it.record), stored.and_then(|it| it.node));
                let outcome = acts::overridden(made, act, scanned, state(act.ticket));
                (act.ticket, act.scan, outcome)
            }
            JournalEntry::Undone(act) => {
                let of = self.scans.get(&act.scan).and_then(|stored| stored.node);
                let outcome = acts::undone(made, act, of, state(act.ticket));
                (act.ticket, act.scan, outcome)
            }
            JournalEntry::Left(act) => {
                let outcome = acts::left(made, act, state(act.ticket));
                (act.ticket, act.entry, outcome)
            }
            JournalEntry::GateChanged(_)
            | JournalEntry::Opened { .. }
            | JournalEntry::Decision(_)
            | JournalEntry::Voided { .. }
            | JournalEntry::RefusedAgain { .. }
            | JournalEntry::Unreadable { .. }
            | JournalEntry::Searched(_) => return None,
        };
        let entries = self.tickets.get_mut(&ticket);
        let conflict_id = entries.and_then(|entries| {
            entries.is_told = true;
            entries.carry_out(&outcome, scan, id)
        });
        Some((outcome, conflict_id))
    }

    /// Their entries are over: whatever comes of them later enters nowhere.
    fn record_ended(&mut self, scans: &[ScanId], at: CoreTime) {
        for scan in scans {
            if let Some(stored) = self.scans.get_mut(scan) {
                stored.record.ended.get_or_insert(at);
                self.changed.insert(*scan);
            }
        }
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
                    ended: None,
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
        let is_other = (record.scanner, record.gate, record.token)
            != (decision.scanner, decision.gate, decision.token);
        if is_other || stored.node.is_some_and(|of| of != node) {
            return;
        }
        stored.node = Some(node);
        stored.ticket = stored.ticket.or(decision.ticket);
        if stored.record.show(&decision.verdict, source) {
            stored.decided_by = decision.decided_by;
            stored.point = decision
                .point
                .and_then(|point| Some((i64::try_from(point.position.0).ok()?, point.truth)));
            stored.person = decision.person;
        }
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

/// A row's class as fleet and reports know it.
fn name(class: Class) -> &'static str {
    match class {
        Class::Admitted => "admitted",
        Class::DoubleEntry => "double_entry",
        Class::OrderUnknown => "order_unknown",
        Class::UnknownTicket => "unknown_ticket",
        Class::Refused => "refused",
        Class::Repeated => "repeated",
        Class::Overridden => "overridden",
        Class::Undone => "undone",
        Class::Left => "left",
    }
}
