//! The admissions in this node's journal that the replica may not show yet: read before the replica,
//! in every mode (`ADMISSION` 3.6). Not part of replica or digest.

use std::collections::BTreeMap;

use eventify_protocol::{
    ids::{GateId, ScanId, TicketId},
    sync::{Epoch, Moment, Position},
    time::CoreTime,
    verdict::FirstEntry,
};

/// A guest whom this node let in.
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
    /// Acknowledged; in the feed by this place, if it is known. Places of two epochs are never
    /// compared.
    Acknowledged(Option<Place>),
}

/// A position in the feed of one database.
pub(super) type Place = (Epoch, Position);

#[derive(Debug, Default)]
pub(super) struct Overlay {
    admissions: BTreeMap<TicketId, Admission>,
    /// Rows of admissions that are not acknowledged, and those of them that were decided without the
    /// core: the oldest of these is asked for at every input.
    open: BTreeMap<u64, TicketId>,
    alone: BTreeMap<u64, TicketId>,
    /// Where the replica stood last; none if something was acknowledged since. After an hour alone
    /// there are tens of thousands of admissions, and this is asked at every input.
    swept: Option<Place>,
    /// The database that acknowledged last.
    epoch: Option<Epoch>,
}

impl Admission {
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
    pub(super) fn get(&self, ticket: TicketId) -> Option<&Admission> {
        self.admissions.get(&ticket)
    }

    /// A row says that `Admit` is shown.
    pub(super) fn admit(
        &mut self,
        ticket: TicketId,
        (scan, gate): (ScanId, GateId),
        (seq, at): (u64, Moment),
        alone: bool,
    ) {
        let admission = Admission {
            scan,
            gate,
            at,
            seq,
            alone,
            state: State::Open,
        };
        if let Some(earlier) = self.admissions.insert(ticket, admission) {
            self.forget(earlier.seq);
        }
        self.open.insert(seq, ticket);
        if alone {
            self.alone.insert(seq, ticket);
        }
    }

    /// A row is not open any more.
    fn forget(&mut self, seq: u64) {
        self.open.remove(&seq);
        self.alone.remove(&seq);
    }

    /// A row says that it was not shown.
    pub(super) fn void(&mut self, ticket: TicketId, scan: ScanId) {
        if self
            .admissions
            .get(&ticket)
            .is_some_and(|held| held.scan == scan)
            && let Some(admission) = self.admissions.remove(&ticket)
        {
            self.forget(admission.seq);
        }
    }

    /// A row, found in the journal, says that the scan's admission was not shown.
    pub(super) fn void_scan(&mut self, scan: ScanId) {
        let held = self
            .admissions
            .iter()
            .find(|(_, admission)| admission.scan == scan);
        if let Some((&ticket, _)) = held {
            self.void(ticket, scan);
        }
    }

    /// The core holds all rows through `seq`, and its feed has them by this place; also those that
    /// another database had acknowledged by a place of its own.
    pub(super) fn acknowledged(&mut self, seq: u64, place: Place) {
        self.close(seq, Some(place));
        if self.epoch.replace(place.0) == Some(place.0) {
            return;
        }
        for admission in self.admissions.values_mut().filter(|held| held.seq <= seq) {
            if !matches!(admission.state, State::Acknowledged(Some((epoch, _))) if epoch == place.0)
            {
                admission.state = State::Acknowledged(Some(place));
            }
        }
    }

    /// Rows through `seq` were acknowledged once, by a database that the replica does not follow.
    pub(super) fn acknowledged_elsewhere(&mut self, seq: u64) {
        self.close(seq, None);
    }

    fn close(&mut self, seq: u64, place: Option<Place>) {
        self.swept = None;
        self.alone = self.alone.split_off(&(seq + 1));
        let open = self.open.split_off(&(seq + 1));
        for ticket in std::mem::replace(&mut self.open, open).into_values() {
            if let Some(admission) = self.admissions.get_mut(&ticket) {
                admission.state = State::Acknowledged(place);
            }
        }
    }

    /// Rows beyond `seq` are not acknowledged after all; those up to it are in the feed by this
    /// place, whatever was said of another epoch's.
    pub(super) fn rewind(&mut self, seq: u64, place: Place) {
        self.swept = None;
        self.epoch = Some(place.0);
        for (ticket, admission) in &mut self.admissions {
            if admission.seq > seq {
                admission.state = State::Open;
                self.open.insert(admission.seq, *ticket);
                if admission.alone {
                    self.alone.insert(admission.seq, *ticket);
                }
            } else {
                admission.state = State::Acknowledged(Some(place));
            }
        }
        self.open.retain(|row, _| *row > seq);
        self.alone.retain(|row, _| *row > seq);
    }

