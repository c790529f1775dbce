use eventify_protocol::{ids::SignInId, lan::Person};
use zeroize::Zeroizing;

use super::pin::Digits;
use crate::{io::CallId, view::NewPinProblem, wedge::Key};

#[derive(Debug)]
pub(super) struct NewPin {
    pub(super) person: Person,
    pub(super) sign_in: SignInId,
    pub(super) digits: Digits,
    pub(super) first: Option<Zeroizing<String>>,
    /// The PIN that the node is asked to take.
    pub(super) sent: Option<(CallId, Zeroizing<String>)>,
    pub(super) problem: Option<NewPinProblem>,
}

impl NewPin {
    pub(super) fn of(person: Person, sign_in: SignInId) -> Self {
        Self {
            person,
            sign_in,
            digits: Digits::default(),
            first: None,
            sent: None,
            problem: None,
        }
    }

    /// The PIN, when it was typed twice alike.
    pub(super) fn press(&mut self, key: Key) -> Option<Zeroizing<String>> {
        if self.sent.is_some() {
            return None;
        }
        if matches!(key, Key::Char(_)) {
            self.problem = None;
        }
        let typed = self.digits.press(key)?;
        match self.first.take() {
            None => {
                self.first = Some(typed);
                None
            }
            Some(first) if first == typed => Some(typed),
            Some(_) => {
                self.problem = Some(NewPinProblem::Differs);
                None
            }
        }
    }
}
