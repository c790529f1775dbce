//! Fields of bodies that mean more than their type says.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike as _, Utc};
use eventify_protocol::text;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// In front of an error of our own that a client reads as it is; serde's may quote what was sent.
pub(super) const SAYS: &str = "says: ";

/// What a person adds in their own words: trimmed, and none if nothing is left. With
/// `#[serde(default)]` it may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(pub Option<String>);

impl Words {
    pub const MAX_CHARS: usize = 500;
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let read = text.map(|text| text::lines(&text, ..=Self::MAX_CHARS));
        let read = read.transpose();
        let text = read.map_err(|unfit| D::Error::custom(format!("{SAYS}{unfit}")))?;
        Ok(Self(text.filter(|text| !text.is_empty())))
    }
}

impl JsonSchema for Words {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "null"], "maxLength": Self::MAX_CHARS })
    }
}

/// For a field that may be left out and then means more than any value: all tickets of an order, no
/// code to be checked. A client whose value is null by mistake did not mean that. To be used with
/// `#[serde(default)]`.
///
/// # Errors
/// The value is null or wrong.
pub fn not_null<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    match Option::<T>::deserialize(from)? {
        Some(value) => Ok(Some(value)),
        None => Err(D::Error::custom(format!(
            "{SAYS}must not be null; leave the field out instead"
        ))),
    }
}

/// A time that a client names. What reads RFC 3339 here takes years for which neither the database nor a
/// calculation has a place; and what lies outside of these is a slip, or an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GivenTime(pub DateTime<Utc>);

impl GivenTime {
    pub const YEARS: RangeInclusive<i32> = 2000..=2200;
}

impl<'de> Deserialize<'de> for GivenTime {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let time = DateTime::<Utc>::deserialize(from)?;
        if Self::YEARS.contains(&time.year()) {
            return Ok(Self(time));
        }
        Err(D::Error::custom(format!(
            "{SAYS}must be in the years {} to {}",
            Self::YEARS.start(),
            Self::YEARS.end()
        )))
    }
}

impl JsonSchema for GivenTime {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[serde(default, deserialize_with = "not_null")]
        tickets: Option<Vec<u8>>,
        #[serde(default)]
        note: Words,
        since: Option<GivenTime>,
    }

    fn read(text: &str) -> Result<Body, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_null_is_not_taken_for_a_field_that_was_left_out() {
        assert_eq!(read("{}").unwrap().tickets, None);
        assert_eq!(read(r#"{"tickets":[7]}"#).unwrap().tickets, Some(vec![7]));
        let refused = read(r#"{"tickets":null}"#).unwrap_err();
        assert!(refused.contains("must not be null"), "{refused}");
    }

    #[test]
    fn words_are_trimmed_and_no_more_than_500_characters() {
        let of = |note: &str| read(&format!(r#"{{"note":"{note}"}}"#)).map(|it| it.note.0);
        assert_eq!(read("{}").unwrap().note, Words(None));
        assert_eq!(of("  "), Ok(None));
        assert_eq!(
            of(" the row was empty "),
            Ok(Some("the row was empty".to_owned()))
        );
        assert_eq!(of(&"é".repeat(500)).unwrap().unwrap().chars().count(), 500);
        assert_eq!(of("a\\nb"), Ok(Some("a\nb".to_owned())));
        for hidden in ["a\\u202eb", "a\\u200bb", "a\\u0007b", "\\u001b[2J"] {
            let refused = of(hidden).unwrap_err();
            assert!(refused.contains("must not have U+"), "{refused}");
        }
        let refused = of(&"x".repeat(501)).unwrap_err();
        assert!(refused.contains("at most 500 characters"), "{refused}");
    }

    /// S18
    #[test]
    fn a_time_has_a_year_that_can_be_calculated_with() {
        let of = |since: &str| read(&format!(r#"{{"since":"{since}"}}"#)).map(|it| it.since);
        assert_eq!(read("{}").unwrap().since, None);
        for good in ["2000-01-01T00:00:00Z", "2200-12-31T23:59:59Z"] {
            assert_eq!(of(good), Ok(Some(GivenTime(good.parse().unwrap()))));
        }
        for strange in [
            "-262143-01-01T00:00:00Z",
            "0000-12-31T00:00:00Z",
            "1999-12-31T23:59:59Z",
            "2000-01-01T00:59:59+01:00",
            "2201-01-01T00:00:00Z",
            "+262142-12-31T23:59:59Z",
        ] {
            let refused = of(strange).unwrap_err();
            assert!(
                refused.contains("must be in the years 2000 to 2200"),
                "{refused}"
            );
        }
        assert!(of("soon").is_err());
    }
}
