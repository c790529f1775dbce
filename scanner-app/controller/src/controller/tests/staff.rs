//! Who holds the scanner: sign-in, PIN, shift, hand-over.

use eventify_protocol::{
    ids::{PersonId, ShiftId, SignInId},
    lan::{Authorisation, ListedPerson, Person, Shift, SignIn, SignInRefusal, SignInState},
    staff::StaffRole,
};

use super::*;
use crate::view::{NewPinProblem, PersonFor, PersonPinProblem, SignInProblem};

pub(super) const STEWARD: u128 = 1;
pub(super) const SUPERVISOR: u128 = 2;
const NEW: u128 = 3;

pub(super) fn person(number: u128, name: &str, role: StaffRole) -> Person {
    Person {
        person_id: PersonId(Uuid::from_u128(number)),
        name: name.to_owned(),
        roles: vec![role],
    }
}

fn people(shift_needed: bool, online: bool) -> People {
    let listed = |person, has_pin| ListedPerson {
        person,
        has_pin,
        locked_ms: None,
    };
    People {
        people: vec![
            listed(person(NEW, "Nour", StaffRole::Steward), false),
            listed(person(SUPERVISOR, "Sacha", StaffRole::Supervisor), true),
            listed(person(STEWARD, "Sam", StaffRole::Steward), true),
        ],
        shift_needed,
        online,
    }
}

pub(super) fn shift(of: Person, for_seconds: u64) -> Shift {
    Shift {
        shift_id: ShiftId(Uuid::from_u128(9)),
        gate_id: gate_id(1),
        person: of,
        for_seconds,
        expires_in: 3_600,
    }
}

pub(super) fn steward() -> Person {
    person(STEWARD, "Sam", StaffRole::Steward)
}

pub(super) fn supervisor() -> Person {
    person(SUPERVISOR, "Sacha", StaffRole::Supervisor)
}

/// A venue with staff: nobody is on shift yet.
pub(super) fn staffed(shift_needed: bool, online: bool) -> Gate {
    let mut gate = Gate::with(Gate::paired(vec![]));
    gate.connect_staffed(
        people(shift_needed, online),
        Err(refused(404, "no_shift", None)),
    );
    gate
}

/// With this person on shift.
pub(super) fn held_by(person: Person) -> Gate {
    let mut gate = Gate::with(Gate::paired(vec![]));
    gate.connect_staffed(people(true, true), Ok(shift(person, 600)));
    gate.mode(Mode::Online, None);
    gate
}

impl Gate {
    fn connect_staffed(&mut self, list: People, current: Result<Shift, ClientError>) {
        let life = Duration::from_secs(600);
        self.answer(
            |call| matches!(call, Call::Renew),
            Answer::Renewed(Ok(life)),
        );
        self.answer(
            |call| matches!(call, Call::Listen),
            Answer::Listening(Ok(())),
        );
        self.answer(|call| matches!(call, Call::Status), status(&[1, 2]));
        self.answer_people(
            |call| matches!(call, PeopleCall::List),
            PeopleAnswer::Listed(Ok(list)),
        );
        self.answer_people(
            |call| matches!(call, PeopleCall::CurrentShift),
            PeopleAnswer::CurrentShift(current),
        );
    }

    pub(super) fn choose_person(&mut self, number: u128) {
        let person_id = Uuid::from_u128(number).to_string();
        self.command(Command::ChoosePerson { person_id });
    }

    pub(super) fn type_pin(&mut self, digits: &str) {
        let codes: Vec<String> = digits
            .chars()
            .map(|digit| format!("Digit{digit}"))
            .collect();
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        self.type_keys(&codes);
    }

    pub(super) fn on_shift(&self) -> Option<String> {
        self.app.view(self.now).person.map(|person| person.name)
    }

    pub(super) fn authorised(&mut self, of: Person) {
        let word = Authorisation {
            authorisation: "word".to_owned(),
            person: of,
            expires_in: 120,
        };
        self.answer_people(
            |call| matches!(call, PeopleCall::Authorise(_)),
            PeopleAnswer::Authorised(Ok(word)),
        );
    }

    fn pin_problem(&self) -> Option<PersonPinProblem> {
        match self.screen() {
            Screen::PersonPin { problem, .. } => problem,
            other => panic!("{other:?}"),
        }
    }

