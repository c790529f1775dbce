//! How a venue wants its nodes to behave: what may be set, and what becomes of it.

use std::fmt::Display;

use eventify_protocol::sync::{
    DEFAULT_ACTS_PER_HOUR, MAX_ACTS_PER_HOUR, MAX_PROCEDURE_LINE_CHARS, MAX_PROCEDURE_LINES,
    PolicyEntry,
};
use eventify_protocol::text;
use eventify_protocol::time::MAX_CACHE_AGE;
use schemars::JsonSchema;
use serde::Deserialize;

const MOST_ACTS: i32 = MAX_ACTS_PER_HOUR.cast_signed();

/// The policy in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) max_cache_age_ms: i32,
    /// Somebody has to be signed in at a scanner before it scans.
    pub(crate) shift_needed: bool,
    /// Guests can be looked for at the gates.
    pub(crate) search: bool,
    /// What staff do while nobody decides, a step a line.
    pub(crate) procedure: Vec<String>,
    /// Acts that need a reason of one person at one node within an hour; none is the default.
    pub(crate) acts_per_hour: Option<i32>,
}

/// What somebody sets. What is left out stays as it is: a client that knows less switches nothing off.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PolicyEdit {
    /// Highest age at which a cache may decide; 0 switches degraded check-in off.
    max_cache_age_ms: Option<u32>,
    shift_needed: Option<bool>,
    search: Option<bool>,
    procedure: Option<Vec<String>>,
    acts_per_hour: Option<u32>,
}

impl PolicyEdit {
    /// The policy from now on.
    ///
    /// # Errors
    /// The field and what it may hold.
    pub(crate) fn check(self, before: &Policy) -> Result<Policy, (&'static str, String)> {
        let limit = i32::try_from(MAX_CACHE_AGE.as_millis()).unwrap_or(i32::MAX);
        let age = at_most("maxCacheAgeMs", self.max_cache_age_ms, limit)?;
        let acts = at_most("actsPerHour", self.acts_per_hour, MOST_ACTS)?;
        let procedure = self.procedure.as_deref().map(clean_procedure).transpose();
        Ok(Policy {
            max_cache_age_ms: age.unwrap_or(before.max_cache_age_ms),
            shift_needed: self.shift_needed.unwrap_or(before.shift_needed),
            search: self.search.unwrap_or(before.search),
            procedure: procedure?.unwrap_or_else(|| before.procedure.clone()),
            acts_per_hour: acts.or(before.acts_per_hour),
        })
    }
}

impl Policy {
    /// Acts that need a reason of one person at one node within an hour.
    pub(crate) fn acts_per_hour(&self) -> u32 {
        let set = self.acts_per_hour.and_then(|acts| u32::try_from(acts).ok());
        set.unwrap_or(DEFAULT_ACTS_PER_HOUR)
    }

    /// Its value in the venue's feed.
    pub(crate) fn entry(&self) -> PolicyEntry {
        let procedure = (!self.procedure.is_empty()).then(|| self.procedure.clone());
        PolicyEntry {
            max_cache_age_ms: u32::try_from(self.max_cache_age_ms).unwrap_or_default(),
            shift_needed: self.shift_needed.then_some(true),
            search: self.search.then_some(true),
            procedure,
            acts_per_hour: self.acts_per_hour.and_then(|acts| u32::try_from(acts).ok()),
        }
    }
}

fn at_most<N: TryInto<i32> + Display + Copy>(
    field: &'static str,
    given: Option<N>,
    most: i32,
) -> Result<Option<i32>, (&'static str, String)> {
    let Some(given) = given else {
        return Ok(None);
    };
    let number = given.try_into().ok().filter(|number| *number <= most);
    let wrong = || (field, format!("must be at most {most}; given: {given}"));
    number.map(Some).ok_or_else(wrong)
}

