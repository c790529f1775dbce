//! Where characters are on a US keyboard, by X key codes (evdev's plus 8). An imager types as if every
//! machine had that keyboard.

/// Key codes of keys that type no character.
pub mod named {
    pub const ESCAPE: u8 = 9;
    pub const ENTER: u8 = 36;
    pub const SHIFT: u8 = 50;
    pub const CAPS_LOCK: u8 = 66;
    pub const F2: u8 = 68;
    pub const F3: u8 = 69;
    pub const F4: u8 = 70;
    pub const F6: u8 = 72;
    pub const F8: u8 = 74;
    pub const F9: u8 = 75;
    pub const F10: u8 = 76;
    pub const F12: u8 = 96;
}

/// The rows of the keyboard: the code of the first key, characters without shift, and with it.
const ROWS: [(u8, &str, &str); 4] = [
    (10, "1234567890-=", "!@#$%^&*()_+"),
    (24, "qwertyuiop[]", "QWERTYUIOP{}"),
    (38, "asdfghjkl;'`", "ASDFGHJKL:\"~"),
    (51, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
];
const SPACE: u8 = 65;

/// The key of a character, and whether shift is held; none if a US keyboard has no such character.
#[must_use]
pub fn key(char: char) -> Option<(u8, bool)> {
    if char == ' ' {
        return Some((SPACE, false));
    }
    ROWS.iter().find_map(|(first, plain, shifted)| {
        let at = |row: &str| {
            let index = row.chars().position(|known| known == char)?;
            Some(first + u8::try_from(index).ok()?)
        };
        let plain = at(plain).map(|key| (key, false));
        plain.or_else(|| at(shifted).map(|key| (key, true)))
    })
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn every_printable_character_has_a_key_of_its_own() {
        let keys: Vec<_> = (' '..='~').map(|char| key(char).expect("a key")).collect();
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        // xev's, on a US keyboard.
        assert_eq!(key('q'), Some((24, false)));
        assert_eq!(key('"'), Some((48, true)));
        assert_eq!(key('/'), Some((61, false)));
        assert_eq!(key('é'), None);
    }
}
