//! The admissions in this node's journal that the replica may not show yet: they are read before the
//! replica, in every mode (`ADMISSION` 3.6), and are no part of replica or digest.

use std::collections::BTreeMap;

use eventify_protocol::{
    ids::{GateId, ScanId, TicketId},
    sync::{Decision, Epoch, Moment, Overridden, Position},
    time::CoreTime,
    verdict::{DecidedBy, FirstEntry},
};

use super::freed::Freed;

/// An admission by this node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    pub(super) scan: ScanId,
    pub(super) gate: GateId,
    pub(super) at: Moment,
    /// The journal row.
    pub(super) seq: u64,
    /// Decided without the core.
    pub(super) alone: bool,
    /// By a supervisor, beside earlier ones.
    is_override: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not acknowledged.
    Open,
    /// Acknowledged; in the feed by this position, if it is known.
    Acknowledged(Option<FeedRef>),
}

/// A position in the feed of one database. Those of two databases are never compared.
pub(super) type FeedRef = (Epoch, Position);

#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// In the order of their rows: those behind the first are overrides.
    admissions: BTreeMap<TicketId, Vec<Admission>>,
    /// Entries that are over, and that the replica may still show.
    freed: Freed,
    /// Rows of admissions that are not acknowledged.
    open: BTreeMap<u64, TicketId>,
    /// Those of them that were decided without the core: the oldest is needed at every input.
    alone: BTreeMap<u64, TicketId>,
    /// The replica's position at the last deletion; none if something was acknowledged since. After an
    /// hour alone there are tens of thousands of admissions, and deletion is tried at every input.
    swept: Option<FeedRef>,
    /// The furthest acknowledgement of what was deleted: only a replica that has it shows what is no
    /// longer here. One that was fetched anew begins behind it.
    passed: Option<FeedRef>,
    /// The database that acknowledged last.
    epoch: Option<Epoch>,
    /// Rows of this journal are lost, and with them admissions: until the core has acknowledged the
    /// file that goes on without them, and the replica has what it knew by then, the overlay is not
    /// complete.
    loss: Option<State>,
}

impl Admission {
    /// What row `seq` says: `Admit` is shown.
    pub(super) fn of(decision: &Decision, seq: u64, at: Moment) -> Self {
        Self {
            scan: decision.scan,
            gate: decision.gate,
            at,
            seq,
            alone: decision.decided_by == DecidedBy::Edge,
            is_override: false,
            state: State::Open,
        }
    }

    /// What row `seq` says: a supervisor lets the guest in.
    pub(super) fn by_override(act: &Overridden, seq: u64, at: Moment) -> Self {
        Self {
            scan: act.scan,
            gate: act.by.gate,
            at,
            seq,
            alone: true,
            is_override: true,
            state: State::Open,
        }
    }

    pub(super) fn is_acknowledged(&self) -> bool {
        self.state != State::Open
    }

    pub(super) fn first_entry(&self) -> FirstEntry {
        let at = self
            .at
            .core
            .map_or(CoreTime(self.at.wall.0), |span| span.earliest);
        FirstEntry {
            gate: self.gate,
            at,
            confirmed: true,
        }
    }
}

impl Overlay {
    /// All admissions of a ticket, in their order.
    pub(super) fn list(&self, ticket: TicketId) -> &[Admission] {
        self.admissions.get(&ticket).map_or(&[], Vec::as_slice)
    }

    /// The first of them.
    pub(super) fn find(&self, ticket: TicketId) -> Option<&Admission> {
        self.list(ticket).first()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TicketId, &Admission)> {
        let all = self.admissions.iter();
        all.flat_map(|(ticket, held)| held.iter().map(|it| (*ticket, it)))
    }

    /// An override stands beside what was before; everything else takes its place.
    pub(super) fn insert(&mut self, ticket: TicketId, admission: Admission) {
        let (seq, alone) = (admission.seq, admission.alone);
        let held = self.admissions.entry(ticket).or_default();
        let is_replaced = |held: &Admission| {
            held.seq < seq && !admission.is_override || held.scan == admission.scan
        };
        let replaced: Vec<u64> = held
            .iter()
            .filter(|it| is_replaced(it))
            .map(|it| it.seq)
            .collect();
        held.retain(|held| !is_replaced(held));
        held.push(admission);
        held.sort_by_key(|held| held.seq);
        for row in replaced {
            self.close_row(row);
        }
        self.open.insert(seq, ticket);
        if alone {
            self.alone.insert(seq, ticket);
        }
    }

