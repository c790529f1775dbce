//! Admissions that were taken back, and answers that nobody saw.

use eventify_protocol::verdict::Verdict;
use eventify_sync::core::reconcile::Class;

use super::counter::{ADMIT, Counter, GATE_1, GATE_2, NODE_1, NODE_2, is_used, span};

#[test]
fn a_voided_admission_frees_the_ticket_and_only_its_own() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    core.journal(&s1, ADMIT, span(100, 140));
    let s2 = core.new_scan(NODE_2, GATE_2);
    core.journal(&s2, ADMIT, span(150, 190));
    core.voided(&s1, span(100, 140));
    assert_eq!(
        core.check_in().scan,
        s2.scan,
        "the other guest's entry counts"
    );
    core.expect_conflicts(&[]);
    core.voided(&s1, span(100, 140));
    assert_eq!(
        core.check_in().scan,
        s2.scan,
        "taking back twice changes nothing"
    );
}

/// C10: the node and a copy of its disk both have the row that took an admission back. The node has
/// admitted the guest since; the copy's file comes behind its own, and must not undo that.
#[test]
fn what_a_copy_carries_over_takes_no_later_admission_back() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    core.journal(&s1, ADMIT, span(100, 140));
    core.voided(&s1, span(100, 140));
    core.journal(&s1, ADMIT, span(200, 240));
    core.journal(&s1, ADMIT, span(100, 140));
    core.voided(&s1, span(100, 140));
    assert_eq!(core.check_in().scan, s1.scan);
    core.voided(&s1, span(200, 240));
    assert!(core.standing.check_in.is_none(), "this one is taken back");
}

/// C10: the copy was made before the node let the guest in, and its file comes behind the node's.
#[test]
fn a_refusal_that_a_copy_carries_over_is_not_what_was_shown_last() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    assert_eq!(core.journal(&s1, ADMIT, span(200, 240)), Class::Admitted);
    let earlier = core.journal(&s1, Verdict::ResyncRequired, span(100, 140));
    assert_eq!(earlier, Class::Refused);
    assert_eq!(core.journal(&s1, ADMIT, span(200, 240)), Class::Repeated);
    assert_eq!(core.scan(&s1, 300), ADMIT);
}

#[test]
fn only_the_node_itself_takes_its_admission_back() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    core.journal(&s1, ADMIT, span(100, 140));
    let mut pretended = s1.clone();
    pretended.node = NODE_2;
    core.voided(&pretended, span(105, 145));
    assert_eq!(core.check_in().scan, s1.scan);
}

/// The core's answer to S1 was lost, and meanwhile a journal shows who was let in before. Asked again, the
/// core must not let the second guest in on its old answer.
#[test]
fn an_answer_nobody_saw_is_not_given_again_beside_a_guest_let_in_since() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    let s2 = core.new_scan(NODE_1, GATE_2);
    assert_eq!(core.scan(&s1, 100), ADMIT);
    core.journal(&s2, ADMIT, span(50, 90));
    let again = core.scan(&s1, 200);
    assert!(is_used(&again, true), "{again:?}");
    core.journal(&s1, again, span(190, 210));
    core.expect_conflicts(&[]);
    assert_eq!(core.check_in().scan, s2.scan);

    // Whoever has been shown it stays admitted, however often it is asked.
    let s3 = core.new_scan(NODE_2, GATE_2);
    core.journal(&s3, ADMIT, span(300, 340));
    assert_eq!(core.scan(&s3, 400), ADMIT);
}

/// The same when the answer was the first: it is the ticket's entry until its row comes.
#[test]
fn an_answer_nobody_saw_is_not_given_again_before_a_guest_let_in_since() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    let s2 = core.new_scan(NODE_1, GATE_2);
    assert_eq!(core.scan(&s1, 100), ADMIT);
    core.journal(&s2, ADMIT, span(150, 190));
    assert_eq!(core.check_in().scan, s1.scan);
    let again = core.scan(&s1, 200);
    assert!(is_used(&again, true), "{again:?}");
    core.journal(&s1, again, span(190, 210));
    assert_eq!(core.check_in().scan, s2.scan);
    core.expect_conflicts(&[]);
}
