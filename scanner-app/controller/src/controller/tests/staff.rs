//! Who holds the scanner: PIN, shift, hand-over.

use super::{crew::*, *};
use crate::view::{PersonFor, PersonPinProblem};

impl Gate {
    fn pin_problem(&self) -> Option<PersonPinProblem> {
        let Screen::PersonPin { problem, .. } = self.screen() else {
            panic!("{:?}", self.screen())
        };
        problem
    }
}

#[test]
fn where_a_shift_is_needed_a_name_and_six_digits_open_the_gate() {
    let mut gate = staffed(true, true);
    let Screen::People { needed, people, .. } = gate.screen() else {
        panic!("{:?}", gate.screen())
    };
    let names: Vec<_> = people.iter().map(|person| person.name.as_str()).collect();
    assert!(needed);
    assert_eq!(names, ["Nour", "Sacha", "Sam"]);
    gate.scan("A");
    assert_eq!(gate.asked(), None, "nobody is let in by nobody");
    assert_eq!(gate.notices(), [Notice::SignInFirst]);
    gate.choose_person(STEWARD);
    gate.type_pin("135790");
    assert!(matches!(
        gate.screen(),
        Screen::PersonPin {
            asking: true,
            digits: 0,
            ..
        }
    ));
    let asked = gate.people_call(|call| matches!(call, PeopleCall::BeginShift(_)));
    let Some(PeopleCall::BeginShift(request)) = asked else {
        panic!("{:?}", gate.calls)
    };
    assert_eq!(
        (request.gate_id, request.proof.pin.as_str()),
        (gate_id(1), "135790")
    );
    assert!(
        !format!("{:?}", gate.calls).contains("135790"),
        "a PIN is never printed"
    );
    gate.answer_people(
        |call| matches!(call, PeopleCall::BeginShift(_)),
        PeopleAnswer::ShiftBegun(Ok(shift(steward(), 0))),
    );
    assert!(matches!(gate.screen(), Screen::Ready { .. }));
    assert_eq!(gate.on_shift().as_deref(), Some("Sam"));
}

#[test]
fn a_pin_that_is_tapped_fast_is_no_code() {
    let mut gate = staffed(true, true);
    gate.choose_person(STEWARD);
    for digit in "135790".chars() {
        gate.command(Command::Tap {
            code: format!("Digit{digit}"),
        });
    }
    gate.pass(400);
    let asked = gate.people_call(|call| matches!(call, PeopleCall::BeginShift(_)));
    let Some(PeopleCall::BeginShift(request)) = asked else {
        panic!("{:?}", gate.calls)
    };
    assert_eq!(request.proof.pin, "135790");
    assert_eq!(gate.asked(), None, "a PIN is sent as no ticket");
}

#[test]
fn a_wrong_pin_says_how_many_tries_are_left_and_then_for_how_long_it_is_locked() {
    let mut gate = staffed(true, true);
    gate.choose_person(STEWARD);
    gate.type_pin("000001");
    let wrong = ClientError::Refused(Refusal {
        status: 401,
        error: ErrorDetail {
            code: "wrong_pin".to_owned(),
            message: String::new(),
            details: vec![eventify_protocol::error::FieldIssue {
                field: "triesLeft".to_owned(),
                issue: "3".to_owned(),
            }],
            correlation_id: CorrelationId(Uuid::nil()),
        },
        retry_after: None,
    });
    gate.answer_people(
        |call| matches!(call, PeopleCall::BeginShift(_)),
        PeopleAnswer::ShiftBegun(Err(wrong)),
    );
    assert_eq!(
        gate.pin_problem(),
        Some(PersonPinProblem::Wrong {
            tries_left: Some(3)
        })
    );
    gate.type_pin("000002");
    let locked = refused(429, "pin_locked", Some(Duration::from_secs(60)));
    gate.answer_people(
        |call| matches!(call, PeopleCall::BeginShift(_)),
        PeopleAnswer::ShiftBegun(Err(locked)),
    );
    assert!(matches!(
        gate.screen(),
        Screen::PersonPin {
            locked_ms: Some(60_000),
            ..
        }
    ));
    gate.type_pin("135790");
    assert!(
        gate.people_call(|call| matches!(call, PeopleCall::BeginShift(_)))
            .is_none()
    );
    gate.pass(60_000);
    assert!(matches!(
        gate.screen(),
        Screen::PersonPin {
            locked_ms: None,
            ..
        }
    ));
    gate.type_pin("135790");
    assert!(
        gate.people_call(|call| matches!(call, PeopleCall::BeginShift(_)))
            .is_some()
    );
}

