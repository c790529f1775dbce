//! The short code that is printed under a ticket's QR code, typed by a person.

use std::{collections::VecDeque, time::Duration};

use eventify_protocol::{
    short_code::{self, ShortCode},
    time::BootTime,
};

use crate::view::TypedCode;

/// Characters of a whole one.
pub(super) const LENGTH: usize = ShortCode::CHARS;
/// Who types so many wrong ones within [`WINDOW`] is guessing, or needs a supervisor.
const MAX_WRONG: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Typing {
    text: String,
    wrong: VecDeque<BootTime>,
    locked_until: Option<BootTime>,
}

eventify_protocol::debug_without_secrets! {
    Typing { wrong, locked_until },
}

impl Typing {
    /// Whether the character belongs to a code, forgivingly. Hyphens and spaces are left out, whoever
    /// types them means nothing by them.
    pub(super) fn push(&mut self, char: char, now: BootTime) -> bool {
        if self.is_locked(now) {
            return false;
        }
        match short_code::digit(char).map(char::from) {
            Some(char) if self.text.len() < LENGTH => {
                self.text.push(char);
                true
            }
            Some(_) | None => false,
        }
    }

    pub(super) fn pop(&mut self) {
        self.text.pop();
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The whole code, which is no longer being typed; none if it is not whole.
    pub(super) fn take(&mut self) -> Option<String> {
        (self.text.len() == LENGTH).then(|| std::mem::take(&mut self.text))
    }

    /// A typed code was none of a ticket.
    pub(super) fn wrong(&mut self, now: BootTime) {
        self.wrong.retain(|at| now.since(*at) < WINDOW);
        self.wrong.push_back(now);
        if self.wrong.len() >= MAX_WRONG {
            self.wrong.clear();
            self.lock(PAUSE, now);
        }
    }

    /// The node may say so too.
    pub(super) fn lock(&mut self, pause: Duration, now: BootTime) {
        self.text.clear();
        let until = now.plus(pause);
        self.locked_until = self.locked_until.max(Some(until));
    }

    pub(super) fn is_locked(&self, now: BootTime) -> bool {
        self.locked_until.is_some_and(|until| until > now)
    }

    /// Whether the lock has ended just now.
    pub(super) fn tick(&mut self, now: BootTime) -> bool {
        let has_ended = self.locked_until.is_some_and(|until| until <= now);
        if has_ended {
            self.locked_until = None;
        }
        has_ended
    }

    pub(super) fn next(&self) -> Option<BootTime> {
        self.locked_until
    }

    /// None while nothing is typed and nothing hinders it.
    pub(super) fn view(&self, now: BootTime) -> Option<TypedCode> {
        let locked = self.locked_until.filter(|until| *until > now);
        (locked.is_some() || !self.text.is_empty()).then(|| TypedCode {
            text: self.text.clone(),
            length: u8::try_from(LENGTH).unwrap_or(u8::MAX),
            locked_ms: locked.map(|until| super::ms32(until.since(now))),
        })
    }
}