    /// A row of the journal that is read again says that somebody was let in. It may have been overtaken.
    pub(super) fn replay(&mut self, ticket: TicketId, admission: Admission) {
        let is_overtaken = |held: &Admission| {
            let is_there = held.scan == admission.scan && held.seq >= admission.seq;
            let both = !held.is_override && !admission.is_override;
            is_there || both && held.seq > admission.seq
        };
        let is_overtaken = self.list(ticket).iter().any(is_overtaken);
        if !is_overtaken && !self.freed.contains(admission.scan) {
            self.insert(ticket, admission);
        }
    }

    /// Row `seq` says that this scan's entry is over: it is undone.
    pub(super) fn undo(&mut self, ticket: TicketId, scan: ScanId, seq: u64) {
        self.delete(ticket, scan);
        self.freed.insert(scan, ticket, seq);
    }

    /// Row `seq` says that the guest of this entry has left: all entries before it are over.
    pub(super) fn leave(&mut self, ticket: TicketId, entry: ScanId, seq: u64) {
        let held = self.list(ticket).iter().filter(|held| held.seq < seq);
        let over: Vec<ScanId> = held.map(|held| held.scan).collect();
        for scan in over {
            self.undo(ticket, scan, seq);
        }
        self.freed.insert(entry, ticket, seq);
    }

    /// Whether this node has ended the entry of a scan.
    pub(super) fn is_freed(&self, scan: ScanId) -> bool {
        self.freed.contains(scan)
    }

    /// The last row that ended an entry of the ticket, and whether the core has yet to acknowledge it.
    pub(super) fn last_freed(&self, ticket: TicketId) -> Option<(u64, bool)> {
        self.freed.last(ticket)
    }

    /// Row 1 says that this file began after a loss.
    pub(super) fn begin_after_loss(&mut self) {
        self.loss = Some(State::Open);
        self.swept = None;
    }

    /// It has every admission that the replica may not show.
    pub(super) fn is_complete(&self) -> bool {
        self.loss.is_none()
    }

    fn close_row(&mut self, seq: u64) {
        self.open.remove(&seq);
        self.alone.remove(&seq);
    }

    /// A row says that this scan's admission was not shown.
    pub(super) fn delete(&mut self, ticket: TicketId, scan: ScanId) {
        let Some(held) = self.admissions.get_mut(&ticket) else {
            return;
        };
        let Some(place) = held.iter().position(|held| held.scan == scan) else {
            return;
        };
        let admission = held.remove(place);
        if held.is_empty() {
            self.admissions.remove(&ticket);
        }
        self.close_row(admission.seq);
    }

    /// Row `seq` says that this scan's admission by an earlier row was not shown.
    pub(super) fn delete_before(&mut self, seq: u64, scan: ScanId) {
        let mut admissions = self.admissions.iter();
        let is_before = |held: &Admission| held.scan == scan && held.seq < seq;
        let found = admissions.find(|(_, held)| held.iter().any(is_before));
        if let Some((&ticket, _)) = found {
            self.delete(ticket, scan);
        }
    }

    /// The core holds all rows through `seq`, and its feed has them by this position; also those that
    /// another database had acknowledged by a position of its own.
    pub(super) fn mark_acknowledged(&mut self, seq: u64, position: FeedRef) {
        self.close_rows(seq, Some(position));
        if self.epoch.replace(position.0) == Some(position.0) {
            return;
        }
        let covered = |admission: &&mut Admission| admission.seq <= seq;
        let covered = self.admissions.values_mut().flatten().filter(covered);
        let states = covered.map(|admission| &mut admission.state);
        let loss = self.loss.as_mut().filter(|_| seq > 0);
        let renew = |state: &mut State| {
            if !matches!(state, State::Acknowledged(Some((epoch, _))) if *epoch == position.0) {
                *state = State::Acknowledged(Some(position));
            }
        };
        states.chain(loss).for_each(renew);
        self.freed.for_each(|row, state| {
            if row <= seq {
                renew(state);
            }
        });
    }

