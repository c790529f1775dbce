//! The table for people, and `bench.json`.

use serde::Serialize;

use super::budget::{Budget, Measurement};
use super::machine::Machine;

/// All measurements of a run, and the machine.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    machine: Machine,
    lines: Vec<Written>,
    not_measured: Vec<(String, String)>,
    seconds: Option<f64>,
    #[serde(skip)]
    printed: bool,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    row: String,
    #[serde(flatten)]
    measurement: Measurement,
    bound: f64,
    ratio: f64,
    meets: bool,
}

/// Columns: what, budget, measured, limit, ratio, verdict.
const WIDTHS: [usize; 6] = [52, 18, 12, 30, 8, 6];

impl Report {
    /// A report that prints each measurement as it comes.
    #[must_use]
    pub fn printed(machine: Machine) -> Self {
        let report = Self {
            machine,
            lines: Vec::new(),
            not_measured: Vec::new(),
            seconds: None,
            printed: true,
        };
        report.print(&report.machine.description());
        report.print("the load runs on the same processors as everything else\n");
        report.print(&row([
            "what",
            "budget",
            "measured",
            "limit, same run",
            "ratio",
            "",
        ]));
        report
    }

    pub fn add(&mut self, row: &str, measurement: Measurement) {
        self.print(&table_row(&measurement));
        if !measurement.note.is_empty() {
            self.print(&format!("    {}", measurement.note));
        }
        self.lines.push(Written {
            row: row.to_owned(),
            bound: measurement.budget.bound(),
            ratio: measurement.ratio(),
            meets: measurement.is_met(),
            measurement,
        });
    }

    /// Records a row that was not measured.
    pub fn leave_out(&mut self, what: &str, why: &str) {
        self.print(&format!("{what}: not measured, {why}"));
        self.not_measured.push((what.to_owned(), why.to_owned()));
    }

    /// Ends the report; returns its last line.
    pub fn end(&mut self, seconds: f64) -> String {
        self.seconds = Some(seconds);
        let met = self.lines.iter().filter(|line| line.meets).count();
        let missed = self.lines.len() - met;
        let line = format!("bench: {met} budgets met, {missed} missed, in {seconds:.0} s");
        self.print(&format!("\n{line}"));
        line
    }

    /// `bench.json`.
    ///
    /// # Errors
    /// When serialisation fails.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
    }

    #[expect(
        clippy::print_stdout,
        reason = "printing the table is the bench's purpose"
    )]
    fn print(&self, text: &str) {
        if self.printed {
            println!("{text}");
        }
    }
}

fn table_row(measurement: &Measurement) -> String {
    let write = |value| measurement.unit.write(value);
    let (budget, limit) = match &measurement.budget {
        Budget::AtMost { bound } => (format!("≤ {}", write(*bound)), String::new()),
        Budget::AtLeast { bound } => (format!("≥ {}", write(*bound)), String::new()),
        Budget::Share { share, of } => (
            format!("≥ {:.0} % of limit", share * 100.0),
            format!("{} {}", of.what, write(of.value)),
        ),
    };
    row([
        &measurement.what,
        &budget,
        &write(measurement.measured),
        &limit,
        &format!("{:.2}", measurement.ratio()),
        if measurement.is_met() {
            "meets"
        } else {
            "misses"
        },
    ])
}

fn row(cells: [&str; 6]) -> String {
    let padded = cells
        .iter()
        .zip(WIDTHS)
        .map(|(cell, width)| format!("{cell:<width$}"));
    let joined: Vec<_> = padded.collect();
    joined.join(" ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::budget::{Peer, Unit};
    use super::*;

    fn share(measured: f64) -> Measurement {
        Measurement {
            what: "degraded scan, durable".to_owned(),
            budget: Budget::Share {
                share: 0.6,
                of: Peer {
                    what: "verify_strict".to_owned(),
                    value: 20_000.0,
                },
            },
            measured,
            unit: Unit::PerSecond,
            note: "closed loop".to_owned(),
        }
    }

    fn words(text: &str) -> Vec<&str> {
        text.split_whitespace().collect()
    }

    #[test]
    fn a_row_has_budget_value_limit_ratio_and_result() {
        let missed = table_row(&share(6_000.0));
        let expected = "degraded scan, durable ≥ 60 % of limit 6000/s verify_strict 20000/s 0.50 \
                        misses";
        assert_eq!(words(&missed), words(expected));
        let latency = Measurement {
            what: "p99 at 1,000/s".to_owned(),
            budget: Budget::AtMost { bound: 10.0 },
            measured: 2.5,
            unit: Unit::Milliseconds,
            note: String::new(),
        };
        let expected = "p99 at 1,000/s ≤ 10.0 ms 2.5 ms 0.25 meets";
        assert_eq!(words(&table_row(&latency)), words(expected));
    }

    #[test]
    fn the_json_has_machine_measurements_and_results() {
        let mut report = Report {
            printed: false,
            ..Report::printed(Machine::unknown())
        };
        report.add("degraded", share(6_000.0));
        report.add("degraded", share(13_000.0));
        report.leave_out("one hot performance on sale", "later");
        let end = report.end(61.4);
        assert_eq!(end, "bench: 1 budgets met, 1 missed, in 61 s");
        let json: serde_json::Value = serde_json::from_slice(&report.to_json().unwrap()).unwrap();
        assert_eq!(json["machine"]["cores"], 0);
        assert_eq!(json["lines"][0]["row"], "degraded");
        assert_eq!(json["lines"][0]["meets"], false);
        assert_eq!(json["lines"][0]["ratio"], 0.5);
        assert_eq!(json["lines"][0]["budget"]["of"]["value"], 20_000.0);
        assert_eq!(json["lines"][1]["meets"], true);
        assert_eq!(json["notMeasured"][0][0], "one hot performance on sale");
    }
}