    fn sign_in_problem(&self) -> Option<SignInProblem> {
        match self.screen() {
            Screen::SignIn { problem, .. } => problem,
            other => panic!("{other:?}"),
        }
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

fn sign_in() -> SignIn {
    SignIn {
        sign_in_id: SignInId(Uuid::from_u128(5)),
        user_code: "WDJB-MJHT".to_owned(),
        verification_uri: "https://login.example/device".to_owned(),
        verification_uri_complete: "https://login.example/device?c=WDJB-MJHT".to_owned(),
        expires_in: 300,
    }
}

fn signing_in() -> Gate {
    let mut gate = staffed(true, true);
    gate.choose_person(NEW);
    gate.answer_people(
        |call| matches!(call, PeopleCall::BeginSignIn),
        PeopleAnswer::SignInBegun(Ok(sign_in())),
    );
    gate
}

fn looked(gate: &mut Gate, state: SignInState) {
    gate.answer_people(
        |call| matches!(call, PeopleCall::SignInState(_)),
        PeopleAnswer::SignInState(Ok(state)),
    );
}

#[test]
fn the_first_time_a_person_signs_in_with_a_telephone_and_chooses_a_pin_twice() {
    let mut gate = signing_in();
    let Screen::SignIn {
        code: Some(code), ..
    } = gate.screen()
    else {
        panic!("{:?}", gate.screen())
    };
    assert_eq!(
        (code.user_code.as_str(), code.left_ms),
        ("WDJB-MJHT", 300_000)
    );
    looked(&mut gate, SignInState::Pending);
    gate.pass(1_500);
    let person = person(NEW, "Nour", StaffRole::Steward);
    looked(
        &mut gate,
        SignInState::Granted {
            person: person.clone(),
        },
    );
    assert!(matches!(gate.screen(), Screen::NewPin { again: false, .. }));
    gate.type_pin("482915");
    assert!(matches!(
        gate.screen(),
        Screen::NewPin {
            again: true,
            digits: 0,
            ..
        }
    ));
    gate.type_pin("482916");
    let differs = Some(NewPinProblem::Differs);
    assert!(
        matches!(gate.screen(), Screen::NewPin { again: false, problem, .. } if problem == differs)
    );
    gate.type_pin("482915");
    gate.type_pin("482915");
    gate.answer_people(
        |call| matches!(call, PeopleCall::SetPin(request) if request.pin == "482915"),
        PeopleAnswer::PinSet(Ok(())),
    );
    gate.answer_people(
        |call| matches!(call, PeopleCall::BeginShift(request) if request.proof.pin == "482915"),
        PeopleAnswer::ShiftBegun(Ok(shift(person, 0))),
    );
    assert_eq!(gate.on_shift().as_deref(), Some("Nour"));
}

#[test]
fn a_pin_that_everybody_tries_first_is_chosen_anew() {
    let mut gate = signing_in();
    let person = person(NEW, "Nour", StaffRole::Steward);
    looked(&mut gate, SignInState::Granted { person });
    gate.type_pin("123456");
    gate.type_pin("123456");
    gate.answer_people(
        |call| matches!(call, PeopleCall::SetPin(_)),
        PeopleAnswer::PinSet(Err(refused(422, "pin_too_simple", None))),
    );
    let simple = Some(NewPinProblem::TooSimple);
    assert!(
        matches!(gate.screen(), Screen::NewPin { again: false, problem, .. } if problem == simple)
    );
}

#[test]
fn a_sign_in_that_is_refused_says_why_and_can_be_begun_again() {
    for (reason, problem) in [
        (SignInRefusal::NotStaff, SignInProblem::NotStaff),
        (SignInRefusal::Denied, SignInProblem::Denied),
    ] {
        let mut gate = signing_in();
        looked(&mut gate, SignInState::Refused { reason });
        assert_eq!(gate.sign_in_problem(), Some(problem));
        gate.command(Command::SignInAgain);
        assert!(
            gate.people_call(|call| matches!(call, PeopleCall::BeginSignIn))
                .is_some()
        );
    }
    let mut gate = signing_in();
    for _ in 0..200 {
        looked(&mut gate, SignInState::Pending);
        gate.pass(1_500);
    }
    assert_eq!(gate.sign_in_problem(), Some(SignInProblem::Expired));
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