#[test]
fn without_the_line_only_those_with_a_pin_can_begin() {
    let mut gate = staffed(true, false);
    assert!(matches!(
        gate.screen(),
        Screen::People { online: false, .. }
    ));
    gate.choose_person(NEW);
    assert!(matches!(gate.screen(), Screen::People { .. }));
    assert!(
        gate.people_call(|call| matches!(call, PeopleCall::BeginSignIn))
            .is_none()
    );
    gate.choose_person(STEWARD);
    assert!(matches!(gate.screen(), Screen::PersonPin { .. }));
}

#[test]
fn while_names_are_chosen_from_the_list_is_looked_at_again() {
    let mut gate = staffed(true, false);
    gate.pass(10_000);
    gate.answer_people(
        |call| matches!(call, PeopleCall::List),
        PeopleAnswer::Listed(Ok(people(true, true))),
    );
    assert!(matches!(gate.screen(), Screen::People { online: true, .. }));
}

#[test]
fn a_shift_that_was_ended_at_the_node_is_not_shown_for_long() {
    let mut gate = held_by(steward());
    gate.pass(60_000);
    gate.answer_people(
        |call| matches!(call, PeopleCall::CurrentShift),
        PeopleAnswer::CurrentShift(Ok(None)),
    );
    assert_eq!(gate.on_shift(), None);
}

#[test]
fn a_shift_outlives_the_app_and_says_since_when_it_is() {
    let gate = held_by(steward());
    assert!(matches!(gate.screen(), Screen::Ready { .. }));
    let person = gate.app.view(gate.now).person.unwrap();
    assert_eq!(person.since_ms, START_MS - 600_000);
    assert_eq!(person.ends_in_ms, 3_600_000);
}

#[test]
fn a_scan_that_the_node_refuses_for_want_of_a_shift_goes_on_with_its_id_after_the_sign_in() {
    let mut gate = held_by(steward());
    gate.scan("A");
    let first = gate.asked().unwrap();
    gate.scan_result(Err(refused(403, "no_shift", None)));
    assert!(matches!(
        gate.screen(),
        Screen::People {
            needed: true,
            waiting: 1,
            ..
        }
    ));
    gate.choose_person(STEWARD);
    gate.type_pin("135790");
    gate.answer_people(
        |call| matches!(call, PeopleCall::BeginShift(_)),
        PeopleAnswer::ShiftBegun(Ok(shift(steward(), 0))),
    );
    assert_eq!(gate.asked(), Some(first));
    gate.verdict(Verdict::Admit);
    assert!(matches!(gate.screen(), Screen::Verdict(_)));
}

#[test]
fn the_next_person_takes_over_by_name_and_pin_and_escape_leaves_the_first_at_work() {
    let mut gate = held_by(steward());
    gate.type_keys(&["F6"]);
    let Screen::People {
        wanted_for,
        needed: false,
        ..
    } = gate.screen()
    else {
        panic!("{:?}", gate.screen())
    };
    assert_eq!(wanted_for, PersonFor::Shift);
    gate.type_keys(&["Escape"]);
    assert_eq!(gate.on_shift().as_deref(), Some("Sam"));
    gate.command(Command::ShowPeople);
    gate.choose_person(SUPERVISOR);
    gate.type_pin("246802");
    gate.answer_people(
        |call| matches!(call, PeopleCall::BeginShift(_)),
        PeopleAnswer::ShiftBegun(Ok(shift(supervisor(), 0))),
    );
    assert_eq!(gate.on_shift().as_deref(), Some("Sacha"));
}

#[test]
fn a_shift_ends_by_hand_and_by_itself() {
    let mut gate = held_by(steward());
    gate.command(Command::EndShift);
    gate.answer_people(
        |call| matches!(call, PeopleCall::EndShift),
        PeopleAnswer::ShiftEnded(Err(no_answer())),
    );
    assert_eq!(gate.notices(), [Notice::ShiftNotEnded]);
    gate.command(Command::EndShift);
    gate.answer_people(
        |call| matches!(call, PeopleCall::EndShift),
        PeopleAnswer::ShiftEnded(Ok(())),
    );
    assert!(matches!(gate.screen(), Screen::People { needed: true, .. }));

    let mut gate = held_by(steward());
    gate.pass(3_600_000);
    assert_eq!(gate.on_shift(), None);
    assert!(
        gate.people_call(|call| matches!(call, PeopleCall::CurrentShift))
            .is_some()
    );
}
