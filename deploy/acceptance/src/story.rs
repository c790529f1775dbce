//! What the demo prints and leaves behind: each check with what was expected and what was seen.

use std::{fmt::Display, time::Duration};

use serde::Serialize;

/// One check of the story, as in `story.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// The scene that it belongs to.
    pub step: String,
    /// The part of the scene, if it has parts.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub part: String,
    /// What is checked, in words.
    pub what: String,
    /// What must be.
    pub expected: String,
    /// What was.
    pub observed: String,
    /// How long the act took, from outside.
    pub milliseconds: Option<f64>,
    /// Whether they agree.
    pub passed: bool,
}

/// The story so far. Prints as it goes, if it has somebody to print for.
#[derive(Debug, Default)]
pub struct Story {
    step: String,
    part: String,
    checks: Vec<Check>,
    figures: Vec<Figure>,
    print: bool,
}

/// A measured figure that nothing is expected of, as in `story.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// The scene that it belongs to.
    pub step: String,
    /// What was measured.
    pub what: String,
    /// The value with its unit.
    pub value: String,
}

/// The form of `story.json`.
#[derive(Debug, Serialize)]
struct Written<'a> {
    checks: &'a [Check],
    figures: &'a [Figure],
    passed: usize,
    failed: usize,
}

impl Story {
    /// A story that is told to standard output.
    #[must_use]
    pub fn told() -> Self {
        Self {
            print: true,
            ..Self::default()
        }
    }

    /// Begins a scene.
    pub fn step(&mut self, title: &str) {
        title.clone_into(&mut self.step);
        self.part.clear();
        self.line(&format!("\n{title}"));
    }

    /// Tells what a newcomer has to know.
    pub fn note(&self, text: &str) {
        self.line(&format!("     {text}"));
    }

    /// Begins a part of the scene.
    pub fn part(&mut self, title: &str) {
        title.clone_into(&mut self.part);
        self.line(&format!("   · {title}"));
    }

    /// Compares what was seen with what must be.
    pub fn expect(&mut self, what: &str, expected: impl Display, observed: impl Display) -> bool {
        self.expect_taking(what, expected, observed, None)
    }

    /// The same, with how long the act took.
    pub fn expect_in(
        &mut self,
        what: &str,
        expected: impl Display,
        observed: impl Display,
        took: Duration,
    ) -> bool {
        self.expect_taking(what, expected, observed, Some(took))
    }

    fn expect_taking(
        &mut self,
        what: &str,
        expected: impl Display,
        observed: impl Display,
        took: Option<Duration>,
    ) -> bool {
        let (expected, observed) = (expected.to_string(), observed.to_string());
        let passed = expected == observed;
        self.record(what, expected, (observed, passed), took)
    }

    /// A fact that either holds or not; `observed` is what was seen.
    pub fn holds(&mut self, what: &str, holds: bool, observed: impl Display) -> bool {
        let expected = "that this holds".to_owned();
        self.record(what, expected, (observed.to_string(), holds), None)
    }

    /// A figure worth knowing.
    pub fn figure(&mut self, what: &str, value: impl Display) {
        let value = value.to_string();
        self.line(&format!("     {what}: {value}"));
        self.figures.push(Figure {
            step: self.step.clone(),
            what: what.to_owned(),
            value,
        });
    }

    /// Number of checks that agree, and that don't.
    #[must_use]
    pub fn tally(&self) -> (usize, usize) {
        let passed = self.checks.iter().filter(|check| check.passed).count();
        (passed, self.checks.len() - passed)
    }

    /// The checks that don't agree, one a line.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let wrong = |check: &Check| {
            let Check {
                step,
                part,
                what,
                expected,
                observed,
                ..
            } = check;
            format!("{step}: {part}: {what}: expected {expected}, observed {observed}")
        };
        self.checks
            .iter()
            .filter(|check| !check.passed)
            .map(wrong)
            .collect()
    }

    /// `story.json`.
    ///
    /// # Errors
    /// When serialisation fails.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let (passed, failed) = self.tally();
        let written = Written {
            checks: &self.checks,
            figures: &self.figures,
            passed,
            failed,
        };
        serde_json::to_vec_pretty(&written)
    }

    fn record(
        &mut self,
        what: &str,
        expected: String,
        (observed, passed): (String, bool),
        took: Option<Duration>,
    ) -> bool {
        let mark = if passed { "ok  " } else { "FAIL" };
        let time = took.map(|took| format!(" ({:.1} ms)", took.as_secs_f64() * 1e3));
        let time = time.unwrap_or_default();
        if passed {
            self.line(&format!("{mark} {what}: {observed}{time}"));
        } else {
            self.line(&format!(
                "{mark} {what}: expected {expected}, observed {observed}{time}"
            ));
        }
        self.checks.push(Check {
            step: self.step.clone(),
            part: self.part.clone(),
            what: what.to_owned(),
            expected,
            observed,
            milliseconds: took.map(|took| took.as_secs_f64() * 1e3),
            passed,
        });
        passed
    }

    #[expect(
        clippy::print_stdout,
        reason = "telling the story is what the demo is for"
    )]
    fn line(&self, text: &str) {
        if self.print {
            println!("{text}");
        }
    }
}

/// The value at a fraction of sorted durations, in milliseconds: `0.5` is the median.
#[must_use]
pub fn percentile(mut samples: Vec<Duration>, fraction: f64) -> f64 {
    samples.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a few thousand samples"
    )]
    let index = ((samples.len() as f64 * fraction).ceil() as usize).saturating_sub(1);
    samples
        .get(index)
        .map_or(f64::NAN, |sample| sample.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_says_what_was_expected_and_what_was_seen() {
        let mut story = Story::default();
        assert!(story.holds("the countdown runs", true, "7 ms left"));
        assert!(!story.holds("the countdown runs", false, "0 ms left"));
        assert!(story.expect("mode", "Online", "Online"));
        assert!(!story.expect("mode", "Online", "Locked"));
        let written = story.to_json().expect("it is plain data");
        let written: serde_json::Value = serde_json::from_slice(&written).expect("it is JSON");
        let seen = |check: usize| {
            let check = &written["checks"][check];
            let text = |member: &str| check[member].as_str().expect("a text").to_owned();
            (text("expected"), text("observed"), check["passed"] == true)
        };
        let check = |expected: &str, observed: &str, passed| {
            (expected.to_owned(), observed.to_owned(), passed)
        };
        assert_eq!(seen(0), check("that this holds", "7 ms left", true));
        assert_eq!(seen(1), check("that this holds", "0 ms left", false));
        assert_eq!(seen(2), check("Online", "Online", true));
        assert_eq!(seen(3), check("Online", "Locked", false));
        assert_eq!(story.tally(), (2, 2));
    }
}
