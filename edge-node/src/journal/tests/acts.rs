//! What people did, listed: each act once, whichever files carry it, and nothing that nobody was shown.

use eventify_protocol::{
    ids::{ActId, PerformanceId, PersonId},
    lan::{Reason, ReasonCode},
    sync::{ActBy, GateChanged, Overridden, Undone},
};

use super::*;

fn by(act: u128) -> ActBy {
    ActBy {
        act: ActId(Uuid::from_u128(act)),
        person: PersonId(Uuid::from_u128(5)),
        scanner: ScannerId(Uuid::from_u128(2)),
        gate: GateId(Uuid::from_u128(3)),
        mode: Mode::Degraded,
        reason: Some(Reason {
            code: ReasonCode::NotInside,
            note: None,
        }),
    }
}

impl Chain {
    fn overrides(&mut self, act: u128, scan: u128) -> SealedRow {
        self.append(JournalEntry::Overridden(Overridden {
            by: by(act),
            scan: ScanId(Uuid::from_u128(scan)),
            ticket: TicketId(Uuid::from_u128(scan)),
            performance: PerformanceId(Uuid::from_u128(6)),
            cache_age_ms: Some(1_000),
        }))
    }

    fn undoes(&mut self, act: u128, scan: u128) -> SealedRow {
        self.append(JournalEntry::Undone(Undone {
            by: by(act),
            scan: ScanId(Uuid::from_u128(scan)),
            ticket: TicketId(Uuid::from_u128(scan)),
            performance: PerformanceId(Uuid::from_u128(6)),
        }))
    }

    fn moves(&mut self, act: u128) -> SealedRow {
        let by = by(act);
        self.append(JournalEntry::GateChanged(GateChanged { by, from: None }))
    }
}

#[test]
fn acts_are_listed_once_and_without_what_was_taken_back() {
    let (mut old, mut new) = (Chain::new(1), Chain::new(2));
    let fixture = journal(LIMITS);
    let listed = || {
        let acts = fixture.reader().list_all_acts().unwrap();
        let ids = acts
            .iter()
            .filter_map(|act| Some(act.entry.act()?.act.0.as_u128()));
        ids.collect::<Vec<_>>()
    };
    assert_eq!(listed(), []);
    fixture.append(vec![old.opened(), old.admits(10), old.overrides(101, 11)]);
    let kept = old.overrides(102, 12);
    let taken_back = old.overrides(103, 13);
    let row = taken_back.row().seq;
    fixture.append(vec![kept, taken_back, old.voids(row, 13), old.moves(104)]);
    assert_eq!(listed(), [101, 102, 104]);
    // After a fork the new file carries all of them, and goes on.
    fixture.append(vec![
        new.opened(),
        new.overrides(101, 11),
        new.overrides(102, 12),
        new.moves(104),
        new.undoes(105, 12),
    ]);
    assert_eq!(listed(), [101, 102, 104, 105]);
}
