//! The entries of the core's tickets, as effects change them, and those of passages that are over.

use eventify_protocol::{
    ids::{ScanId, TicketId},
    sync::PerformanceEntry,
    time::CoreTime,
};
use eventify_sync::core::Effect;

use super::core::Core;

impl Core {
    pub(crate) fn change(&mut self, ticket: TicketId, effects: &[Effect]) {
        let Some(held) = self.tickets.get_mut(&ticket) else {
            return;
        };
        for effect in effects {
            let before = held.standing.conflicts.clone();
            held.standing.apply(effect);
            match effect {
                Effect::EndPassage(_) | Effect::Restart(_) => {
                    let goes_on = |scan| held.standing.conflict(scan).is_some();
                    let over = before.iter().filter(|it| !goes_on(it.entry.scan));
                    let over = over.map(|it| (it.entry.scan, it.kind));
                    self.past_conflicts.extend(over);
                }
                Effect::AddEarlier { conflict, .. } => {
                    let scan = conflict.entry.scan;
                    self.past_conflicts.insert(scan, conflict.kind);
                }
                Effect::AddPast(entry) => drop(self.past_entries.insert(entry.scan)),
                Effect::Insert(_)
                | Effect::Confirm { .. }
                | Effect::Move { .. }
                | Effect::Free { .. }
                | Effect::Demote { .. }
                | Effect::Promote { .. }
                | Effect::AddConflict(_)
                | Effect::ConfirmConflict { .. }
                | Effect::DropConflict { .. } => {}
            }
        }
    }

    /// The entries of a ticket's passage are over.
    pub(crate) fn end_entries(&mut self, ticket: TicketId, at: CoreTime) {
        let standing = &self.tickets[&ticket].standing;
        let conflicts = standing.conflicts.iter().map(|it| it.entry.scan);
        let check_in = standing.check_in.map(|it| it.scan);
        let over: Vec<ScanId> = conflicts.chain(check_in).collect();
        for scan in over {
            self.end_scan(scan, at);
        }
    }

    pub(crate) fn end_scan(&mut self, scan: ScanId, at: CoreTime) {
        if let Some(record) = self.scans.get_mut(&scan) {
            record.ended.get_or_insert(at);
        }
    }

    /// Whether the entry of a scan is one of a passage that is over.
    pub(crate) fn is_over(&self, scan: ScanId) -> bool {
        let record = self.scans.get(&scan);
        record.is_some_and(|record| record.ended.is_some())
    }

    /// Tickets refer to their performances, which move.
    pub(crate) fn read_restarts(&mut self) {
        for held in self.tickets.values_mut() {
            let performance = self.performances.get(&held.entitlement.performance);
            held.standing.restarts_at = performance.and_then(PerformanceEntry::restart);
        }
    }
}
