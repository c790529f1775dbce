//! Four people who work here, and what they do to hold a scanner.
//!
//! | name | role | PIN |
//! |---|---|---|
//! | `Sam Steward` | steward | 135790 |
//! | `Sacha Supervisor` | supervisor | 246802 |
//! | `Billie Box-Office` | box office | 975310 |
//! | `Nour New` | steward | none yet |
//!
//! A sign-in is granted, or refused, by a command; it makes somebody the next one who has no PIN.

use std::collections::{BTreeMap, VecDeque};

use eventify_protocol::{
    ids::{GateId, PersonId, ScannerId, SignInId},
    lan::{
        Authorisation, AuthorisationRequest, ListedPerson, People, Person, PinProof, PinRequest,
        Shift, ShiftRequest, SignIn, SignInRefusal, SignInState,
    },
    staff::{PIN_DIGITS, StaffRole},
    time::BootTime,
    verdict::Mode,
};

use crate::{
    api::Refused,
    clock,
    state::{State, remember, secret},
};

const TRIES: u32 = 5;
const LOCKED_SECONDS: u64 = 60;
const SHIFT_SECONDS: u64 = 12 * 3_600;
const AUTHORISATION_SECONDS: u64 = 120;
const SIGN_IN_SECONDS: u64 = 300;

#[derive(Debug)]
struct Member {
    person: Person,
    pin: Option<String>,
    wrong: u32,
    locked: Option<BootTime>,
}

#[derive(Debug)]
pub(crate) struct Staff {
    members: Vec<Member>,
    pub(crate) shift_needed: bool,
    shifts: BTreeMap<ScannerId, (Shift, BootTime)>,
    authorisations: VecDeque<(String, ScannerId, Person, BootTime)>,
    sign_ins: VecDeque<(SignInId, SignInState)>,
}

impl Staff {
    pub(crate) fn new() -> Self {
        let member = |name: &str, role, pin: Option<&str>| Member {
            person: Person {
                person_id: clock::new_id(),
                name: name.to_owned(),
                roles: vec![role],
            },
            pin: pin.map(str::to_owned),
            wrong: 0,
            locked: None,
        };
        Self {
            members: vec![
                member("Billie Box-Office", StaffRole::BoxOffice, Some("975310")),
                member("Nour New", StaffRole::Steward, None),
                member("Sacha Supervisor", StaffRole::Supervisor, Some("246802")),
                member("Sam Steward", StaffRole::Steward, Some("135790")),
            ],
            shift_needed: false,
            shifts: BTreeMap::new(),
            authorisations: VecDeque::new(),
            sign_ins: VecDeque::new(),
        }
    }

    /// What a person at the provider's page does: `grant`, `deny`, `not-staff`, `expire`.
    pub(crate) fn decide_sign_ins(&mut self, word: &str) -> bool {
        let granted = self.members.iter().find(|member| member.pin.is_none());
        let state = match (word, granted) {
            ("grant", Some(member)) => SignInState::Granted {
                person: member.person.clone(),
            },
            ("deny", _) => refused(SignInRefusal::Denied),
            ("not-staff", _) => refused(SignInRefusal::NotStaff),
            ("expire", _) => refused(SignInRefusal::Expired),
            _ => return false,
        };
        for (_, known) in &mut self.sign_ins {
            if *known == SignInState::Pending {
                *known = state.clone();
            }
        }
        true
    }

    pub(crate) fn end_shifts(&mut self) {
        self.shifts.clear();
    }

    pub(crate) fn shift_of(&self, scanner: ScannerId) -> Option<Shift> {
        let (shift, began) = self.shifts.get(&scanner)?;
        let for_seconds = clock::boottime().since(*began).as_secs();
        Some(Shift {
            for_seconds,
            expires_in: SHIFT_SECONDS.saturating_sub(for_seconds),
            ..shift.clone()
        })
    }

    pub(crate) fn end_shift(&mut self, scanner: ScannerId) -> bool {
        self.shifts.remove(&scanner).is_some()
    }

    /// Whoever does it has moved on to this gate.
    pub(crate) fn moved(&mut self, scanner: ScannerId, gate: GateId) {
        if let Some((shift, _)) = self.shifts.get_mut(&scanner) {
            shift.gate_id = gate;
        }
    }

    fn proven(&mut self, proof: &PinProof) -> Result<Person, Refused> {
        let now = clock::boottime();
        let mut members = self.members.iter_mut();
        let member = members
            .find(|member| member.person.person_id == proof.person_id)
            .ok_or_else(|| Refused::new(404, "person_unknown"))?;
        if member.locked.is_some_and(|until| until > now) {
            return Err(Refused::new(429, "pin_locked").after(LOCKED_SECONDS));
        }
        let pin = member.pin.as_ref();
        let pin = pin.ok_or_else(|| Refused::new(409, "no_pin"))?;
        if *pin == proof.pin {
            member.wrong = 0;
            return Ok(member.person.clone());
        }
        member.wrong += 1;
        if member.wrong < TRIES {
            let left = TRIES - member.wrong;
            return Err(Refused::new(401, "wrong_pin").with("triesLeft", left.to_string()));
        }
        member.wrong = 0;
        member.locked = Some(now.plus(std::time::Duration::from_secs(LOCKED_SECONDS)));
        Err(Refused::new(429, "pin_locked").after(LOCKED_SECONDS))
    }
}

