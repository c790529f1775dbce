//! The time zone of a venue, and instants as its clocks show them.
//!
//! Only this way: an instant always has one local time, but a local time may exist twice (when clocks go back)
//! or never (when they go forward). So no local time is ever read here, and the API takes instants alone.

use std::{fmt, str::FromStr};

use chrono::{DateTime, FixedOffset, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A zone of the tz database, by its name: `Europe/Paris`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeZone(Tz);

/// The tz database that this program has knows no such name. Letters are not interchangeable: `europe/paris`
/// is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no time zone of the tz database has this name")]
pub struct UnknownTimeZone;

impl TimeZone {
    /// Where no venue is known, or its zone.
    pub const UTC: Self = Self(Tz::Etc__UTC);

    /// The zone of this name, which was checked when it was stored. What another release of the tz database
    /// has no more is read as UTC, and says so.
    #[must_use]
    pub fn or_utc(name: Option<&str>) -> Self {
        name.and_then(|name| name.parse().ok()).unwrap_or(Self::UTC)
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// An instant as the venue's clocks show it, with their offset from UTC: in JSON a time of RFC 3339.
    #[must_use]
    pub fn local(self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        let offset = self.0.offset_from_utc_datetime(&at.naive_utc());
        at.with_timezone(&offset.fix())
    }

    /// For texts: `Sat 6 Jun 2026, 20:30 Europe/Paris`. In the hour that exists twice the offset stands there
    /// too: `Sun 25 Oct 2026, 02:30 +01:00 Europe/Paris`.
    #[must_use]
    pub fn minute(self, at: DateTime<Utc>) -> String {
        let local = self.local(at);
        let twice = matches!(
            self.0.offset_from_local_datetime(&local.naive_local()),
            chrono::LocalResult::Ambiguous(..)
        );
        let offset = if twice { " %:z" } else { "" };
        let format = format!("%a %-d %b %Y, %H:%M{offset}");
        format!("{} {}", local.format(&format), self.label())
    }

    fn label(self) -> &'static str {
        match self {
            Self::UTC => "UTC",
            Self(zone) => zone.name(),
        }
    }
}

impl Default for TimeZone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimeZone({})", self.name())
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TimeZone {
    type Err = UnknownTimeZone;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        name.parse().map(Self).map_err(|_| UnknownTimeZone)
    }
}

impl Serialize for TimeZone {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for TimeZone {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        name.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for TimeZone {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TimeZone".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "time-zone" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        name.parse().unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn an_instant_reads_as_the_clocks_of_its_venue_show_it() {
        let show = at("2026-06-06T18:30:00Z");
        for (name, words, local) in [
            (
                "Europe/Paris",
                "Sat 6 Jun 2026, 20:30 Europe/Paris",
                "2026-06-06T20:30:00+02:00",
            ),
            (
                "America/New_York",
                "Sat 6 Jun 2026, 14:30 America/New_York",
                "2026-06-06T14:30:00-04:00",
            ),
            // Another day, and a quarter of an hour.
            (
                "Asia/Kathmandu",
                "Sun 7 Jun 2026, 00:15 Asia/Kathmandu",
                "2026-06-07T00:15:00+05:45",
            ),
            (
                "Etc/UTC",
                "Sat 6 Jun 2026, 18:30 UTC",
                "2026-06-06T18:30:00Z",
            ),
        ] {
            assert_eq!(zone(name).minute(show), words);
            let json = serde_json::to_string(&zone(name).local(show)).unwrap();
            assert_eq!(json, format!("\"{local}\""));
        }
    }

    #[test]
    fn an_hour_that_exists_twice_is_told_apart_and_one_that_never_was_is_never_shown() {
        let paris = zone("Europe/Paris");
        for (instant, words, local) in [
            (
                "2026-10-24T23:59:00Z",
                "Sun 25 Oct 2026, 01:59 Europe/Paris",
                "2026-10-25T01:59:00+02:00",
            ),
            (
                "2026-10-25T00:30:00Z",
                "Sun 25 Oct 2026, 02:30 +02:00 Europe/Paris",
                "2026-10-25T02:30:00+02:00",
            ),
            (
                "2026-10-25T01:30:00Z",
                "Sun 25 Oct 2026, 02:30 +01:00 Europe/Paris",
                "2026-10-25T02:30:00+01:00",
            ),
            (
                "2026-10-25T02:00:00Z",
                "Sun 25 Oct 2026, 03:00 Europe/Paris",
                "2026-10-25T03:00:00+01:00",
            ),
            (
                "2026-03-29T00:59:00Z",
                "Sun 29 Mar 2026, 01:59 Europe/Paris",
                "2026-03-29T01:59:00+01:00",
            ),
            (
                "2026-03-29T01:00:00Z",
                "Sun 29 Mar 2026, 03:00 Europe/Paris",
                "2026-03-29T03:00:00+02:00",
            ),
        ] {
            let instant = at(instant);
            assert_eq!(paris.minute(instant), words);
            assert_eq!(paris.local(instant), at_offset(local));
            assert_eq!(paris.local(instant).to_rfc3339(), local);
            assert_eq!(paris.local(instant).to_utc(), instant);
        }
    }

    fn at_offset(text: &str) -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339(text).unwrap()
    }

    #[test]
    fn a_zone_is_written_and_read_by_its_name_and_by_no_other() {
        let json = serde_json::to_string(&zone("Europe/Paris")).unwrap();
        assert_eq!(json, "\"Europe/Paris\"");
        let read: TimeZone = serde_json::from_str(&json).unwrap();
        assert_eq!(read, zone("Europe/Paris"));
        for none in [
            "europe/paris",
            "Paris",
            "CEST",
            "+02:00",
            "",
            "Mars/Olympus",
        ] {
            assert_eq!(none.parse::<TimeZone>(), Err(UnknownTimeZone), "{none}");
            assert!(serde_json::from_value::<TimeZone>(none.into()).is_err());
        }
        assert_eq!(TimeZone::or_utc(Some("Asia/Tokyo")), zone("Asia/Tokyo"));
        assert_eq!(TimeZone::or_utc(Some("Mars/Olympus")), TimeZone::UTC);
        assert_eq!(TimeZone::or_utc(None), TimeZone::UTC);
    }

    /// They stand on lines of mails and screens.
    #[test]
    fn no_name_is_long_or_odd() {
        let is_plain = |char: char| char.is_ascii_alphanumeric() || "/_+-".contains(char);
        for zone in chrono_tz::TZ_VARIANTS {
            let name = zone.name();
            assert!(name.len() <= 64, "{name}");
            assert!(name.chars().all(is_plain), "{name}");
        }
    }
}
