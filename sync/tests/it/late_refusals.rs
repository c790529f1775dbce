//! Refusals that reach the core behind what happened after them (`ADMISSION` 3.4 and 4.6).

use eventify_protocol::{time::CoreTime, verdict::Verdict};
use eventify_sync::core::reconcile::Class;

use crate::counter::{ADMIT, Counter, GATE_1, GATE_2, NODE_1, NODE_2, is_used, span};

/// N8: refusals may be held up behind the next attempt of their guest.
#[test]
fn a_refusal_that_arrives_behind_the_next_attempt_frees_no_ticket_that_is_used() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    assert_eq!(core.scan(&s1, 100), ADMIT);
    let given_up = Some(CoreTime(105));
    // The same scan again, and its answer is shown; the row of the first time is still on its way.
    assert_eq!(core.scan(&s1, 200), ADMIT);
    core.journal_held_up(&s1, Verdict::ResyncRequired, span(106, 120), given_up);
    let s2 = core.new_scan(NODE_2, GATE_2);
    assert!(is_used(&core.scan(&s2, 210), false), "the guest is inside");
    assert_eq!(core.journal(&s1, ADMIT, span(190, 220)), Class::Admitted);
    assert!(core.check_in().is_confirmed());
    core.expect_conflicts(&[]);
}

/// N8: a scan that was never sent to the core says nothing about an answer of the core.
#[test]
fn a_refusal_without_a_question_takes_no_answer_back() {
    let mut core = Counter::new();
    let s1 = core.new_scan(NODE_1, GATE_1);
    assert_eq!(core.scan(&s1, 100), ADMIT);
    core.journal_held_up(&s1, Verdict::ResyncRequired, span(50, 60), None);
    assert_eq!(core.check_in().scan, s1.scan);
}
