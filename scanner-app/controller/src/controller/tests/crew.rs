//! A venue with staff, and what is done with them at a scanner.

use eventify_protocol::{
    ids::{PersonId, ShiftId},
    lan::{Authorisation, ListedPerson, Person, Shift},
    staff::StaffRole,
};

use super::*;
pub(super) const STEWARD: u128 = 1;
pub(super) const SUPERVISOR: u128 = 2;
pub(super) const NEW: u128 = 3;

pub(super) fn person(number: u128, name: &str, role: StaffRole) -> Person {
    Person {
        person_id: PersonId(Uuid::from_u128(number)),
        name: name.to_owned(),
        roles: vec![role],
    }
}

pub(super) fn people(shift_needed: bool, online: bool) -> People {
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
    gate.connect_staffed(people(shift_needed, online), Ok(None));
    gate
}

/// With this person on shift.
pub(super) fn held_by(person: Person) -> Gate {
    let mut gate = Gate::with(Gate::paired(vec![]));
    gate.connect_staffed(people(true, true), Ok(Some(shift(person, 600))));
    gate.mode(Mode::Online, None);
    gate
}

impl Gate {
    fn connect_staffed(&mut self, list: People, current: Result<Option<Shift>, ClientError>) {
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
}
