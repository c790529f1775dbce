//! Pairing with the code that the node shows: scanned, or typed.

use eventify_protocol::lan::PairingCode;

use super::{lan, outbox::Outbox};
use crate::{
    io::{Call, CallId},
    view::{PairProblem, Screen},
};
use eventify_lan_client::ClientError;

/// Longest code that is read; the keys after it are not stored.
const MAX_CODE_CHARS: usize = 512;

#[derive(Default)]
pub(super) struct Pairing {
    typed: String,
    asking: Option<CallId>,
    problem: Option<PairProblem>,
}

eventify_protocol::debug_without_secrets! {
    Pairing { asking, problem },
}

impl Pairing {
    pub(super) fn after(problem: PairProblem) -> Self {
        Self {
            problem: Some(problem),
            ..Self::default()
        }
    }

    /// After a code that was none, a new one begins.
    pub(super) fn push(&mut self, char: char) {
        if self.asking.is_some() {
            return;
        }
        if self.problem.take().is_some() {
            self.typed.clear();
        }
        if self.typed.len() < MAX_CODE_CHARS {
            self.typed.push(char);
        }
    }

    /// Whoever takes a character back mends what they typed.
    pub(super) fn pop(&mut self) {
        if self.asking.is_none() {
            self.problem = None;
            self.typed.pop();
        }
    }

    pub(super) fn clear(&mut self) {
        if self.asking.is_none() {
            *self = Self::default();
        }
    }

    pub(super) fn submit_typed(&mut self, out: &mut Outbox) {
        if !self.typed.is_empty() {
            let code = std::mem::take(&mut self.typed);
            self.submit(&code, out);
        }
    }

    /// A code came, whole or not. While the node is asked, others have to wait.
    pub(super) fn submit(&mut self, text: &str, out: &mut Outbox) {
        if self.asking.is_some() {
            return;
        }
        match text.parse::<PairingCode>() {
            Ok(code) => {
                self.problem = None;
                self.asking = Some(out.call(Call::Pair(code)));
            }
            Err(_) => {
                text.clone_into(&mut self.typed);
                self.problem = Some(PairProblem::NotACode);
            }
        }
    }

    pub(super) fn is_of(&self, call: CallId) -> bool {
        self.asking == Some(call)
    }

    pub(super) fn failed(&mut self, error: &ClientError) {
        *self = Self::after(lan::pair_problem(error));
    }

    pub(super) fn view(&self) -> Screen {
        Screen::Pair {
            typed: self.typed.clone().into(),
            asking: self.asking.is_some(),
            problem: self.problem,
        }
    }
}