/// Without lines that say nothing.
fn clean_procedure(lines: &[String]) -> Result<Vec<String>, (&'static str, String)> {
    let read = (1..).zip(lines).map(|(number, line)| {
        // It is no name: what holds a telephone number together stays.
        let as_written = |shown: String| match shown.is_empty() {
            true => shown,
            false => line.trim().to_owned(),
        };
        text::line(line, 0..=MAX_PROCEDURE_LINE_CHARS)
            .map(as_written)
            .map_err(|unfit| ("procedure", format!("line {number} {unfit}")))
    });
    let mut lines = read.collect::<Result<Vec<_>, _>>()?;
    lines.retain(|line| !line.is_empty());
    let given = lines.len();
    if given > MAX_PROCEDURE_LINES {
        let issue = format!("must be at most {MAX_PROCEDURE_LINES} lines; given: {given}");
        return Err(("procedure", issue));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn before() -> Policy {
        Policy {
            max_cache_age_ms: 1,
            shift_needed: true,
            search: true,
            procedure: vec!["Call the manager".to_owned()],
            acts_per_hour: None,
        }
    }

    fn edited(edit: Value) -> Result<Policy, (&'static str, String)> {
        serde_json::from_value::<PolicyEdit>(edit)
            .unwrap()
            .check(&before())
    }

    #[test]
    fn what_is_left_out_stays_as_it_is() {
        let policy = edited(json!({ "maxCacheAgeMs": 300_000 })).unwrap();
        let expected = Policy {
            max_cache_age_ms: 300_000,
            ..before()
        };
        assert_eq!(policy, expected);
        assert_eq!(edited(json!({})).unwrap(), before());
        for bad in [300_001, u32::MAX] {
            let refused = edited(json!({ "maxCacheAgeMs": bad })).unwrap_err();
            let issue = format!("must be at most 300000; given: {bad}");
            assert_eq!(refused, ("maxCacheAgeMs", issue));
        }
        let off =
            json!({ "maxCacheAgeMs": 0, "shiftNeeded": false, "search": false, "procedure": [] });
        assert_eq!(
            edited(off).unwrap().entry(),
            PolicyEntry::default(),
            "a policy that says nothing is a row of the form before"
        );
    }

    #[test]
    fn a_person_does_so_many_acts_an_hour_and_no_venue_allows_more_than_the_protocol() {
        let of = |acts: u32| edited(json!({ "maxCacheAgeMs": 0, "actsPerHour": acts }));
        assert_eq!(of(200).unwrap().entry().acts_per_hour, Some(200));
        assert_eq!(of(0).unwrap().entry().acts_per_hour, Some(0), "none at all");
        for bad in [201, u32::MAX] {
            assert_eq!(of(bad).unwrap_err().0, "actsPerHour");
        }
    }

    #[test]
    fn a_procedure_is_short_enough_to_be_read_at_a_gate() {
        let of = |lines: &[&str]| {
            edited(json!({ "maxCacheAgeMs": 0, "procedure": lines })).map(|it| it.procedure)
        };
        let cleaned = of(&["  Keep the queue ", "", "Call 12\u{a0}34"]).unwrap();
        assert_eq!(cleaned, ["Keep the queue", "Call 12\u{a0}34"]);
        let longest = "é".repeat(MAX_PROCEDURE_LINE_CHARS);
        assert_eq!(
            of(&[longest.as_str(); MAX_PROCEDURE_LINES]).unwrap().len(),
            6
        );
        for (bad, why) in [
            (
                vec!["step"; MAX_PROCEDURE_LINES + 1],
                "at most 6 lines; given: 7",
            ),
            (
                vec![&*format!("{longest}.")],
                "line 1 must be at most 80 characters",
            ),
            (vec!["one", "one\u{7}two"], "line 2 must not have U+0007"),
        ] {
            let (field, issue) = of(&bad).unwrap_err();
            assert_eq!(field, "procedure");
            assert!(issue.contains(why), "{issue}");
        }
    }
}
