//! The PIN that keeps people in the kiosk, as Argon2id (RFC 9106). Four digits are soon tried through by
//! whoever reads the disk, whatever the hash is; it makes each try slow, and the salt makes tables
//! worthless. At the screen the tries are limited.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Digits of a PIN.
pub const DIGITS: std::ops::RangeInclusive<usize> = 4..=12;
/// The second recommendation of RFC 9106, 4: 64 MiB are much for a handheld; OWASP's first instead.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const HASH_BYTES: usize = 32;

/// What is stored of a PIN.
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

/// A PIN as it was typed. It is wiped when it is dropped, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(Zeroizing<String>);

impl Pin {
    /// None if it is not [`DIGITS`] digits.
    #[must_use]
    pub fn read(digits: &str) -> Option<Self> {
        let is_pin =
            DIGITS.contains(&digits.len()) && digits.chars().all(|char| char.is_ascii_digit());
        is_pin.then(|| Self(Zeroizing::new(digits.to_owned())))
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

    #[test]
    fn a_pin_is_known_again_and_no_other_one_nor_a_damaged_file() {
        let pin = Pin::read("2580").unwrap();
        let stored = PinHash::new(&pin, [5; 16]);
        let written = serde_json::to_string(&stored).unwrap();
        assert!(!written.contains("2580") && !format!("{stored:?} {pin:?}").contains("2580"));
        let read: PinHash = serde_json::from_str(&written).unwrap();
        assert!(read.is_of(&pin));
        assert!(!read.is_of(&Pin::read("2581").unwrap()));
        assert_ne!(stored, PinHash::new(&pin, [6; 16]), "salted");
        for damaged in [
            PinHash {
                memory_kib: u32::MAX,
                ..stored.clone()
            },
            PinHash {
                hash: String::new(),
                ..stored.clone()
            },
            PinHash {
                salt: "?".to_owned(),
                ..stored
            },
        ] {
            assert!(!damaged.is_of(&pin));
        }
    }

    #[test]
    fn only_so_many_digits_are_a_pin() {
        for no in ["", "123", "12a4", "1234567890123", "１２３４"] {
            assert!(Pin::read(no).is_none(), "{no}");
        }
    }
}
