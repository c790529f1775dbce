//! Journal rows on the core's records: what was shown is what happened (ADMISSION 7).
//!
//! The ledger holds the tickets of a batch, locked, and their scans. Rows are applied in order;
//! then it says what has changed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use eventify_protocol::ids::{NodeId, ScanId, TicketId, VenueId};
use eventify_protocol::sync::{Decision, JournalEntry, SealedRow};
use eventify_protocol::verdict::Verdict;
use eventify_sync::core::reconcile::{self, Class, Outcome, Row};
use eventify_sync::core::{
    AdmissionState, CheckIn, Conflict, ConflictKind, JournalRef, ScanRecord, Shown,
};
use uuid::Uuid;

use super::scan::{KnownConflict, Scan, admission};
use super::ticket::Ticket;
use eventify_contracts::ticketing::{Admission, CheckInConflict, RowOutcome};

/// The records that a batch of rows is applied to.
#[derive(Debug)]
pub(crate) struct Ledger {
    node: NodeId,
    now: DateTime<Utc>,
    accounts: BTreeMap<TicketId, Account>,
    scans: BTreeMap<ScanId, Scan>,
    touched: BTreeSet<ScanId>,
}

/// A ticket and its entries.
#[derive(Debug)]
struct Account {
    ticket: Ticket,
    standing: AdmissionState,
    /// A row says that somebody was let in with it.
    admitted: bool,
    /// Conflicts as they were told before.
    told: Vec<KnownConflict>,
    /// Ids of all conflicts that there were, by scan.
    ids: BTreeMap<ScanId, Uuid>,
}

/// What a batch has changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// With another check-in than before, or none, or one of which more or less is known.
    pub(crate) tickets: Vec<Ticket>,
    /// As before, though somebody was let in: they were used already. The feed may not have that
    /// yet, and has to before the node forgets whom it let in (ADMISSION 4.3).
    pub(crate) unchanged: Vec<Ticket>,
    pub(crate) scans: Vec<Scan>,
    /// New, or to be told otherwise than before.
    pub(crate) conflicts: Vec<KnownConflict>,
    /// None any more.
    pub(crate) dissolved: Vec<KnownConflict>,
}

impl Ledger {
    /// Only tickets of the node's own venue are its to report on.
    pub(crate) fn new(
        node: NodeId,
        venue: VenueId,
        now: DateTime<Utc>,
        tickets: Vec<Ticket>,
        mut conflicts: BTreeMap<TicketId, Vec<KnownConflict>>,
        scans: BTreeMap<ScanId, Scan>,
    ) -> Self {
        let accounts = tickets
            .into_iter()
            .filter(|ticket| ticket.venue_id == venue);
        let accounts = accounts.map(|ticket| {
            let told = conflicts.remove(&ticket.id).unwrap_or_default();
            let standing = ticket.standing(told.iter().map(|known| known.conflict).collect());
            let ids = told
                .iter()
                .map(|known| (known.conflict.entry.scan, known.id))
                .collect();
            (
                ticket.id,
                Account {
                    ticket,
                    standing,
                    admitted: false,
                    told,
                    ids,
                },
            )
        });
        Self {
            node,
            now,
            accounts: accounts.collect(),
            scans,
            touched: BTreeSet::new(),
        }
    }

    /// Applies one row; answers what became of it, if it says anything of a scan. `id` makes the
    /// ids of new conflicts.
    pub(crate) fn apply(
        &mut self,
        row: &SealedRow,
        id: impl FnMut() -> Uuid,
    ) -> Option<RowOutcome> {
        let row = row.row();
        let (scan, ticket) = match &row.entry {
            JournalEntry::Opened { .. } => return None,
            JournalEntry::Decision(decision) => (decision.scan, decision.ticket),
            JournalEntry::Voided { scan, .. } => {
                (*scan, self.scans.get(scan).and_then(|held| held.ticket))
            }
        };
        let mut account = ticket.and_then(|ticket| self.accounts.get_mut(&ticket));
        if let (JournalEntry::Decision(decision), Some(account)) = (&row.entry, &mut account) {
            account.admitted |= decision.verdict == Verdict::Admit;
        }
        let standing = account.as_ref().map(|account| &account.standing);
        let source = JournalRef {
            node: self.node,
            incarnation: row.incarnation,
            seq: row.seq,
        };
        let outcome = match &row.entry {
            JournalEntry::Decision(decision) => reconcile::reconcile(
                &Row {
                    source,
                    at: row.at.core,
                    decision,
                },
                self.scans.get(&scan).map(|held| &held.record),
                standing,
            ),
            JournalEntry::Voided { .. } | JournalEntry::Opened { .. } => {
                reconcile::voided(self.node, scan, standing)
            }
        };
        let conflict_id = account.and_then(|account| account.carry_out(&outcome, scan, id));
        match &row.entry {
            JournalEntry::Decision(decision) => self.show(decision, source),
            JournalEntry::Voided { row, .. } => self.void(
                scan,
                JournalRef {
                    seq: *row,
                    ..source
                },
            ),
            JournalEntry::Opened { .. } => {}
        }
        Some(RowOutcome {
            seq: row.seq,
            class: name(outcome.class).to_owned(),
            conflict_id,
        })
    }

