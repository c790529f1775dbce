//! From a name to a shift, or to a supervisor's word: choose who, type the PIN; the first time sign in with
//! a telephone and choose a PIN.

use std::time::Duration;

use super::{May, lan, new_pin::NewPin, pin::Digits};
use crate::{
    controller::{Controller, kiosk::Overlay},
    io::{Call, CallId, PeopleCall},
    view::{ActKind, PersonFor, PersonPinProblem, SignInProblem},
    wedge::Key,
};
use eventify_protocol::{
    ids::PersonId,
    lan::{AuthorisationRequest, Person, PinProof, PinRequest, ShiftRequest, SignIn, SignInState},
    staff::StaffRole,
    time::BootTime,
};

/// Between two looks at a sign-in.
const LOOK: Duration = Duration::from_millis(1_500);

/// What goes on when somebody has given their word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::controller) enum Errand {
    Act(ActKind),
    Search,
}

#[derive(Debug)]
pub(in crate::controller) struct Flow {
    /// None: a shift.
    errand: Option<Errand>,
    pub(super) step: Step,
}

#[derive(Debug)]
pub(super) enum Step {
    Choose,
    Pin(Entry),
    SignIn(SigningIn),
    NewPin(NewPin),
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) person: Person,
    pub(super) digits: Digits,
    pub(super) call: Option<CallId>,
    pub(super) problem: Option<PersonPinProblem>,
    pub(super) locked_until: Option<BootTime>,
}

#[derive(Debug)]
pub(super) struct SigningIn {
    /// Who was chosen; whoever signs in counts.
    pub(super) name: String,
    pub(super) call: Option<CallId>,
    pub(super) begun: Option<(SignIn, BootTime)>,
    pub(super) look_at: Option<BootTime>,
    pub(super) problem: Option<SignInProblem>,
}

impl Flow {
    pub(in crate::controller) fn new(errand: Option<Errand>) -> Self {
        let step = Step::Choose;
        Self { errand, step }
    }

    pub(super) fn errand(&self) -> Option<Errand> {
        self.errand
    }

    pub(super) fn may(&self) -> May {
        match self.errand {
            None => |_| true,
            Some(Errand::Search) => StaffRole::finds_guests,
            Some(Errand::Act(_)) => StaffRole::supervises,
        }
    }

    pub(super) fn wanted_for(&self) -> PersonFor {
        match self.errand {
            None => PersonFor::Shift,
            Some(Errand::Search) => PersonFor::Guests,
            Some(Errand::Act(_)) => PersonFor::Supervisor,
        }
    }

    pub(in crate::controller) fn next(&self) -> Option<BootTime> {
        match &self.step {
            Step::Choose | Step::NewPin(_) => None,
            Step::Pin(entry) => entry.locked_until,
            Step::SignIn(signing) => {
                let ends = signing.begun.as_ref().map(|(begun, at)| ends(begun, *at));
                [signing.look_at, ends].into_iter().flatten().min()
            }
        }
    }

    /// Whether the keys are digits now.
    pub(in crate::controller) fn takes_digits(&self) -> bool {
        matches!(self.step, Step::Pin(_) | Step::NewPin(_))
    }

    /// Whether names are to be chosen from.
    pub(in crate::controller) fn lists(&self) -> bool {
        matches!(self.step, Step::Choose)
    }

    /// Whether there was something to go back to.
    pub(in crate::controller) fn back(&mut self) -> bool {
        let goes_back = !matches!(self.step, Step::Choose);
        self.step = Step::Choose;
        goes_back
    }
}

impl Entry {
    pub(super) fn of(person: Person, locked_until: Option<BootTime>) -> Self {
        Self {
            person,
            digits: Digits::default(),
            call: None,
            problem: None,
            locked_until,
        }
    }
}

pub(super) fn ends(begun: &SignIn, at: BootTime) -> BootTime {
    at.plus(Duration::from_secs(begun.expires_in))
}

impl Controller {
    /// To begin a shift, or to hand over.
    pub(in crate::controller) fn show_people(&mut self) {
        if self.place.is_some() && self.drill.is_none() {
            self.staff.ask_list();
            self.overlay = Overlay::People(Box::new(Flow::new(None)));
        }
    }

    /// Somebody's word is needed for what is wanted.
    pub(in crate::controller) fn ask_word(&mut self, errand: Errand) {
        self.staff.ask_list();
        self.overlay = Overlay::People(Box::new(Flow::new(Some(errand))));
    }

    pub(in crate::controller) fn choose_person(&mut self, id: &str, now: BootTime) {
        if matches!(self.overlay, Overlay::None) && self.must_sign_in() {
            self.overlay = Overlay::People(Box::new(Flow::new(None)));
        }
        if !matches!(&self.overlay, Overlay::People(flow) if flow.lists()) {
            return;
        }
        let id: Option<PersonId> = id.parse().ok();
        let listed = self.staff.list.as_ref().and_then(|(list, at)| {
            let mut people = list.people.iter();
            let listed = people.find(|listed| Some(listed.person.person_id) == id)?;
            Some((listed.clone(), *at))
        });
        let Some((listed, at)) = listed else {
            return;
        };
        let step = if listed.has_pin {
            let locked = listed.locked_ms.map(Duration::from_millis);
            let until = locked.map(|ms| at.plus(ms)).filter(|until| *until > now);
            Step::Pin(Entry::of(listed.person, until))
        } else if self.staff.is_online() {
            Step::SignIn(self.begin_sign_in(listed.person.name))
        } else {
            return;
        };
        if let Overlay::People(flow) = &mut self.overlay {
            flow.step = step;
        }
    }