    /// The replica has come to a place: what it shows by then need not be shown here.
    pub(super) fn passed(&mut self, applied: Place) {
        if self.swept.replace(applied) == Some(applied) {
            return;
        }
        self.admissions
            .retain(|_, admission| match admission.state {
                State::Acknowledged(Some((epoch, position))) => {
                    epoch != applied.0 || position > applied.1
                }
                State::Open | State::Acknowledged(None) => true,
            });
    }

    /// The oldest unacknowledged admission that was decided without the core.
    pub(super) fn oldest_alone(&self) -> Option<&Admission> {
        self.admissions.get(self.alone.values().next()?)
    }

    /// A new journal file numbers its rows anew: what is not acknowledged is told again, what is
    /// acknowledged stays and belongs to no row.
    pub(super) fn renumber(&mut self) {
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

    fn at(position: u64) -> Place {
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
            let scan = (ScanId(Uuid::from_u128(number)), GateId(Uuid::from_u128(9)));
            overlay.admit(ticket(number), scan, (seq, at), number != 1);
        }
        overlay
    }

    fn held(overlay: &Overlay) -> Vec<u128> {
        (1..=3)
            .filter(|number| overlay.get(ticket(*number)).is_some())
            .collect()
    }

    #[test]
    fn a_row_leaves_only_when_the_replica_has_passed_its_acknowledgement() {
        let mut overlay = overlay();
        overlay.passed(at(1_000));
        assert_eq!(held(&overlay), [1, 2, 3], "nothing is acknowledged");
        overlay.acknowledged(6, at(40));
        overlay.passed(at(39));
        assert_eq!(held(&overlay), [1, 2, 3]);
        overlay.passed(at(40));
        assert_eq!(held(&overlay), [3]);
    }

    #[test]
    fn the_oldest_unacknowledged_admission_made_alone_is_known() {
        let mut overlay = overlay();
        assert_eq!(overlay.oldest_alone().map(|held| held.seq), Some(6));
        overlay.acknowledged(7, at(1));
        assert_eq!(overlay.oldest_alone().map(|held| held.seq), Some(8));
        overlay.void(ticket(3), ScanId(Uuid::from_u128(3)));
        assert!(overlay.oldest_alone().is_none());
    }

    #[test]
    fn a_failover_that_lost_rows_opens_them_again() {
        let mut overlay = overlay();
        overlay.acknowledged(8, at(40));
        overlay.rewind(5, at(12));
        assert_eq!(overlay.oldest_alone().map(|held| held.seq), Some(6));
        overlay.passed(at(100));
        assert_eq!(held(&overlay), [2, 3]);
    }

    #[test]
    fn voiding_names_the_scan() {
        let mut overlay = overlay();
        overlay.void(ticket(2), ScanId(Uuid::from_u128(1)));
        assert_eq!(held(&overlay), [1, 2, 3], "another scan's admission");
        overlay.void(ticket(2), ScanId(Uuid::from_u128(2)));
        assert_eq!(held(&overlay), [1, 3]);
    }

    #[test]
    fn positions_of_two_databases_are_not_compared() {
        let mut overlay = overlay();
        overlay.acknowledged(6, (PROMOTED, Position(12)));
        overlay.passed(at(1_000));
        assert_eq!(held(&overlay), [1, 2, 3], "that feed has none of them");
        overlay.passed((PROMOTED, Position(12)));
        assert_eq!(held(&overlay), [3]);
    }

    #[test]
    fn another_database_that_holds_the_rows_says_by_when_its_feed_has_them() {
        let mut overlay = overlay();
        overlay.acknowledged(6, at(40));
        overlay.acknowledged(6, (PROMOTED, Position(50)));
        overlay.passed(at(45));
        assert_eq!(held(&overlay), [1, 2, 3]);
        overlay.passed((PROMOTED, Position(50)));
        assert_eq!(held(&overlay), [3]);
    }

    #[test]
    fn what_was_acknowledged_elsewhere_stays_and_is_not_open() {
        let mut overlay = overlay();
        overlay.acknowledged_elsewhere(6);
        overlay.passed(at(1_000));
        assert_eq!(held(&overlay), [1, 2, 3]);
        assert_eq!(overlay.oldest_alone().map(|held| held.seq), Some(8));
    }
}
