//! What the node has answered about people.

use eventify_lan_client::ClientError;
use eventify_protocol::{
    lan::{Authorisation, Shift, SignIn, SignInState},
    time::BootTime,
};

use super::{
    flow::{Errand, SigningIn, Step},
    lan,
    new_pin::NewPin,
};
use crate::{
    controller::{Controller, kiosk::Overlay},
    io::{CallId, Now, PeopleAnswer},
    view::{Notice, PersonPinProblem, SignInProblem},
};

impl Controller {
    pub(in crate::controller) fn on_people(
        &mut self,
        call: CallId,
        answer: PeopleAnswer,
        now: Now,
    ) {
        if answer.error().and_then(lan::code_of) == Some("token_expired") {
            self.link.access_ended();
        }
        match answer {
            PeopleAnswer::Listed(result) => {
                if self.staff.listing.take_if(|id| *id == call).is_some() {
                    self.staff.on_listed(result, now.boot);
                }
            }
            PeopleAnswer::CurrentShift(result) => {
                if self.staff.asking.take_if(|id| *id == call).is_some() {
                    self.staff.on_current(result, now);
                }
            }
            PeopleAnswer::ShiftEnded(result) => self.on_shift_ended(call, &result, now.boot),
            PeopleAnswer::ShiftBegun(result) => self.on_shift_begun(call, result, now),
            PeopleAnswer::Authorised(result) => self.on_authorised(call, result, now),
            PeopleAnswer::SignInBegun(result) => self.on_sign_in_begun(call, result, now.boot),
            PeopleAnswer::SignInState(result) => self.on_sign_in_looked(call, result, now.boot),
            PeopleAnswer::PinSet(result) => self.on_pin_set(call, result),
            PeopleAnswer::Acted(result) => self.on_acted(call, result, now),
            PeopleAnswer::Found(result) => self.on_found(call, result, now.boot),
            PeopleAnswer::Counted(result) => self.on_counted(call, result, now.boot),
        }
    }

    fn on_shift_ended(&mut self, call: CallId, result: &Result<(), ClientError>, now: BootTime) {
        if self.staff.ending.take_if(|id| *id == call).is_none() {
            return;
        }
        let is_over = match result {
            Ok(()) => true,
            Err(error) => error.refusal().is_some_and(|refusal| refusal.status == 404),
        };
        if is_over {
            self.staff.shift = None;
            self.staff.authorised = None;
            self.exits = false;
            self.staff.ask_all();
            self.overlay = Overlay::None;
        } else {
            self.notices.pass(Notice::ShiftNotEnded, now);
        }
    }

    /// The answer is to the PIN on the screen. A wrong one leaves it there.
    fn on_proof<T>(
        &mut self,
        call: CallId,
        result: Result<T, ClientError>,
        now: BootTime,
    ) -> Option<(T, Option<Errand>)> {
        let Overlay::People(flow) = &mut self.overlay else {
            return None;
        };
        let errand = flow.errand();
        let Step::Pin(entry) = &mut flow.step else {
            return None;
        };
        entry.call.take_if(|id| *id == call)?;
        match result {
            Ok(value) => Some((value, errand)),
            Err(error) => {
                let wait = error.refusal().and_then(|refusal| refusal.retry_after);
                entry.locked_until = wait.map(|wait| now.plus(wait));
                entry.problem = Some(lan::pin_problem(&error));
                if entry.problem == Some(PersonPinProblem::NotHere) {
                    self.staff.ask_list();
                }
                None
            }
        }
    }

    fn on_shift_begun(&mut self, call: CallId, result: Result<Shift, ClientError>, now: Now) {
        // Whatever became of the question, the node's word on it counts.
        if matches!(&result, Err(error) if error.refusal().is_none()) {
            self.staff.wants_shift = true;
        }
        if let Some((shift, _)) = self.on_proof(call, result, now.boot) {
            self.staff.on_shift(shift, now);
            self.staff.authorised = None;
            self.staff.ask_list();
            self.overlay = Overlay::None;
        }
    }

    fn on_authorised(
        &mut self,
        call: CallId,
        result: Result<Authorisation, ClientError>,
        now: Now,
    ) {
        let Some((word, errand)) = self.on_proof(call, result, now.boot) else {
            return;
        };
        self.staff.on_authorised(word, now.boot);
        self.overlay = Overlay::None;
        match errand {
            Some(Errand::Act(act)) => self.open_act(act, now),
            Some(Errand::Search) => self.open_search(now.boot),
            None => {}
        }
    }

    fn signing_in(&mut self, call: CallId) -> Option<&mut SigningIn> {
        let Overlay::People(flow) = &mut self.overlay else {
            return None;
        };
        let Step::SignIn(signing) = &mut flow.step else {
            return None;
        };
        signing.call.take_if(|id| *id == call)?;
        Some(signing)
    }

    fn on_sign_in_begun(
        &mut self,
        call: CallId,
        result: Result<SignIn, ClientError>,
        now: BootTime,
    ) {
        if let Some(signing) = self.signing_in(call) {
            match result {
                Ok(begun) => {
                    signing.begun = Some((begun, now));
                    signing.problem = None;
                    signing.look_at = Some(now);
                }
                Err(error) => signing.problem = Some(lan::sign_in_problem(&error)),
            }
        }
    }

    fn on_sign_in_looked(
        &mut self,
        call: CallId,
        result: Result<SignInState, ClientError>,
        now: BootTime,
    ) {
        let Some(signing) = self.signing_in(call) else {
            return;
        };
        match result {
            Ok(state) => self.on_sign_in_state(state, now),
            // It may still be granted: looked for again until its time is over.
            Err(error) if lan::sign_in_problem(&error) == SignInProblem::NoAnswer => {
                self.on_sign_in_state(SignInState::Pending, now);
            }
            Err(error) => {
                signing.begun = None;
                signing.problem = Some(lan::sign_in_problem(&error));
            }
        }
    }

    fn on_pin_set(&mut self, call: CallId, result: Result<(), ClientError>) {
        let Overlay::People(flow) = &mut self.overlay else {
            return;
        };
        let Step::NewPin(new) = &mut flow.step else {
            return;
        };
        let Some((_, pin)) = new.sent.take_if(|(id, _)| *id == call) else {
            return;
        };
        let problem = match result {
            Ok(()) => None,
            Err(error) => Some(lan::new_pin_problem(&error)),
        };
        let (person, sign_in) = (new.person.clone(), new.sign_in);
        if problem.is_none() {
            self.prove(person, &pin);
        } else {
            let mut again = NewPin::of(person, sign_in);
            again.problem = problem;
            flow.step = Step::NewPin(again);
        }
    }
}