    fn begin_sign_in(&mut self, name: String) -> SigningIn {
        let call = self.out.call(Call::People(PeopleCall::BeginSignIn));
        SigningIn {
            name,
            call: Some(call),
            begun: None,
            look_at: None,
            problem: None,
        }
    }

    /// The last one has ended, or the PIN at this node has, or is forgotten.
    pub(in crate::controller) fn sign_in_again(&mut self) {
        let Overlay::People(flow) = &self.overlay else {
            return;
        };
        let name = match &flow.step {
            Step::SignIn(signing) => signing.name.clone(),
            Step::Pin(entry) => entry.person.name.clone(),
            Step::Choose | Step::NewPin(_) => return,
        };
        let signing = self.begin_sign_in(name);
        if let Overlay::People(flow) = &mut self.overlay {
            flow.step = Step::SignIn(signing);
        }
    }

    /// A key while a PIN is typed.
    pub(in crate::controller) fn press_digit(&mut self, key: Key, now: BootTime) {
        if key == Key::Escape {
            self.leave_flow();
            return;
        }
        let gate_id = self.place.map(|place| place.gate_id);
        let Overlay::People(flow) = &mut self.overlay else {
            return;
        };
        match &mut flow.step {
            Step::Pin(entry) => {
                let is_locked = entry.locked_until.is_some_and(|until| until > now);
                let no_pin = entry.problem == Some(PersonPinProblem::NoPin);
                if key == Key::Enter && (no_pin || is_locked) {
                    self.sign_in_again();
                    return;
                }
                if is_locked || entry.call.is_some() {
                    return;
                }
                if matches!(key, Key::Char(_)) {
                    entry.problem = None;
                }
                let Some(pin) = entry.digits.press(key) else {
                    return;
                };
                let proof = PinProof {
                    person_id: entry.person.person_id,
                    pin: pin.to_string(),
                };
                let call = match (flow.errand, gate_id) {
                    (None, Some(gate_id)) => {
                        PeopleCall::BeginShift(ShiftRequest { gate_id, proof })
                    }
                    (None, None) => return,
                    (Some(_), _) => PeopleCall::Authorise(AuthorisationRequest { proof }),
                };
                entry.call = Some(self.out.call(Call::People(call)));
            }
            Step::NewPin(new) => {
                let Some(pin) = new.press(key) else {
                    return;
                };
                let request = PinRequest {
                    sign_in_id: new.sign_in,
                    pin: pin.to_string(),
                };
                let call = Call::People(PeopleCall::SetPin(request));
                new.sent = Some((self.out.call(call), pin));
            }
            Step::Choose | Step::SignIn(_) => {}
        }
    }

    /// With the PIN that was chosen just now.
    pub(super) fn prove(&mut self, person: Person, pin: &str) {
        let proof = PinProof {
            person_id: person.person_id,
            pin: pin.to_owned(),
        };
        let gate_id = self.place.map(|place| place.gate_id);
        let Overlay::People(flow) = &mut self.overlay else {
            return;
        };
        let call = match (flow.errand, gate_id) {
            (None, Some(gate_id)) => PeopleCall::BeginShift(ShiftRequest { gate_id, proof }),
            (None, None) => return,
            (Some(_), _) => PeopleCall::Authorise(AuthorisationRequest { proof }),
        };
        let mut entry = Entry::of(person, None);
        entry.call = Some(self.out.call(Call::People(call)));
        flow.step = Step::Pin(entry);
    }

    pub(in crate::controller) fn leave_flow(&mut self) {
        if let Overlay::People(flow) = &mut self.overlay
            && !flow.back()
        {
            self.overlay = Overlay::None;
        }
        self.staff.ask_list();
    }

    /// Looks whether somebody has signed in, and whether it is too late.
    pub(in crate::controller) fn tick_flow(&mut self, now: BootTime) {
        let Overlay::People(flow) = &mut self.overlay else {
            return;
        };
        let Step::SignIn(signing) = &mut flow.step else {
            return;
        };
        let Some((begun, at)) = &signing.begun else {
            return;
        };
        if ends(begun, *at) <= now {
            signing.problem = Some(SignInProblem::Expired);
            signing.begun = None;
            signing.look_at = None;
        } else if signing.look_at.is_some_and(|at| at <= now) {
            signing.look_at = None;
            let call = PeopleCall::SignInState(begun.sign_in_id);
            signing.call = Some(self.out.call(Call::People(call)));
        }
    }

    pub(super) fn on_sign_in_state(&mut self, state: SignInState, now: BootTime) {
        let Overlay::People(flow) = &mut self.overlay else {
            return;
        };
        let Step::SignIn(signing) = &mut flow.step else {
            return;
        };
        match state {
            SignInState::Pending => signing.look_at = Some(now.plus(LOOK)),
            SignInState::Granted { person } => {
                if let Some((begun, _)) = &signing.begun {
                    flow.step = Step::NewPin(NewPin::of(person, begun.sign_in_id));
                }
            }
            SignInState::Refused { reason } => {
                signing.begun = None;
                signing.problem = Some(lan::sign_in_refusal(reason));
            }
        }
    }
}
