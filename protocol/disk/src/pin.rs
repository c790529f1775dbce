//! A PIN: which ones are refused, and what is kept of one, as Argon2id (RFC 9106). A few digits are soon
//! tried through by whoever has the disk, whatever the hash is; it makes each try slow, and the salt makes
//! tables worthless. Where a PIN is typed the tries are limited, by the program that asks for it.

use std::ops::RangeInclusive;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// OWASP's first choice: the 64 MiB of RFC 9106, 4 are much for a handheld, and beside a replica on a small
/// box.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const HASH_BYTES: usize = 32;

/// A PIN as it was typed. It is wiped when it is dropped, and never printed.
#[derive(Clone)]
pub struct Pin(Zeroizing<String>);

/// What is kept of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinHash {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    /// base64url.
    salt: String,
    /// base64url.
    hash: String,
}

impl Pin {
    /// None if it is not so many digits. The text is wiped either way.
    #[must_use]
    pub fn read(text: String, digits: &RangeInclusive<usize>) -> Option<Self> {
        let text = Zeroizing::new(text);
        let is_pin = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_pin.then_some(Self(text))
    }

    /// One that everybody tries first: digits that repeat, or that go on from their neighbour by the same
    /// step, or by one at most, or hardly differ. A rule and no list, so that it also knows the next one.
    #[must_use]
    pub fn is_too_simple(&self) -> bool {
        let digits: Vec<i8> = self.0.bytes().map(|byte| byte.cast_signed() - 48).collect();
        let steps: Vec<i8> = digits
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).rem_euclid(10))
            .collect();
        let is_even = steps.windows(2).all(|pair| pair[0] == pair[1]);
        let is_small = steps.iter().all(|step| matches!(step, 0 | 1 | 9));
        let is_block = (1..=digits.len() / 2)
            .any(|length| digits.iter().zip(&digits[length..]).all(|(a, b)| a == b));
        let mut different = digits.clone();
        different.sort_unstable();
        different.dedup();
        is_even || is_small || is_block || different.len() < 3
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin")
    }
}

impl PinHash {
    /// Slow on purpose: some tens of milliseconds.
    #[must_use]
    pub fn new(pin: &Pin, salt: [u8; 16]) -> Self {
        let mut stored = Self {
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
            salt: URL_SAFE_NO_PAD.encode(salt),
            hash: String::new(),
        };
        let hash = stored.hash(pin).expect("these parameters are in range");
        stored.hash = URL_SAFE_NO_PAD.encode(hash);
        stored
    }

    /// As slow. What is stored and damaged is nobody's PIN.
    #[must_use]
    pub fn is_of(&self, pin: &Pin) -> bool {
        let stored = URL_SAFE_NO_PAD.decode(&self.hash);
        match (stored, self.hash(pin)) {
            (Ok(stored), Some(hash)) => stored.ct_eq(&hash).into(),
            (Ok(_) | Err(_), _) => false,
        }
    }

    fn hash(&self, pin: &Pin) -> Option<[u8; HASH_BYTES]> {
        let salt = URL_SAFE_NO_PAD.decode(&self.salt).ok()?;
        // A damaged file must not ask for gigabytes.
        if self.memory_kib > MEMORY_KIB || self.passes > PASSES {
            return None;
        }
        let params =
            Params::new(self.memory_kib, self.passes, self.lanes, Some(HASH_BYTES)).ok()?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut hash = [0; HASH_BYTES];
        let digits = pin.0.as_bytes();
        argon.hash_password_into(digits, &salt, &mut hash).ok()?;
        Some(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: RangeInclusive<usize> = 4..=12;

    fn pin(digits: &str) -> Pin {
        Pin::read(digits.to_owned(), &DIGITS).unwrap()
    }

    #[test]
    fn a_pin_is_known_again_and_no_other_one_nor_a_damaged_file() {
        for (digits, next) in [("2580", "2581"), ("271828", "271829")] {
            let right = pin(digits);
            let stored = PinHash::new(&right, [5; 16]);
            let written = serde_json::to_string(&stored).unwrap();
            assert!(!written.contains(digits));
            let read: PinHash = serde_json::from_str(&written).unwrap();
            assert!(read.is_of(&right));
            assert!(!read.is_of(&pin(next)));
            assert_ne!(stored, PinHash::new(&right, [6; 16]), "salted");
            let greedy = PinHash {
                memory_kib: u32::MAX,
                ..stored.clone()
            };
            let empty = PinHash {
                hash: String::new(),
                ..stored.clone()
            };
            let unsalted = PinHash {
                salt: "?".to_owned(),
                ..stored
            };
            for damaged in [greedy, empty, unsalted] {
                assert!(!damaged.is_of(&right));
            }
        }
    }

    #[test]
    fn a_pin_is_not_printed() {
        assert_eq!(format!("{:?}", pin("271828")), "Pin");
    }

    #[test]
    fn only_so_many_digits_are_a_pin() {
        let six = 6..=6;
        for no in [
            "",
            "12345",
            "1234567",
            "12a456",
            "１２３４５６",
            "１２",
            " 12345",
        ] {
            assert!(Pin::read(no.to_owned(), &six).is_none(), "{no}");
        }
        for no in ["", "123", "12a4", "1234567890123", "１２３４"] {
            assert!(Pin::read(no.to_owned(), &DIGITS).is_none(), "{no}");
        }
        for (yes, digits) in [("123456", six), ("1234", DIGITS), ("123456789012", DIGITS)] {
            assert!(Pin::read(yes.to_owned(), &digits).is_some(), "{yes}");
        }
    }

    #[test]
    fn pins_that_everybody_tries_first_are_refused() {
        for simple in [
            "111111", "000000", "123456", "654321", "234567", "890123", "987654", "012345",
            "246802", "135791", "121212", "123123", "456456", "112233", "332211", "123321",
            "111112", "222111", "110011", "100000", "369258",
        ] {
            assert!(pin(simple).is_too_simple(), "{simple}");
        }
        for good in ["271828", "314159", "804275", "190573", "493816", "920417"] {
            assert!(!pin(good).is_too_simple(), "{good}");
        }
    }
}
