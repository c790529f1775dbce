//! The admissions in this node's journal that the replica may not show yet: they are read before the
//! replica, in every mode (`ADMISSION` 3.6), and are no part of replica or digest.

use std::collections::BTreeMap;

use eventify_protocol::{
    ids::{GateId, ScanId, TicketId},
    sync::{Decision, Epoch, Moment, Position},
    time::CoreTime,
    verdict::{DecidedBy, FirstEntry},
};

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
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not acknowledged.
    Open,
    /// Acknowledged; in the feed by this position, if it is known.
    Acknowledged(Option<FeedRef>),
}

/// A position in the feed of one database. Those of two databases are never compared.
pub(super) type FeedRef = (Epoch, Position);

#[derive(Debug, Default)]
pub(super) struct Overlay {
    admissions: BTreeMap<TicketId, Admission>,
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
    pub(super) fn find(&self, ticket: TicketId) -> Option<&Admission> {
        self.admissions.get(&ticket)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TicketId, &Admission)> {
        self.admissions
            .iter()
            .map(|(ticket, admission)| (*ticket, admission))
    }

    pub(super) fn insert(&mut self, ticket: TicketId, admission: Admission) {
        let (seq, alone) = (admission.seq, admission.alone);
        if let Some(earlier) = self.admissions.insert(ticket, admission) {
            self.close_row(earlier.seq);
        }
        self.open.insert(seq, ticket);
        if alone {
            self.alone.insert(seq, ticket);
        }
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
        let of_scan = |admission: &Admission| admission.scan == scan;
        if self.find(ticket).is_some_and(of_scan)
            && let Some(admission) = self.admissions.remove(&ticket)
        {
            self.close_row(admission.seq);
        }
    }