    /// Notes what was shown for a scan; an id that stands for another scan keeps its meaning.
    fn show(&mut self, decision: &Decision, source: JournalRef) {
        let (node, now) = (self.node, self.now);
        let held = self.scans.entry(decision.scan).or_insert_with(|| Scan {
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
            decided_by: decision.decided_by,
            point: None,
            created_at: now,
        });
        let record = &held.record;
        let said = (record.scanner, record.gate, record.token);
        if said != (decision.scanner, decision.gate, decision.token) {
            return;
        }
        held.record.shown = Some(Shown {
            verdict: decision.verdict.clone(),
            source,
        });
        held.decided_by = decision.decided_by;
        held.point = decision
            .point
            .and_then(|point| Some((i64::try_from(point.position.0).ok()?, point.truth)));
        held.node = Some(node);
        held.ticket = held.ticket.or(decision.ticket);
        self.touched.insert(decision.scan);
    }

    /// Notes that what was decided for a scan was never shown.
    fn void(&mut self, scan: ScanId, source: JournalRef) {
        let node = self.node;
        let Some(held) = self
            .scans
            .get_mut(&scan)
            .filter(|held| held.node == Some(node))
        else {
            return;
        };
        held.record.shown = Some(Shown {
            verdict: Verdict::ResyncRequired,
            source,
        });
        self.touched.insert(scan);
    }

    /// What is to be written and told.
    pub(crate) fn close(self) -> Changes {
        let Self {
            now,
            accounts,
            scans,
            touched,
            ..
        } = self;
        let mut changes = Changes::default();
        for account in accounts.into_values() {
            account.settle(&scans, now, &mut changes);
        }
        changes.scans = scans
            .into_values()
            .filter(|scan| touched.contains(&scan.id))
            .collect();
        changes
    }
}

impl Account {
    /// Carries effects out; answers the conflict that the scan's entry is in, if it is in one: as
    /// the other entry, or as the check-in that may not have been the first.
    fn carry_out(
        &mut self,
        outcome: &Outcome,
        scan: ScanId,
        mut id: impl FnMut() -> Uuid,
    ) -> Option<Uuid> {
        for effect in &outcome.effects {
            self.standing.apply(effect);
        }
        for conflict in &self.standing.conflicts {
            self.ids.entry(conflict.entry.scan).or_insert_with(&mut id);
        }
        let is_scans = |entry: &CheckIn| entry.scan == scan;
        let doubt = |conflict: &&Conflict| conflict.kind == ConflictKind::OrderUnknown;
        let conflict = match &self.standing.check_in {
            Some(check_in) if is_scans(check_in) => self.standing.conflicts.iter().find(doubt),
            Some(_) | None => self.standing.conflict(scan),
        };
        self.ids.get(&conflict?.entry.scan).copied()
    }

    fn settle(self, scans: &BTreeMap<ScanId, Scan>, now: DateTime<Utc>, changes: &mut Changes) {
        let Self {
            ticket,
            standing,
            admitted,
            told,
            ids,
        } = self;
        for conflict in &standing.conflicts {
            let entry = &conflict.entry;
            let first = standing.check_in.as_ref().unwrap_or(entry);
            let before = told
                .iter()
                .find(|known| known.conflict.entry.scan == entry.scan);
            let known = KnownConflict {
                id: ids[&entry.scan],
                ticket: ticket.id,
                passage: ticket.passage,
                conflict: *conflict,
                first: Admission {
                    order_unknown: standing.order_unknown(),
                    ..admission(first, scans.get(&first.scan))
                },
                second: Admission {
                    order_unknown: conflict.kind == ConflictKind::OrderUnknown,
                    ..admission(entry, scans.get(&entry.scan))
                },
                version: before.map_or(1, |before| before.version),
            };
            match before {
                Some(before) if *before == known => {}
                Some(_) => changes.conflicts.push(known.next()),
                None => changes.conflicts.push(known),
            }
        }
        let gone = told
            .into_iter()
            .filter(|k| standing.conflict(k.conflict.entry.scan).is_none());
        changes.dissolved.extend(gone.map(KnownConflict::next));
        if ticket.differs_from(&standing) {
            changes.tickets.push(ticket.entered(&standing, now));
        } else if admitted {
            changes.unchanged.push(ticket);
        }
    }
}

impl KnownConflict {
    fn next(self) -> Self {
        Self {
            version: self.version + 1,
            ..self
        }
    }

    /// As it is told; `dissolved` if it is none any more.
    pub(crate) fn event(&self, dissolved: bool) -> CheckInConflict {
        CheckInConflict {
            conflict_id: self.id,
            ticket_id: self.ticket,
            order_unknown: self.conflict.kind == ConflictKind::OrderUnknown,
            first: self.first.clone(),
            second: self.second.clone(),
            dissolved,
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