fn refused(reason: SignInRefusal) -> SignInState {
    SignInState::Refused { reason }
}

impl State {
    pub(crate) fn people(&self) -> People {
        let now = clock::boottime();
        let listed = |member: &Member| ListedPerson {
            person: member.person.clone(),
            has_pin: member.pin.is_some(),
            locked_ms: member
                .locked
                .filter(|until| *until > now)
                .map(|until| crate::state::millis(until.since(now))),
        };
        People {
            people: self.staff.members.iter().map(listed).collect(),
            shift_needed: self.staff.shift_needed,
            online: self.mode() == Mode::Online,
        }
    }

    pub(crate) fn begin_sign_in(&mut self) -> Result<SignIn, Refused> {
        if self.mode() != Mode::Online {
            return Err(Refused::new(503, "core_unreachable"));
        }
        let sign_in_id = clock::new_id();
        let entry = (sign_in_id, SignInState::Pending);
        remember(&mut self.staff.sign_ins, entry, 16);
        Ok(SignIn {
            sign_in_id,
            user_code: "WDJB-MJHT".to_owned(),
            verification_uri: "https://login.example/device".to_owned(),
            verification_uri_complete: "https://login.example/device?user_code=WDJB-MJHT"
                .to_owned(),
            expires_in: SIGN_IN_SECONDS,
        })
    }

    pub(crate) fn sign_in(&self, id: &str) -> Result<SignInState, Refused> {
        let mut known = self.staff.sign_ins.iter();
        let found = known.find(|(known, _)| known.to_string() == id);
        found
            .map(|(_, state)| state.clone())
            .ok_or_else(|| Refused::new(404, "sign_in_unknown"))
    }

    pub(crate) fn set_pin(&mut self, request: &PinRequest) -> Result<(), Refused> {
        let staff = &mut self.staff;
        let mut known = staff.sign_ins.iter();
        let at = known.position(|(id, _)| *id == request.sign_in_id);
        let granted = at.and_then(|at| match &staff.sign_ins[at].1 {
            SignInState::Granted { person } => Some((at, person.person_id)),
            SignInState::Pending | SignInState::Refused { .. } => None,
        });
        let (at, person) = granted.ok_or_else(|| Refused::new(404, "sign_in_unknown"))?;
        if request.pin.len() != PIN_DIGITS {
            return Err(Refused::new(422, "validation_error"));
        }
        if matches!(request.pin.as_str(), "000000" | "123456" | "111111") {
            return Err(Refused::new(422, "pin_too_simple"));
        }
        staff.sign_ins.remove(at);
        let mut members = staff.members.iter_mut();
        if let Some(member) = members.find(|member| member.person.person_id == person) {
            member.pin = Some(request.pin.clone());
        }
        Ok(())
    }

    pub(crate) fn begin_shift(
        &mut self,
        scanner: ScannerId,
        request: &ShiftRequest,
    ) -> Result<Shift, Refused> {
        let person = self.staff.proven(&request.proof)?;
        let shift = Shift {
            shift_id: clock::new_id(),
            gate_id: request.gate_id,
            person,
            for_seconds: 0,
            expires_in: SHIFT_SECONDS,
        };
        let entry = (shift.clone(), clock::boottime());
        self.staff.shifts.insert(scanner, entry);
        Ok(shift)
    }

    pub(crate) fn authorise(
        &mut self,
        scanner: ScannerId,
        request: &AuthorisationRequest,
    ) -> Result<Authorisation, Refused> {
        let person = self.staff.proven(&request.proof)?;
        let authorisation = secret();
        let entry = (
            authorisation.clone(),
            scanner,
            person.clone(),
            clock::boottime(),
        );
        remember(&mut self.staff.authorisations, entry, 16);
        Ok(Authorisation {
            authorisation,
            person,
            expires_in: AUTHORISATION_SECONDS,
        })
    }

    /// Whose act it is, if they may.
    pub(crate) fn who_acts(
        &self,
        scanner: ScannerId,
        authorisation: Option<&str>,
        may: fn(StaffRole) -> bool,
    ) -> Result<PersonId, Refused> {
        let person = match authorisation {
            Some(word) => {
                let now = clock::boottime();
                let mut known = self.staff.authorisations.iter();
                let found = known.find(|(known, of, _, since)| {
                    known == word
                        && *of == scanner
                        && now.since(*since).as_secs() < AUTHORISATION_SECONDS
                });
                let found = found.map(|(_, _, person, _)| person.clone());
                found.ok_or_else(|| Refused::new(403, "authorisation_unknown"))?
            }
            None => {
                let shift = self.staff.shift_of(scanner);
                shift.ok_or_else(|| Refused::new(409, "no_shift"))?.person
            }
        };
        if person.roles.iter().any(|role| may(*role)) {
            Ok(person.person_id)
        } else {
            Err(Refused::new(403, "not_allowed"))
        }
    }
}
