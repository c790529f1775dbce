//! The short code under a ticket's QR code: what a guest reads out, and a steward types, where the
//! picture can't be read. It stands for the token in every mode (`ADMISSION` 3.12).
//!
//! 50 random bits as 10 characters of Crockford's Base32, shown like `7K3QM-01T2B`. Who knows the code can
//! use the ticket, as with the token. The venue's feed therefore does not carry it: it carries the
//! beginning of a slow hash, salted with the venue (`core/DECISIONS.md` 58).
//!
//! Deliberately not here: a check character. A mistyped code is unknown, and the wrong ones are counted.

use std::{fmt, str::FromStr};

use hmac::{Hmac, KeyInit as _, Mac as _};
use minicbor::{Decode, Decoder, Encode, Encoder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use sha2::Sha256;
use zeroize::Zeroize;

use crate::{hash::Hash32, ids::VenueId};

/// Crockford's Base32: no I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Longest text that is looked at: the code with whatever people write between its characters.
const MAX_TEXT_CHARS: usize = 32;

/// Rounds of PBKDF2 from a code to its hash: a millisecond or two of a core for whoever types one or makes
/// a ticket, and thousands of times the work for whoever tries all codes.
const HASH_ROUNDS: u32 = 4_000;

/// The code of a ticket.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShortCode([u8; Self::CHARS]);

/// What stands for a code outside of the core's own tables and the ticket itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct CodeHash(#[n(0)] pub Hash32);

/// The beginning of a code's hash: what the feed carries and a node looks tickets up by. Not enough of
/// it to ask the core with, which compares the whole hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeTag(pub [u8; Self::BYTES]);

/// The text is no short code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a short code is 10 letters and digits, like 7K3QM-X9T2B")]
pub struct NotAShortCode;

/// The text is no tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code's tag is 16 hexadecimal digits")]
pub struct NotACodeTag;

impl ShortCode {
    /// Characters of a code, without the hyphen.
    pub const CHARS: usize = 10;

    /// Random bits of a code.
    pub const BITS: u32 = 50;

    /// The code of 50 random bits: the first of these bytes.
    #[must_use]
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        let number = bytes
            .iter()
            .take(7)
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let characters = std::array::from_fn(|place| {
            let digit = number >> (5 * place) & 0x1f;
            ALPHABET[usize::try_from(digit).unwrap_or_default()]
        });
        Self(characters)
    }

    /// Reads what people type: in either case, with hyphens and spaces anywhere, O for 0, I and L for 1.
    ///
    /// # Errors
    /// [`NotAShortCode`] for everything else, also for every text of a ticket's QR code.
    pub fn read(text: &str) -> Result<Self, NotAShortCode> {
        if text.chars().nth(MAX_TEXT_CHARS).is_some() {
            return Err(NotAShortCode);
        }
        let mut code = [0; Self::CHARS];
        let mut length = 0;
        for typed in text.chars().filter(|it| *it != '-' && !it.is_whitespace()) {
            let place = code.get_mut(length).ok_or(NotAShortCode)?;
            *place = digit(typed).ok_or(NotAShortCode)?;
            length += 1;
        }
        if length == Self::CHARS {
            Ok(Self(code))
        } else {
            Err(NotAShortCode)
        }
    }

    /// The ten characters, as they are stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made of ASCII characters only")
    }

    /// Its hash at a venue: PBKDF2 (RFC 8018) with HMAC-SHA-256, the code as the password and the venue
    /// as the salt. It takes a millisecond or two.
    #[must_use]
    pub fn hash(&self, venue: VenueId) -> CodeHash {
        CodeHash(Hash32(pbkdf2(
            &self.0,
            venue.as_uuid().as_bytes(),
            HASH_ROUNDS,
        )))
    }
}

/// The character of a code that somebody meant: O is 0, I and L are 1, and there is no U.
#[must_use]
pub fn digit(typed: char) -> Option<u8> {
    let meant = match typed.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let meant = u8::try_from(meant).ok()?;
    ALPHABET.contains(&meant).then_some(meant)
}

