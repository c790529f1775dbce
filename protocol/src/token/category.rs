//! The category or zone code printed into a ticket.

use std::{fmt, str::FromStr};

use minicbor::{Decode, Decoder, Encode, Encoder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A category or zone, as gates and staff know it: `STALLS`, `ZONE-B`, `VIP.2`.
///
/// 1 to 16 of `A-Z 0-9 . _ -`: short enough for the token, and readable on the smallest screen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CategoryCode {
    /// Filled up with zeros, which are no legal characters, so that derived order is text order.
    bytes: [u8; Self::MAX_CHARS],
    length: u8,
}

/// Not a category code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a category code is 1 to 16 of A-Z, 0-9, '.', '_', '-'")]
pub struct InvalidCategory;

impl CategoryCode {
    /// The longest code, in characters.
    pub const MAX_CHARS: usize = 16;

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)])
            .expect("made of ASCII characters only")
    }
}

impl FromStr for CategoryCode {
    type Err = InvalidCategory;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = |byte: u8| {
            byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
        };
        if text.is_empty() || text.len() > Self::MAX_CHARS || !text.bytes().all(legal) {
            return Err(InvalidCategory);
        }
        let mut bytes = [0; Self::MAX_CHARS];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        let length = u8::try_from(text.len()).map_err(|_| InvalidCategory)?;
        Ok(Self { bytes, length })
    }
}

impl fmt::Display for CategoryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CategoryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CategoryCode({self})")
    }
}

crate::text_form::json_as_text!(CategoryCode);

impl JsonSchema for CategoryCode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CategoryCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Z0-9._-]{1,16}$" })
    }
}

impl<C> Encode<C> for CategoryCode {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(self.as_str())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for CategoryCode {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?.parse().map_err(|refused: InvalidCategory| {
            minicbor::decode::Error::message(refused.to_string())
        })
    }
}
