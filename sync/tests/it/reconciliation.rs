//! The table of `ADMISSION` section 7, row by row, and the cases around it.

use super::counter::{ADMIT, Counter, GATE_1, GATE_2, NODE_1, NODE_2, NODE_3, is_used, span};
use eventify_protocol::verdict::Verdict;
use eventify_sync::core::{ConflictKind, Validity, reconcile::Class};

#[test]
fn core_admits_answer_lost_edge_admits_the_same_scan() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    assert_eq!(core.scan(&s1, 100), ADMIT);
    assert_eq!(core.journal(&s1, ADMIT, span(90, 120)), Class::Admitted);
    let check_in = core.check_in();
    assert!(check_in.is_confirmed());
    assert_eq!((check_in.scan, check_in.at), (s1.scan, span(100, 100)));
    core.expect_conflicts(&[]);
}

#[test]
fn edge_admits_then_the_old_scan_comes() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    assert_eq!(core.journal(&s1, ADMIT, span(90, 120)), Class::Admitted);
    let before = core.standing.clone();
    assert_eq!(core.scan(&s1, 130), ADMIT);
    assert_eq!(core.standing, before);
}

#[test]
fn core_admits_s1_then_gate_2_tries_then_the_journal_comes() {
    for journal_first in [false, true] {
        let mut core = Counter::new();
        let s1 = core.new_scan(NODE_1, GATE_1);
        let s2 = core.new_scan(NODE_2, GATE_2);
        assert_eq!(core.scan(&s1, 100), ADMIT);
        if journal_first {
            core.journal(&s1, ADMIT, span(90, 120));
        }
        assert!(is_used(&core.scan(&s2, 130), journal_first));
        if !journal_first {
            core.journal(&s1, ADMIT, span(90, 120));
        }
        assert_eq!(core.check_in().scan, s1.scan);
        core.expect_conflicts(&[]);
    }
}

#[test]
fn s2_admitted_s1_refused_but_unanswered_edge_admits_s1() {
    for s2_journal_first in [false, true] {
        let mut core = Counter::new();
        let s1 = core.new_scan(NODE_1, GATE_1);
        let s2 = core.new_scan(NODE_2, GATE_2);
        assert_eq!(core.scan(&s2, 100), ADMIT);
        assert!(is_used(&core.scan(&s1, 110), false));
        if s2_journal_first {
            core.journal(&s2, ADMIT, span(95, 105));
        }
        assert_eq!(core.journal(&s1, ADMIT, span(111, 150)), Class::DoubleEntry);
        if !s2_journal_first {
            core.journal(&s2, ADMIT, span(95, 105));
        }
        assert_eq!(core.check_in().scan, s2.scan);
        assert!(core.check_in().is_confirmed());
        core.expect_conflicts(&[(s1.scan, ConflictKind::DoubleEntry)]);
    }
}

#[test]
fn edge_admits_s1_then_s2_online_then_the_journal_of_s1() {
    for s2_journal_first in [false, true] {
        let mut core = Counter::new();
        let s1 = core.new_scan(NODE_1, GATE_1);
        let s2 = core.new_scan(NODE_2, GATE_2);
        assert_eq!(core.scan(&s2, 200), ADMIT);
        if s2_journal_first {
            core.journal(&s2, ADMIT, span(195, 210));
        }
        assert_eq!(core.journal(&s1, ADMIT, span(90, 120)), Class::Admitted);
        if !s2_journal_first {
            assert_eq!(core.journal(&s2, ADMIT, span(195, 210)), Class::DoubleEntry);
        }
        assert_eq!(
            core.check_in().scan,
            s1.scan,
            "the first entry takes the place"
        );
        core.expect_conflicts(&[(s2.scan, ConflictKind::DoubleEntry)]);
        assert!(core.standing.conflicts[0].entry.is_confirmed());
    }
}

#[test]
fn core_admits_s1_nothing_shown_and_the_guest_tries_again() {
    // With the same id.
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    assert_eq!(core.scan(&s1, 100), ADMIT);
    assert_eq!(core.scan(&s1, 150), ADMIT);
    assert_eq!(core.check_in().at, span(100, 150), "admitted once");
    // With a new id, which replaces the first.
    let again = core.new_scan(NODE_1, GATE_1).replacing(&s1);
    assert_eq!(core.scan(&again, 200), ADMIT);
    assert_eq!(core.check_in().scan, again.scan);
    // The rows come later, and change nothing but who confirms.
    assert_eq!(
        core.journal(&s1, Verdict::TryAgain, span(140, 160)),
        Class::Refused
    );
    assert_eq!(core.journal(&again, ADMIT, span(190, 220)), Class::Admitted);
    assert!(core.check_in().is_confirmed());
    core.expect_conflicts(&[]);
}

