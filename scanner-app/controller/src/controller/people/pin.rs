//! Digits of a PIN, as they are typed: sent by themselves when they are all there, and wiped.

use eventify_protocol::staff::PIN_DIGITS;
use zeroize::Zeroizing;

use crate::wedge::Key;

#[derive(Default)]
pub(super) struct Digits(Zeroizing<String>);

impl std::fmt::Debug for Digits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digits")
    }
}

impl Digits {
    /// How many a whole one has.
    pub(super) fn length() -> u8 {
        u8::try_from(PIN_DIGITS).unwrap_or(u8::MAX)
    }

    pub(super) fn count(&self) -> u8 {
        u8::try_from(self.0.len()).unwrap_or(u8::MAX)
    }

    /// The whole PIN, when this key was its last digit.
    pub(super) fn press(&mut self, key: Key) -> Option<Zeroizing<String>> {
        match key {
            Key::Char(digit) if digit.is_ascii_digit() && self.0.len() < PIN_DIGITS => {
                self.0.push(digit);
            }
            Key::Backspace => {
                self.0.pop();
            }
            Key::Char(_) | Key::Enter | Key::Tab | Key::Escape | Key::Function(_) => {}
        }
        (self.0.len() == PIN_DIGITS).then(|| std::mem::take(&mut self.0))
    }
}
