//! Entries that this node has ended, by an undo or an exit, and that the replica may still show: part of the
//! overlay (`ADMISSION` 3.14). Until the core has acknowledged the row it would refuse the ticket by an entry
//! that is over.

use std::collections::BTreeMap;

use eventify_protocol::ids::{ScanId, TicketId};

use super::overlay::{FeedRef, State};

#[derive(Clone, Copy, Debug)]
struct Mark {
    ticket: TicketId,
    /// The journal row that ended it.
    seq: u64,
    state: State,
}

/// By the entry's scan.
#[derive(Debug, Default)]
pub(super) struct Freed {
    marks: BTreeMap<ScanId, Mark>,
}

impl Freed {
    pub(super) fn insert(&mut self, scan: ScanId, ticket: TicketId, seq: u64) {
        let state = State::Open;
        self.marks.insert(scan, Mark { ticket, seq, state });
    }

    pub(super) fn contains(&self, scan: ScanId) -> bool {
        self.marks.contains_key(&scan)
    }

    /// The last row that freed the ticket, and whether the core has yet to acknowledge it.
    pub(super) fn last(&self, ticket: TicketId) -> Option<(u64, bool)> {
        let of_ticket = self.marks.values().filter(|mark| mark.ticket == ticket);
        let rows = of_ticket.map(|mark| (mark.seq, mark.state == State::Open));
        rows.max()
    }

    /// For each mark's row and state.
    pub(super) fn for_each(&mut self, mut change: impl FnMut(u64, &mut State)) {
        for mark in self.marks.values_mut() {
            change(mark.seq, &mut mark.state);
        }
    }

    /// Leaves those that are still needed.
    pub(super) fn retain(&mut self, mut is_needed: impl FnMut(State) -> bool) {
        self.marks.retain(|_, mark| is_needed(mark.state));
    }

    /// What is not acknowledged comes again with the rows of a new file.
    pub(super) fn renumber(&mut self) {
        self.marks.retain(|_, mark| mark.state != State::Open);
        for mark in self.marks.values_mut() {
            mark.seq = 0;
        }
    }

    pub(super) fn mark_open_acknowledged(&mut self, seq: u64, position: Option<FeedRef>) {
        self.for_each(|row, state| {
            if row <= seq && *state == State::Open {
                *state = State::Acknowledged(position);
            }
        });
    }
}