#[test]
fn nothing_shown_and_the_journal_says_so_before_the_guest_tries_again() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    assert_eq!(core.scan(&s1, 100), ADMIT);
    core.journal(&s1, Verdict::ResyncRequired, span(110, 120));
    assert_eq!(core.standing.check_in, None, "the ticket is valid again");
    let s2 = core.new_scan(NODE_2, GATE_2);
    assert_eq!(core.scan(&s2, 200), ADMIT);
    assert!(
        is_used(&core.scan(&s1, 210), false),
        "the old answer no longer stands"
    );
}

#[test]
fn a_scan_is_executed_after_the_edge_gave_up() {
    let mut core = Counter::new();
    let late = core.new_scan(NODE_1, GATE_1).until(150);
    assert_eq!(core.scan(&late, 150), Verdict::TryAgain);
    assert_eq!(core.standing.check_in, None, "no effect");
}

#[test]
fn nothing_shown_gate_1_cut_off_and_the_guest_goes_to_gate_2() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    // Only the node that asked can say that nothing was shown.
    let s2 = core.new_scan(NODE_2, GATE_2).replacing(&s1);
    assert_eq!(core.scan(&s1, 100), ADMIT);
    assert!(is_used(&core.scan(&s2, 200), false));
}

#[test]
fn an_edge_admission_that_replaces_an_answer_nobody_saw() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    assert_eq!(core.scan(&s1, 100), ADMIT);
    let again = core.new_scan(NODE_1, GATE_1).replacing(&s1);
    assert_eq!(core.journal(&again, ADMIT, span(110, 130)), Class::Admitted);
    assert_eq!(core.check_in().scan, again.scan);
    core.expect_conflicts(&[]);
}

#[test]
fn overlapping_times_leave_the_order_unknown_in_either_order() {
    for swapped in [false, true] {
        let mut core = Counter::new();
        let s1 = core.new_scan(NODE_1, GATE_1);
        let s2 = core.new_scan(NODE_2, GATE_2);
        let mut rows = [(s1, span(100, 200)), (s2, span(150, 250))];
        if swapped {
            rows.reverse();
        }
        assert_eq!(core.journal(&rows[0].0, ADMIT, rows[0].1), Class::Admitted);
        assert_eq!(
            core.journal(&rows[1].0, ADMIT, rows[1].1),
            Class::OrderUnknown
        );
        core.expect_conflicts(&[(rows[1].0.scan, ConflictKind::OrderUnknown)]);
        assert!(core.standing.order_unknown(), "it stands on both");
    }
}

#[test]
fn a_certain_order_is_unknown_on_neither() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    let s2 = core.new_scan(NODE_2, GATE_2);
    core.journal(&s1, ADMIT, span(100, 140));
    assert!(!core.standing.order_unknown(), "nobody else");
    core.journal(&s2, ADMIT, span(150, 190));
    assert!(!core.standing.order_unknown());
}

#[test]
fn an_order_that_was_unknown_is_known_when_one_before_both_arrives() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    let s2 = core.new_scan(NODE_2, GATE_2);
    let s0 = core.new_scan(NODE_3, GATE_2);
    core.journal(&s1, ADMIT, span(100, 200));
    core.journal(&s2, ADMIT, span(150, 250));
    assert_eq!(core.journal(&s0, ADMIT, span(50, 90)), Class::Admitted);
    assert_eq!(core.check_in().scan, s0.scan);
    let double = ConflictKind::DoubleEntry;
    core.expect_conflicts(&[(s2.scan, double), (s1.scan, double)]);
    assert!(!core.standing.order_unknown());
}

#[test]
fn one_who_takes_the_place_may_still_not_be_the_first() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    let s2 = core.new_scan(NODE_2, GATE_2);
    let s0 = core.new_scan(NODE_3, GATE_2);
    core.journal(&s1, ADMIT, span(100, 200));
    core.journal(&s2, ADMIT, span(50, 250));
    assert_eq!(core.journal(&s0, ADMIT, span(40, 90)), Class::OrderUnknown);
    assert_eq!(core.check_in().scan, s0.scan);
    core.expect_conflicts(&[
        (s2.scan, ConflictKind::OrderUnknown),
        (s1.scan, ConflictKind::DoubleEntry),
    ]);
    assert!(core.standing.order_unknown());
}

