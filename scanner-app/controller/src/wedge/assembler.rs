//! Takes keys one by one, with their times, and tells codes from typing.
//!
//! An imager types faster than any person: characters within [`MACHINE_GAP_MS`] of each other, at least
//! [`MACHINE_CHARS`] of them, or such that begin as only our codes do. A code ends with Enter or Tab; by
//! itself, when it is whole and a moment passes; or with a pause, if it is none of ours. One of ours that
//! is not whole then is reported as [`Assembled::Half`] and never handed on: its verdict would be
//! "unreadable", for a good ticket.

use super::{
    codes::{Shape, begins, may_begin, shape},
    keys::Key,
};

/// Between two characters of an imager; the fastest typists need twice as long.
pub const MACHINE_GAP_MS: u32 = 35;
/// So many characters at that speed are no person with two fingers on two keys.
const MACHINE_CHARS: usize = 4;
/// Imagers over radio stop in the middle of a code; up to here it may go on.
pub const PAUSE_MS: u32 = 300;
/// An imager that types slowly shows itself by how its code begins, within this between two characters.
const SLOW_GAP_MS: u32 = 150;
/// The second half of a code that was reported as cut may still complete it.
const REST_MS: u32 = 1_500;
/// The longest code of the API is shorter.
const MAX_CHARS: usize = 1_024;

/// What keys have become.
#[derive(Clone, PartialEq, Eq)]
pub enum Assembled {
    /// A whole code, without prefix and terminator.
    Code {
        text: String,
        /// It was typed with capitals and small letters exchanged.
        inverted: bool,
    },
    /// A code of ours was cut off.
    Half,
    /// A person has pressed a key.
    Typed(Key),
}

/// Without what was typed: it can be a ticket, or a digit of a PIN.
impl std::fmt::Debug for Assembled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Code { .. } => "Code",
            Self::Half => "Half",
            Self::Typed(_) => "Typed",
        })
    }
}

/// How characters come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// People type on it too.
    Keyboard,
    /// Only an imager is at the other end.
    Serial,
}

/// Of one device.
pub struct Assembler {
    line: Line,
    /// What has come of the next code.
    text: String,
    /// Time of the last key, on the device's clock.
    last_ms: u32,
    /// The pause after the last key was long enough to look whether the code is whole.
    looked: bool,
    /// A code ended without a terminator: one that comes now belongs to it.
    ended: bool,
    /// The first half of a code that was cut.
    half: Option<String>,
    /// The last code that had its terminator and was not whole: if it comes again, it is so.
    broken: Option<String>,
}

eventify_protocol::debug_without_secrets! {
    Assembler { line, last_ms },
}

impl Assembler {
    #[must_use]
    pub fn new(line: Line) -> Self {
        Self {
            line,
            text: String::new(),
            last_ms: 0,
            looked: false,
            ended: false,
            half: None,
            broken: None,
        }
    }

    /// A key went down at `at_ms`.
    pub fn press(&mut self, key: Key, at_ms: u32, out: &mut Vec<Assembled>) {
        self.pass(at_ms, out);
        let gap = at_ms.wrapping_sub(self.last_ms);
        self.last_ms = at_ms;
        self.looked = false;
        match key {
            Key::Char(char) => {
                self.ended = false;
                self.text.push(char);
                if self.text.chars().count() > MAX_CHARS {
                    self.text.clear();
                    out.push(Assembled::Half);
                }
            }
            Key::Enter | Key::Tab if self.is_machine() => self.terminate(out),
            Key::Enter | Key::Tab if self.text.is_empty() && self.ended && gap <= PAUSE_MS => {}
            Key::Enter | Key::Tab | Key::Backspace | Key::Escape | Key::Function(_) => {
                self.flush(out);
                if self.line == Line::Keyboard && key != Key::Tab {
                    out.push(Assembled::Typed(key));
                }
            }
        }
    }

