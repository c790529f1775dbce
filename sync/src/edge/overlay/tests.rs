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
            is_override: false,
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
