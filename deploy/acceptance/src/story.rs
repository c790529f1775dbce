//! The demo's report: each check with what was expected and what was observed.

use std::{fmt::Display, time::Duration};

use serde::Serialize;

/// One check of the story, as in `story.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Its scene.
    pub step: String,
    /// Its part of the scene, if the scene has parts.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub part: String,
    /// What is checked.
    pub what: String,
    pub expected: String,
    pub observed: String,
    /// How long the checked action took.
    pub milliseconds: Option<f64>,
    pub passed: bool,
}

/// The checks so far.
#[derive(Debug, Default)]
pub struct Story {
    step: String,
    part: String,
    checks: Vec<Check>,
    figures: Vec<Figure>,
    print: bool,
}

/// A measured value without an expectation, as in `story.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Its scene.
    pub step: String,
    /// What was measured.
    pub what: String,
    /// With its unit.
    pub value: String,
}

/// The content of `story.json`.
#[derive(Debug, Serialize)]
struct Written<'a> {
    checks: &'a [Check],
    figures: &'a [Figure],
    passed: usize,
    failed: usize,
}

impl Story {
    /// A story that prints each check as it comes.
    #[must_use]
    pub fn printed() -> Self {
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

    /// Prints an explanation.
    pub fn note(&self, text: &str) {
        self.line(&format!("     {text}"));
    }

    /// Begins a part of the scene.
    pub fn part(&mut self, title: &str) {
        title.clone_into(&mut self.part);
        self.line(&format!("   · {title}"));
    }

    /// Records whether a value is as expected.
    pub fn expect(&mut self, what: &str, expected: impl Display, observed: impl Display) -> bool {
        self.expect_taking(what, expected, observed, None)
    }

    /// Records whether a value is as expected, and how long the action took.
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

    /// Records whether a condition holds; `observed` is for the reader.
    pub fn holds(&mut self, what: &str, holds: bool, observed: impl Display) -> bool {
        let expected = "that this holds".to_owned();
        self.record(what, expected, (observed.to_string(), holds), None)
    }

    /// Records a measured value.
    pub fn figure(&mut self, what: &str, value: impl Display) {
        let value = value.to_string();
        self.line(&format!("     {what}: {value}"));
        self.figures.push(Figure {
            step: self.step.clone(),
            what: what.to_owned(),
            value,
        });
    }

    /// Numbers of passed and of failed checks.
    #[must_use]
    pub fn tally(&self) -> (usize, usize) {
        let passed = self.checks.iter().filter(|check| check.passed).count();
        (passed, self.checks.len() - passed)
    }

    /// The failed checks, one on each line.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let failure = |check: &Check| {
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
            .map(failure)
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
        reason = "printing the checks is the demo's purpose"
    )]
    fn line(&self, text: &str) {
        if self.print {
            println!("{text}");
        }
    }
}

/// The value at a fraction of the durations, in milliseconds: `0.5` is the median.
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
    fn a_check_has_the_expected_and_the_observed_value() {
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