#[test]
fn an_unknown_order_ends_when_one_of_both_was_never_shown() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    let s2 = core.new_scan(NODE_2, GATE_2);
    core.journal(&s1, ADMIT, span(100, 200));
    core.journal(&s2, ADMIT, span(150, 250));
    core.voided(&s1, span(100, 200));
    assert_eq!(core.check_in().scan, s2.scan);
    core.expect_conflicts(&[]);
    assert!(!core.standing.order_unknown());
}

#[test]
fn the_order_of_two_in_one_journal_is_known_when_both_rows_are_there() {
    // The core has answered S2; gate 1 shows S1 by itself, and S2 later.
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    let s2 = core.new_scan(NODE_1, GATE_2);
    assert_eq!(core.scan(&s2, 100), ADMIT);
    assert_eq!(core.journal(&s1, ADMIT, span(90, 120)), Class::OrderUnknown);
    assert_eq!(core.journal(&s2, ADMIT, span(95, 130)), Class::DoubleEntry);
    assert_eq!(core.check_in().scan, s1.scan, "its row comes first");
    core.expect_conflicts(&[(s2.scan, ConflictKind::DoubleEntry)]);
}

#[test]
fn one_who_replaces_an_answer_nobody_saw_does_not_come_before_a_guest_let_in_since() {
    for (online, at) in [(true, 300), (false, 300)] {
        let mut core = Counter::new();
        let s1 = core.new_scan(NODE_1, GATE_1);
        let s2 = core.new_scan(NODE_2, GATE_2);
        assert_eq!(core.scan(&s1, 100), ADMIT);
        assert_eq!(core.journal(&s2, ADMIT, span(150, 190)), Class::DoubleEntry);
        let again = core.new_scan(NODE_1, GATE_1).replacing(&s1);
        if online {
            let Verdict::AlreadyUsed { first } = core.scan(&again, at) else {
                panic!("the ticket has let somebody in");
            };
            assert_eq!((first.gate, first.confirmed), (GATE_2, true));
            core.journal(&s1, Verdict::TryAgain, span(110, 120));
            core.expect_conflicts(&[]);
        } else {
            let class = core.journal(&again, ADMIT, span(at, at + 20));
            assert_eq!(class, Class::DoubleEntry);
            core.expect_conflicts(&[(again.scan, ConflictKind::DoubleEntry)]);
        }
        assert_eq!(core.check_in().scan, s2.scan, "the first who was let in");
    }
}

#[test]
fn the_first_of_two_offline_admissions_counts_whichever_row_comes_first() {
    for swapped in [false, true] {
        let mut core = Counter::new();
        let s1 = core.new_scan(NODE_1, GATE_1);
        let s2 = core.new_scan(NODE_2, GATE_2);
        let mut rows = [(s1.clone(), span(100, 140)), (s2.clone(), span(150, 190))];
        if swapped {
            rows.reverse();
        }
        for (scan, at) in &rows {
            core.journal(scan, ADMIT, *at);
        }
        assert_eq!(core.check_in().scan, s1.scan);
        core.expect_conflicts(&[(s2.scan, ConflictKind::DoubleEntry)]);
    }
}

#[test]
fn within_one_journal_the_row_decides_not_the_time() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    let s2 = core.new_scan(NODE_1, GATE_2);
    core.journal(&s1, ADMIT, span(500, 600));
    assert_eq!(core.journal(&s2, ADMIT, span(100, 200)), Class::DoubleEntry);
    assert_eq!(core.check_in().scan, s1.scan);
}

#[test]
fn an_unconfirmed_answer_gives_way_when_its_node_showed_nothing() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    let s2 = core.new_scan(NODE_2, GATE_2);
    assert_eq!(core.scan(&s1, 100), ADMIT);
    assert_eq!(core.journal(&s2, ADMIT, span(150, 190)), Class::DoubleEntry);
    core.journal(&s1, Verdict::UnknownOffline, span(110, 120));
    assert_eq!(core.check_in().scan, s2.scan, "no double entry after all");
    core.expect_conflicts(&[]);
}

#[test]
fn a_displaced_answer_that_was_never_shown_is_no_double_entry() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    let s2 = core.new_scan(NODE_2, GATE_2);
    assert_eq!(core.scan(&s2, 200), ADMIT);
    core.journal(&s1, ADMIT, span(90, 120));
    core.expect_conflicts(&[(s2.scan, ConflictKind::DoubleEntry)]);
    core.journal(&s2, Verdict::ResyncRequired, span(201, 220));
    core.expect_conflicts(&[]);
    assert_eq!(core.check_in().scan, s1.scan);
}