    /// No key came until `at_ms`.
    pub fn pass(&mut self, at_ms: u32, out: &mut Vec<Assembled>) {
        let idle = at_ms.wrapping_sub(self.last_ms);
        if idle > REST_MS {
            self.half = None;
        }
        if self.text.is_empty() {
            return;
        }
        if !self.is_machine() {
            let patience = if may_begin(&self.text) {
                SLOW_GAP_MS
            } else {
                MACHINE_GAP_MS
            };
            if idle > patience {
                self.flush(out);
            }
            return;
        }
        if idle > MACHINE_GAP_MS && !self.looked {
            self.looked = true;
            if let Some((codes, inverted)) = self.whole() {
                self.emit(codes, inverted, out);
                self.ended = true;
                return;
            }
        }
        if idle > PAUSE_MS {
            self.pause(out);
        }
    }

    /// How long after the last key [`Self::pass`] has to be called.
    #[must_use]
    pub fn wakes_after_ms(&self) -> Option<u32> {
        if self.text.is_empty() {
            return None;
        }
        let patience = if self.is_machine() {
            if self.looked {
                PAUSE_MS
            } else {
                MACHINE_GAP_MS
            }
        } else if may_begin(&self.text) {
            SLOW_GAP_MS
        } else {
            MACHINE_GAP_MS
        };
        Some(patience + 1)
    }

    /// The time of the last key, on the device's clock.
    #[must_use]
    pub fn last_ms(&self) -> u32 {
        self.last_ms
    }

    fn is_machine(&self) -> bool {
        !self.text.is_empty()
            && (self.line == Line::Serial
                || self.text.chars().count() >= MACHINE_CHARS
                || begins(&self.text))
    }

    /// Enter or Tab after a code.
    fn terminate(&mut self, out: &mut Vec<Assembled>) {
        if let Some((codes, inverted)) = self.whole() {
            self.emit(codes, inverted, out);
            self.ended = true;
            return;
        }
        let text = super::codes::without_aim(&self.text).to_owned();
        self.text.clear();
        self.ended = true;
        let is_foreign = shape(&text) == Shape::Foreign;
        if self.half.take().is_some() && is_foreign {
            out.push(Assembled::Half);
        } else if is_foreign || self.broken.as_ref() == Some(&text) {
            self.broken = None;
            out.push(Assembled::Code {
                text,
                inverted: false,
            });
        } else {
            self.broken = Some(text);
            out.push(Assembled::Half);
        }
    }

    /// Nothing has come for long, and no terminator.
    fn pause(&mut self, out: &mut Vec<Assembled>) {
        let text = std::mem::take(&mut self.text);
        if shape(&text) == Shape::Foreign {
            let text = super::codes::without_aim(&text).to_owned();
            // The other half of a code is no code.
            out.push(if self.half.take().is_some() {
                Assembled::Half
            } else {
                Assembled::Code {
                    text,
                    inverted: false,
                }
            });
        } else {
            self.half = Some(text);
            out.push(Assembled::Half);
        }
    }

    /// The whole codes that the text is, alone or behind the half that was cut.
    fn whole(&self) -> Option<(Vec<String>, bool)> {
        let joined = self
            .half
            .as_ref()
            .map(|half| format!("{half}{}", self.text));
        [Some(self.text.clone()), joined]
            .into_iter()
            .flatten()
            .find_map(|text| match shape(&text) {
                Shape::Whole { codes, inverted } => Some((codes, inverted)),
                Shape::Partial | Shape::Foreign => None,
            })
    }

    fn emit(&mut self, codes: Vec<String>, inverted: bool, out: &mut Vec<Assembled>) {
        self.text.clear();
        self.half = None;
        self.broken = None;
        out.extend(
            codes
                .into_iter()
                .map(|text| Assembled::Code { text, inverted }),
        );
    }

    /// A person has typed what is there.
    fn flush(&mut self, out: &mut Vec<Assembled>) {
        let text = std::mem::take(&mut self.text);
        if self.line == Line::Keyboard {
            out.extend(text.chars().map(|char| Assembled::Typed(Key::Char(char))));
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