    /// Rows through `seq` were acknowledged by a database that the replica does not follow.
    pub(super) fn mark_acknowledged_elsewhere(&mut self, seq: u64) {
        self.close_rows(seq, None);
    }

    fn close_rows(&mut self, seq: u64, position: Option<FeedRef>) {
        self.swept = None;
        if let Some(loss) = self
            .loss
            .as_mut()
            .filter(|loss| **loss == State::Open && seq > 0)
        {
            *loss = State::Acknowledged(position);
        }
        self.alone = self.alone.split_off(&(seq + 1));
        let open = self.open.split_off(&(seq + 1));
        for (row, ticket) in std::mem::replace(&mut self.open, open) {
            let held = self.admissions.get_mut(&ticket).into_iter().flatten();
            for admission in held.filter(|held| held.seq == row) {
                admission.state = State::Acknowledged(position);
            }
        }
        self.freed.mark_open_acknowledged(seq, position);
    }

    /// Rows beyond `seq` are not acknowledged after all; those up to it are in the feed by this
    /// position, whatever another epoch said.
    pub(super) fn rewind(&mut self, seq: u64, position: FeedRef) {
        self.swept = None;
        self.epoch = Some(position.0);
        if let Some(loss) = &mut self.loss {
            *loss = match seq {
                0 => State::Open,
                _ => State::Acknowledged(Some(position)),
            };
        }
        let admissions = self.admissions.iter_mut();
        for (ticket, admission) in
            admissions.flat_map(|(id, all)| all.iter_mut().map(move |it| (id, it)))
        {
            if admission.seq > seq {
                admission.state = State::Open;
                self.open.insert(admission.seq, *ticket);
                if admission.alone {
                    self.alone.insert(admission.seq, *ticket);
                }
            } else {
                admission.state = State::Acknowledged(Some(position));
            }
        }
        self.freed.for_each(|row, state| {
            *state = if row > seq {
                State::Open
            } else {
                State::Acknowledged(Some(position))
            };
        });
        self.open.retain(|row, _| *row > seq);
        self.alone.retain(|row, _| *row > seq);
    }

    /// The replica has reached a position: what it shows by then is no longer needed here.
    pub(super) fn delete_passed(&mut self, applied: FeedRef) {
        if self.swept.replace(applied) == Some(applied) {
            return;
        }
        let mut passed = self.passed.filter(|(epoch, _)| *epoch == applied.0);
        let mut is_needed = |state: State| match state {
            State::Acknowledged(Some((epoch, position)))
                if epoch == applied.0 && position <= applied.1 =>
            {
                let furthest = passed.map_or(position, |(_, earlier)| earlier.max(position));
                passed = Some((epoch, furthest));
                false
            }
            State::Open | State::Acknowledged(_) => true,
        };
        self.admissions.retain(|_, admissions| {
            admissions.retain(|admission| is_needed(admission.state));
            !admissions.is_empty()
        });
        self.freed.retain(&mut is_needed);
        self.loss = self.loss.filter(|loss| is_needed(*loss));
        self.passed = passed;
    }

    /// Whether a replica shows everything that was deleted here because of an earlier one.
    pub(super) fn is_continued_by(&self, applied: FeedRef) -> bool {
        let of_it = self.passed.filter(|(epoch, _)| *epoch == applied.0);
        of_it.is_none_or(|(_, position)| position <= applied.1)
    }

    /// The oldest unacknowledged admission that was decided without the core.
    pub(super) fn oldest_alone(&self) -> Option<&Admission> {
        let (row, ticket) = self.alone.first_key_value()?;
        self.list(*ticket).iter().find(|held| held.seq == *row)
    }

    /// A new journal file begins again with row 1: what is not acknowledged is inserted again, what is
    /// acknowledged stays and belongs to no row.
    pub(super) fn renumber(&mut self) {
        self.loss = None;
        self.open.clear();
        self.alone.clear();
        self.admissions.retain(|_, admissions| {
            admissions.retain(Admission::is_acknowledged);
            !admissions.is_empty()
        });
        for admission in self.admissions.values_mut().flatten() {
            admission.seq = 0;
        }
        self.freed.renumber();
    }
}

#[cfg(test)]
mod tests;