#[test]
fn every_row_twice_changes_nothing() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    let s2 = core.new_scan(NODE_2, GATE_2);
    core.journal(&s2, ADMIT, span(150, 190));
    core.journal(&s1, ADMIT, span(100, 140));
    let before = core.standing.clone();
    assert_eq!(core.journal(&s2, ADMIT, span(150, 190)), Class::Repeated);
    assert_eq!(core.journal(&s1, ADMIT, span(100, 140)), Class::Repeated);
    assert_eq!(core.standing, before);
}

#[test]
fn a_revoked_ticket_that_was_admitted_offline_stays_revoked_and_its_entry_is_kept() {
    let mut core = Counter::new();
    core.standing.validity = Validity::Revoked;
    let s1 = core.new_scan(NODE_1, GATE_1);
    assert_eq!(core.scan(&s1, 100), Verdict::Revoked);
    core.forget_scans();
    assert_eq!(core.journal(&s1, ADMIT, span(90, 120)), Class::Admitted);
    assert_eq!(core.check_in().scan, s1.scan);
    assert_eq!(
        core.standing.state(),
        eventify_protocol::sync::TicketState::Revoked
    );
}

#[test]
fn an_id_with_other_content_is_an_error_and_changes_nothing() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    core.scan(&s1, 100);
    let before = core.standing.clone();
    let mut elsewhere = s1.clone();
    elsewhere.gate = GATE_2;
    assert!(core.try_scan(&elsewhere, 110).is_err());
    assert_eq!(core.standing, before);
}

#[test]
fn an_entry_that_somebody_was_shown_is_replaced_by_nobody() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    assert_eq!(core.scan(&s1, 100), ADMIT);
    core.journal(&s1, ADMIT, span(90, 120));
    let again = core.new_scan(NODE_1, GATE_1).replacing(&s1);
    assert!(is_used(&core.scan(&again, 200), true));
    core.forget_scans();
    assert_eq!(
        core.journal(&again, ADMIT, span(190, 220)),
        Class::DoubleEntry
    );
    assert_eq!(core.check_in().scan, s1.scan);
}

#[test]
fn only_the_scan_that_is_named_is_replaced() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    let other = core.new_scan(NODE_1, GATE_1);
    assert_eq!(core.scan(&s1, 100), ADMIT);
    let again = core.new_scan(NODE_1, GATE_1).replacing(&other);
    assert!(is_used(&core.scan(&again, 200), false));
    assert_eq!(core.check_in().scan, s1.scan);
}

#[test]
fn a_refusal_shown_later_takes_no_entry_back_that_was_shown() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    assert_eq!(core.scan(&s1, 100), ADMIT);
    core.journal(&s1, ADMIT, span(90, 120));
    core.journal(&s1, Verdict::TryAgain, span(130, 140));
    assert_eq!(core.check_in().scan, s1.scan);
    assert!(core.check_in().is_confirmed());
}

#[test]
fn an_answer_that_was_replaced_no_longer_stands() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    assert_eq!(core.scan(&s1, 100), ADMIT);
    let again = core.new_scan(NODE_1, GATE_1).replacing(&s1);
    assert_eq!(core.scan(&again, 150), ADMIT);
    assert!(is_used(&core.scan(&s1, 200), false), "the old scan, late");
    assert_eq!(core.check_in().scan, again.scan);
}

#[test]
fn what_was_shown_is_answered_not_what_the_core_had_said() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    let s2 = core.new_scan(NODE_2, GATE_2);
    assert_eq!(core.scan(&s2, 100), ADMIT);
    assert!(is_used(&core.scan(&s1, 110), false));
    core.journal(&s1, ADMIT, span(111, 150));
    assert_eq!(core.scan(&s1, 200), ADMIT, "the guest is inside");
}

#[test]
fn the_same_id_from_another_gate_is_another_guest() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    core.journal(&s1, ADMIT, span(90, 120));
    let mut elsewhere = s1.clone();
    (elsewhere.node, elsewhere.gate) = (NODE_2, GATE_2);
    assert_eq!(
        core.journal(&elsewhere, ADMIT, span(150, 190)),
        Class::DoubleEntry
    );
    assert_eq!(core.check_in().gate, GATE_1);
}

#[test]
fn nothing_false_is_said_of_a_ticket_that_was_lost() {
    let mut core = Counter::new();
    core.lost = true;
    let s1 = core.new_scan(NODE_1, GATE_1);
    assert_eq!(core.scan(&s1, 100), Verdict::TryAgain);
}
