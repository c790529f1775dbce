use crate::command::KeyStroke;

/// What a key press means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Char(char),
    /// Of both key blocks; CR or LF of a serial line.
    Enter,
    Tab,
    Backspace,
    Escape,
    Function(Function),
}

/// What the function keys open and do, wherever the person is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// F2: find a guest.
    Search,
    /// F3: the last ten scans.
    History,
    /// F4: what can be done beside scanning.
    Supervisor,
    /// F6: who holds this scanner.
    People,
    /// F8: another gate.
    Gate,
    /// F9: mute.
    Mute,
    /// F10: the settings, and out of them.
    Settings,
    /// F12: no drill any more.
    EndDrill,
}

/// Characters of keys that are no letters and digits, without and with shift.
const OTHERS: [(&str, char, char); 13] = [
    ("Minus", '-', '_'),
    ("Equal", '=', '+'),
    ("BracketLeft", '[', '{'),
    ("BracketRight", ']', '}'),
    ("Backslash", '\\', '|'),
    ("Semicolon", ';', ':'),
    ("Quote", '\'', '"'),
    ("Backquote", '`', '~'),
    ("Comma", ',', '<'),
    ("Period", '.', '>'),
    ("Slash", '/', '?'),
    ("Space", ' ', ' '),
    ("IntlBackslash", '\\', '|'),
];

const SHIFTED_DIGITS: [char; 10] = [')', '!', '@', '#', '$', '%', '^', '&', '*', '('];

/// The physical key on a US keyboard. Imagers are set to US by default, and the layout of the machine is
/// not in `KeyboardEvent.code`: a French or German one gives the same keys. Caps lock changes nothing:
/// an imager holds shift for a capital. Keys that only modify, and unknown ones, are none.
#[must_use]
pub fn key(stroke: &KeyStroke) -> Option<Key> {
    if stroke.repeat {
        return None;
    }
    named(&stroke.code, stroke.shift)
}

/// The key of this name, as `KeyboardEvent.code` has it.
#[must_use]
pub fn named(code: &str, shift: bool) -> Option<Key> {
    let named = match code {
        "Enter" | "NumpadEnter" => Some(Key::Enter),
        "Tab" => Some(Key::Tab),
        "Backspace" => Some(Key::Backspace),
        "Escape" => Some(Key::Escape),
        "F2" => Some(Key::Function(Function::Search)),
        "F3" => Some(Key::Function(Function::History)),
        "F4" => Some(Key::Function(Function::Supervisor)),
        "F6" => Some(Key::Function(Function::People)),
        "F8" => Some(Key::Function(Function::Gate)),
        "F9" => Some(Key::Function(Function::Mute)),
        "F10" => Some(Key::Function(Function::Settings)),
        "F12" => Some(Key::Function(Function::EndDrill)),
        "NumpadAdd" => Some(Key::Char('+')),
        "NumpadSubtract" => Some(Key::Char('-')),
        "NumpadMultiply" => Some(Key::Char('*')),
        "NumpadDivide" => Some(Key::Char('/')),
        "NumpadDecimal" => Some(Key::Char('.')),
        _ => None,
    };
    named.or_else(|| character(code, shift).map(Key::Char))
}

fn character(code: &str, shift: bool) -> Option<char> {
    if let Some(letter) = only_char(code.strip_prefix("Key")) {
        let letter = letter.is_ascii_uppercase().then_some(letter)?;
        return Some(if shift {
            letter
        } else {
            letter.to_ascii_lowercase()
        });
    }
    if let Some(digit) = only_char(code.strip_prefix("Digit")) {
        let value = digit.to_digit(10)?;
        return if shift {
            SHIFTED_DIGITS.get(value as usize).copied()
        } else {
            Some(digit)
        };
    }
    if let Some(digit) = only_char(code.strip_prefix("Numpad")) {
        return digit.is_ascii_digit().then_some(digit);
    }
    let (_, plain, shifted) = OTHERS.iter().find(|(name, ..)| *name == code)?;
    Some(if shift { *shifted } else { *plain })
}

fn only_char(text: Option<&str>) -> Option<char> {
    let mut chars = text?.chars();
    let first = chars.next()?;
    chars.next().is_none().then_some(first)
}

/// A byte of a serial line. Control characters around a code (STX, ETX, GS) are none.
#[must_use]
pub fn byte(byte: u8) -> Option<Key> {
    match byte {
        b'\r' | b'\n' => Some(Key::Enter),
        b'\t' => Some(Key::Tab),
        b' '..=b'~' => Some(Key::Char(char::from(byte))),
        0x80.. => Some(Key::Char(char::REPLACEMENT_CHARACTER)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stroke(code: &str, shift: bool) -> KeyStroke {
        KeyStroke {
            code: code.to_owned(),
            shift,
            caps_lock: false,
            repeat: false,
            at_ms: 0,
        }
    }

    #[test]
    fn every_character_that_an_imager_types_has_its_key() {
        let table = [
            ("KeyA", 'a', 'A'),
            ("KeyQ", 'q', 'Q'),
            ("KeyZ", 'z', 'Z'),
            ("Digit0", '0', ')'),
            ("Digit1", '1', '!'),
            ("Digit9", '9', '('),
            ("Semicolon", ';', ':'),
            ("Period", '.', '>'),
            ("Slash", '/', '?'),
            ("Minus", '-', '_'),
            ("Equal", '=', '+'),
            ("Space", ' ', ' '),
        ];
        for (code, plain, shifted) in table {
            assert_eq!(key(&stroke(code, false)), Some(Key::Char(plain)), "{code}");
            assert_eq!(key(&stroke(code, true)), Some(Key::Char(shifted)), "{code}");
        }
        // Base45, base64url and the two prefixes can all be typed.
        let wanted = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:abcdefghijklmnopqrstuvwxyz_";
        let letters = ('A'..='Z').map(|letter| format!("Key{letter}"));
        let digits = ('0'..='9').map(|digit| format!("Digit{digit}"));
        let others = OTHERS.iter().map(|(name, ..)| (*name).to_owned());
        let codes: Vec<String> = letters.chain(digits).chain(others).collect();
        for wanted in wanted.chars() {
            let typed = codes.iter().any(|code| {
                [false, true]
                    .map(|shift| key(&stroke(code, shift)))
                    .contains(&Some(Key::Char(wanted)))
            });
            assert!(typed, "{wanted:?}");
        }
    }

    #[test]
    fn modifiers_held_keys_and_unknown_keys_are_nothing() {
        for code in [
            "ShiftLeft",
            "CapsLock",
            "AltGraph",
            "F13",
            "KeyAB",
            "Key",
            "Key1",
            "NumpadX",
        ] {
            assert_eq!(key(&stroke(code, false)), None, "{code}");
        }
        let held = KeyStroke {
            repeat: true,
            ..stroke("KeyA", false)
        };
        assert_eq!(key(&held), None);
    }

    #[test]
    fn serial_bytes_end_codes_with_cr_and_lf_and_ignore_what_frames_them() {
        assert_eq!(byte(b'\r'), Some(Key::Enter));
        assert_eq!(byte(b'\n'), Some(Key::Enter));
        assert_eq!(byte(b'E'), Some(Key::Char('E')));
        for frame in [0x02, 0x03, 0x1d, 0x00, 0x7f] {
            assert_eq!(byte(frame), None);
        }
    }
}
