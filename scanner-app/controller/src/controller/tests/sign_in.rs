//! The first time: a telephone, and a PIN of one's own.

use eventify_protocol::{
    ids::SignInId,
    lan::{SignIn, SignInRefusal, SignInState},
    staff::StaffRole,
};

use super::{crew::*, *};
use crate::view::{NewPinProblem, SignInProblem};

impl Gate {
    fn sign_in_problem(&self) -> Option<SignInProblem> {
        let Screen::SignIn { problem, .. } = self.screen() else {
            panic!("{:?}", self.screen())
        };
        problem
    }
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
fn whose_pin_has_ended_signs_in_again() {
    let mut gate = staffed(true, true);
    gate.choose_person(STEWARD);
    gate.type_pin("135790");
    gate.answer_people(
        |call| matches!(call, PeopleCall::BeginShift(_)),
        PeopleAnswer::ShiftBegun(Err(refused(409, "no_pin", None))),
    );
    gate.type_keys(&["Enter"]);
    assert!(matches!(gate.screen(), Screen::SignIn { .. }));
    assert!(
        gate.people_call(|call| matches!(call, PeopleCall::BeginSignIn))
            .is_some()
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
fn whoever_has_forgotten_their_pin_or_locked_it_signs_in_with_a_telephone() {
    let begun = |gate: &Gate| {
        let asked = gate.people_call(|call| matches!(call, PeopleCall::BeginSignIn));
        matches!(gate.screen(), Screen::SignIn { .. }) && asked.is_some()
    };
    let at_the_pin = || {
        let mut gate = staffed(true, true);
        gate.choose_person(STEWARD);
        gate
    };
    let mut forgotten = at_the_pin();
    forgotten.type_keys(&["Enter"]);
    assert!(!begun(&forgotten), "by habit");
    forgotten.command(Command::SignInAgain);
    assert!(begun(&forgotten));

    let mut locked = at_the_pin();
    locked.type_pin("000002");
    let refusal = refused(429, "pin_locked", Some(Duration::from_secs(60)));
    locked.answer_people(
        |call| matches!(call, PeopleCall::BeginShift(_)),
        PeopleAnswer::ShiftBegun(Err(refusal)),
    );
    locked.type_keys(&["Enter"]);
    assert!(begun(&locked));
}
