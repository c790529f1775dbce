//! How a venue wants its nodes to behave: what may be set, and what becomes of it.

use eventify_protocol::sync::{MAX_PROCEDURE_LINE_CHARS, MAX_PROCEDURE_LINES, PolicyEntry};
use eventify_protocol::time::MAX_CACHE_AGE;
use serde::Deserialize;

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
}

/// What somebody sets. What is left out stays as it is: a client that knows less switches nothing off.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PolicyEdit {
    /// Highest age at which a cache may decide; 0 switches degraded check-in off.
    max_cache_age_ms: u32,
    shift_needed: Option<bool>,
    search: Option<bool>,
    procedure: Option<Vec<String>>,
}

impl PolicyEdit {
    /// The policy from now on.
    ///
    /// # Errors
    /// The field and what it may hold.
    pub(crate) fn check(self, before: &Policy) -> Result<Policy, (&'static str, String)> {
        let limit = u32::try_from(MAX_CACHE_AGE.as_millis()).unwrap_or(u32::MAX);
        if self.max_cache_age_ms > limit {
            return Err(("maxCacheAgeMs", format!("at most {limit}")));
        }
        let procedure = self.procedure.as_deref().map(clean_procedure).transpose();
        Ok(Policy {
            max_cache_age_ms: i32::try_from(self.max_cache_age_ms).unwrap_or(i32::MAX),
            shift_needed: self.shift_needed.unwrap_or(before.shift_needed),
            search: self.search.unwrap_or(before.search),
            procedure: procedure?.unwrap_or_else(|| before.procedure.clone()),
        })
    }
}

impl Policy {
    /// Its value in the venue's feed.
    pub(crate) fn entry(&self) -> PolicyEntry {
        let procedure = (!self.procedure.is_empty()).then(|| self.procedure.clone());
        PolicyEntry {
            max_cache_age_ms: u32::try_from(self.max_cache_age_ms).unwrap_or_default(),
            shift_needed: self.shift_needed.then_some(true),
            search: self.search.then_some(true),
            procedure,
        }
    }
}

/// Without lines that say nothing.
fn clean_procedure(lines: &[String]) -> Result<Vec<String>, (&'static str, String)> {
    let lines: Vec<_> = lines
        .iter()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    let fits = |line: &String| {
        line.chars().count() <= MAX_PROCEDURE_LINE_CHARS && !line.chars().any(char::is_control)
    };
    if lines.len() <= MAX_PROCEDURE_LINES && lines.iter().all(fits) {
        return Ok(lines);
    }
    let issue = format!(
        "at most {MAX_PROCEDURE_LINES} lines of at most {MAX_PROCEDURE_LINE_CHARS} characters"
    );
    Err(("procedure", issue))
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
        let off =
            json!({ "maxCacheAgeMs": 0, "shiftNeeded": false, "search": false, "procedure": [] });
        assert_eq!(
            edited(off).unwrap().entry(),
            PolicyEntry::default(),
            "a policy that says nothing is a row of the form before"
        );
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
        for bad in [
            vec!["step"; MAX_PROCEDURE_LINES + 1],
            vec![&*format!("{longest}.")],
            vec!["one\u{7}two"],
        ] {
            let (field, issue) = of(&bad).unwrap_err();
            assert_eq!(field, "procedure");
            assert!(issue.contains("6 lines of at most 80"), "{issue}");
        }
    }
}