/// The first block of PBKDF2: 32 bytes.
fn pbkdf2(password: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let keyed = Hmac::<Sha256>::new_from_slice(password).expect("HMAC takes keys of any length");
    let first = keyed.clone().chain_update(salt).chain_update([0, 0, 0, 1]);
    let mut block: [u8; 32] = first.finalize().into_bytes().into();
    let mut sum = block;
    for _ in 1..rounds {
        block = keyed
            .clone()
            .chain_update(block)
            .finalize()
            .into_bytes()
            .into();
        for (byte, other) in sum.iter_mut().zip(block) {
            *byte ^= other;
        }
    }
    block.zeroize();
    sum
}

impl CodeHash {
    #[must_use]
    pub fn tag(&self) -> CodeTag {
        let mut tag = [0; CodeTag::BYTES];
        tag.copy_from_slice(&self.0.0[..CodeTag::BYTES]);
        CodeTag(tag)
    }
}

impl CodeTag {
    pub const BYTES: usize = 8;
}

impl fmt::Display for ShortCode {
    /// As it is printed: five characters, a hyphen, five characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, right) = self.as_str().split_at(Self::CHARS / 2);
        write!(f, "{left}-{right}")
    }
}

impl fmt::Debug for ShortCode {
    /// Without the code: its bearer can use the ticket.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShortCode(…)")
    }
}

impl FromStr for ShortCode {
    type Err = NotAShortCode;

    fn from_str(text: &str) -> Result<Self, NotAShortCode> {
        Self::read(text)
    }
}

impl fmt::Display for CodeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for CodeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeTag({self})")
    }
}

impl FromStr for CodeTag {
    type Err = NotACodeTag;

    fn from_str(text: &str) -> Result<Self, NotACodeTag> {
        let mut tag = [0; Self::BYTES];
        hex::decode_to_slice(text, &mut tag).map_err(|_| NotACodeTag)?;
        Ok(Self(tag))
    }
}

crate::text_form::json_as_text!(CodeTag);

impl JsonSchema for CodeTag {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CodeTag".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{16}$" })
    }
}

impl<C> Encode<C> for CodeTag {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for CodeTag {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let tag = d.bytes()?.try_into().map(Self);
        tag.map_err(|_| minicbor::decode::Error::message("a code's tag has 8 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let printed = "7K3QM-01T2B".parse::<ShortCode>().unwrap();
        for typed in [
            "7K3QM01T2B",
            "7k3qm-01t2b",
            " 7K3 QM0 1T2 B ",
            "7K3QM-OIT2B",
            "7k3qm-olt2b\n",
        ] {
            assert_eq!(typed.parse(), Ok(printed), "{typed}");
        }
        assert_eq!(printed.to_string(), "7K3QM-01T2B");
    }

    #[test]
    fn what_is_no_code_is_told_apart() {
        for text in [
            "",
            "7K3QM-01T2",
            "7K3QM-01T2B0",
            "7K3QM-01T2U",
            "7K3QM-01T2é",
            "EV1:6BFOXN*TS0BI$ZD",
            "7-K-3-Q-M-0-1-T-2-B------------------",
        ] {
            assert_eq!(text.parse::<ShortCode>(), Err(NotAShortCode), "{text}");
        }
    }

    /// RFC 7914, section 11.
    #[test]
    fn the_hash_is_pbkdf2() {
        let derived = |rounds| hex::encode(pbkdf2(b"passwd", b"salt", rounds));
        assert_eq!(
            derived(1),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        );
        let derived = hex::encode(pbkdf2(b"Password", b"NaCl", 80_000));
        assert_eq!(
            derived,
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
        );
    }

    #[test]
    fn two_venues_have_two_hashes_of_a_code_and_neither_shows_it() {
        let code = "7K3QM-01T2B".parse::<ShortCode>().unwrap();
        let [here, there] = [1, 2].map(|venue| code.hash(VenueId(Uuid::from_u128(venue))));
        assert_ne!(here.tag(), there.tag());
        assert_eq!(here.tag().to_string().parse(), Ok(here.tag()));
        assert!(!format!("{code:?}").contains("7K3"));
    }

    proptest! {
        #[test]
        fn every_code_that_is_made_is_read_again(bytes: [u8; 32]) {
            let code = ShortCode::from_random(&bytes);
            prop_assert_eq!(code.to_string().parse(), Ok(code));
            prop_assert_eq!(code.to_string().to_lowercase().parse(), Ok(code));
        }
    }
}