    /// Row `seq` says that this scan's admission by an earlier row was not shown.
    pub(super) fn delete_before(&mut self, seq: u64, scan: ScanId) {
        let mut admissions = self.admissions.iter();
        let found = admissions.find(|(_, held)| held.scan == scan && held.seq < seq);
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
        let covered = self.admissions.values_mut().filter(covered);
        let states = covered.map(|admission| &mut admission.state);
        let loss = self.loss.as_mut().filter(|_| seq > 0);
        for state in states.chain(loss) {
            if !matches!(state, State::Acknowledged(Some((epoch, _))) if *epoch == position.0) {
                *state = State::Acknowledged(Some(position));
            }
        }
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
        for ticket in std::mem::replace(&mut self.open, open).into_values() {
            if let Some(admission) = self.admissions.get_mut(&ticket) {
                admission.state = State::Acknowledged(position);
            }
        }
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
        for (ticket, admission) in &mut self.admissions {
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
        self.admissions
            .retain(|_, admission| is_needed(admission.state));
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
        self.admissions.get(self.alone.values().next()?)
    }

    /// A new journal file begins again with row 1: what is not acknowledged is inserted again, what is
    /// acknowledged stays and belongs to no row.
    pub(super) fn renumber(&mut self) {
        self.loss = None;
        self.open.clear();
        self.alone.clear();
        self.admissions
            .retain(|_, admission| admission.is_acknowledged());
        for admission in self.admissions.values_mut() {
            admission.seq = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use eventify_protocol::{
        ids::BootId,
        time::{BootTime, WallTime},
    };
    use uuid::Uuid;

    use super::*;

    fn ticket(number: u128) -> TicketId {
        TicketId(Uuid::from_u128(number))
    }

    const EPOCH: Epoch = Epoch {
        system: 1,
        timeline: 1,
    };
    const PROMOTED: Epoch = Epoch {
        system: 1,
        timeline: 2,
    };

    fn at(position: u64) -> FeedRef {
        (EPOCH, Position(position))
    }

    fn overlay() -> Overlay {
        let mut overlay = Overlay::default();
        let boot = BootId(Uuid::from_u128(1));
        for (number, seq) in [(1u128, 5), (2, 6), (3, 8)] {
            let at = Moment {
                boot,
                boottime: BootTime(seq),
                wall: WallTime(0),
                core: None,
            };
            let admission = Admission {
                scan: ScanId(Uuid::from_u128(number)),
                gate: GateId(Uuid::from_u128(9)),
                at,
                seq,
                alone: number != 1,
                state: State::Open,
            };
            overlay.insert(ticket(number), admission);
        }
        overlay
    }

    fn tickets(overlay: &Overlay) -> Vec<u128> {
        (1..=3)
            .filter(|number| overlay.find(ticket(*number)).is_some())
            .collect()
    }

    #[test]
    fn a_row_leaves_only_when_the_replica_has_passed_its_acknowledgement() {
        let mut overlay = overlay();
        overlay.delete_passed(at(1_000));
        assert_eq!(tickets(&overlay), [1, 2, 3], "nothing is acknowledged");
        overlay.mark_acknowledged(6, at(40));
        overlay.delete_passed(at(39));
        assert_eq!(tickets(&overlay), [1, 2, 3]);
        overlay.delete_passed(at(40));
        assert_eq!(tickets(&overlay), [3]);
    }

    #[test]
    fn a_replica_that_begins_anew_has_to_come_as_far_again() {
        let mut overlay = overlay();
        overlay.mark_acknowledged(5, at(30));
        overlay.mark_acknowledged(6, at(40));
        overlay.delete_passed(at(45));
        assert!(overlay.is_continued_by(at(45)));
        overlay.delete_passed(at(26));
        assert!(!overlay.is_continued_by(at(39)), "it may lack ticket 2");
        assert!(overlay.is_continued_by(at(40)));
        overlay.delete_passed((PROMOTED, Position(3)));
        assert!(overlay.is_continued_by((PROMOTED, Position(3))));
    }

    #[test]
    fn the_oldest_unacknowledged_admission_made_alone_is_known() {
        let mut overlay = overlay();
        assert_eq!(overlay.oldest_alone().map(|own| own.seq), Some(6));
        overlay.mark_acknowledged(7, at(1));
        assert_eq!(overlay.oldest_alone().map(|own| own.seq), Some(8));
        overlay.delete(ticket(3), ScanId(Uuid::from_u128(3)));
        assert!(overlay.oldest_alone().is_none());
    }

    #[test]
    fn a_failover_that_lost_rows_opens_them_again() {
        let mut overlay = overlay();
        overlay.mark_acknowledged(8, at(40));
        overlay.rewind(5, at(12));
        assert_eq!(overlay.oldest_alone().map(|own| own.seq), Some(6));
        overlay.delete_passed(at(100));
        assert_eq!(tickets(&overlay), [2, 3]);
    }

    #[test]
    fn voiding_names_the_scan() {
        let mut overlay = overlay();
        overlay.delete(ticket(2), ScanId(Uuid::from_u128(1)));
        assert_eq!(tickets(&overlay), [1, 2, 3], "another scan's admission");
        overlay.delete(ticket(2), ScanId(Uuid::from_u128(2)));
        assert_eq!(tickets(&overlay), [1, 3]);
    }

    #[test]
    fn positions_of_two_databases_are_not_compared() {
        let mut overlay = overlay();
        overlay.mark_acknowledged(6, (PROMOTED, Position(12)));
        overlay.delete_passed(at(1_000));
        assert_eq!(tickets(&overlay), [1, 2, 3], "that feed has none of them");
        overlay.delete_passed((PROMOTED, Position(12)));
        assert_eq!(tickets(&overlay), [3]);
    }

    #[test]
    fn another_database_that_holds_the_rows_says_by_when_its_feed_has_them() {
        let mut overlay = overlay();
        overlay.mark_acknowledged(6, at(40));
        overlay.mark_acknowledged(6, (PROMOTED, Position(50)));
        overlay.delete_passed(at(45));
        assert_eq!(tickets(&overlay), [1, 2, 3]);
        overlay.delete_passed((PROMOTED, Position(50)));
        assert_eq!(tickets(&overlay), [3]);
    }

    #[test]
    fn what_was_acknowledged_elsewhere_stays_and_is_not_open() {
        let mut overlay = overlay();
        overlay.mark_acknowledged_elsewhere(6);
        overlay.delete_passed(at(1_000));
        assert_eq!(tickets(&overlay), [1, 2, 3]);
        assert_eq!(overlay.oldest_alone().map(|own| own.seq), Some(8));
    }
}
