use eventify_protocol::time::BootTime;

use super::{
    flow::{Flow, Step, ends},
    pin::Digits,
};
use crate::{
    controller::{Controller, ms32},
    view::{Screen, SignInCode},
};

impl Controller {
    pub(in crate::controller) fn people_screen(&self, flow: &Flow, now: BootTime) -> Screen {
        let wanted_for = flow.wanted_for();
        match &flow.step {
            Step::Choose => Screen::People {
                wanted_for,
                needed: self.must_sign_in() && flow.errand().is_none(),
                people: self.staff.choices(flow.may(), now),
                online: self.staff.is_online(),
                asking: self.staff.is_asking(),
                waiting: self.scans.unanswered(),
            },
            Step::Pin(entry) => Screen::PersonPin {
                wanted_for,
                person: entry.person.name.clone(),
                digits: entry.digits.count(),
                length: Digits::length(),
                asking: entry.call.is_some(),
                problem: entry.problem.clone(),
                locked_ms: entry
                    .locked_until
                    .filter(|until| *until > now)
                    .map(|until| ms32(until.since(now))),
            },
            Step::SignIn(signing) => Screen::SignIn {
                person: signing.name.clone(),
                code: signing.begun.as_ref().map(|(begun, at)| SignInCode {
                    user_code: begun.user_code.clone(),
                    uri: begun.verification_uri.clone(),
                    uri_with_code: begun.verification_uri_complete.clone(),
                    left_ms: ms32(ends(begun, *at).since(now)),
                }),
                problem: signing.problem.clone(),
            },
            Step::NewPin(new) => Screen::NewPin {
                person: new.person.name.clone(),
                digits: new.digits.count(),
                length: Digits::length(),
                again: new.first.is_some(),
                asking: new.sent.is_some(),
                problem: new.problem.clone(),
            },
        }
    }
}
