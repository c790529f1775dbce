//! A budget, a measurement, and whether it meets the budget.

use serde::Serialize;

/// The unit of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Unit {
    /// Events in a second.
    PerSecond,
    Milliseconds,
    Seconds,
    Bytes,
    Mebibytes,
    /// A ratio.
    Times,
    Number,
}

/// A limit of the machine, measured in the same run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// What was measured.
    pub what: String,
    /// In the unit of the measurement.
    pub value: f64,
}

/// The budget of a measurement.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Budget {
    AtMost {
        /// In the unit of the measurement.
        bound: f64,
    },
    AtLeast {
        /// In the unit of the measurement.
        bound: f64,
    },
    /// At least this share of a limit of the machine.
    Share {
        /// From 0 to 1.
        share: f64,
        of: Peer,
    },
}

impl Budget {
    /// The bound in the unit of the measurement.
    #[must_use]
    pub fn bound(&self) -> f64 {
        match self {
            Self::AtMost { bound } | Self::AtLeast { bound } => *bound,
            Self::Share { share, of } => share * of.value,
        }
    }

    /// Whether a value meets it; `NaN` does not.
    #[must_use]
    pub fn is_met_by(&self, measured: f64) -> bool {
        match self {
            Self::AtMost { bound } => measured <= *bound,
            Self::AtLeast { .. } | Self::Share { .. } => measured >= self.bound(),
        }
    }
}

/// A measured value with its budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measurement {
    /// What was measured.
    pub what: String,
    pub budget: Budget,
    pub measured: f64,
    /// Of the value and its budget.
    pub unit: Unit,
    /// How it was measured, and other values of the run.
    pub note: String,
}

impl Measurement {
    /// The value as a multiple of its bound.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.measured / self.budget.bound()
    }

    /// Whether the budget is met.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.budget.is_met_by(self.measured)
    }
}

impl Unit {
    /// A value with its unit, for people.
    #[must_use]
    pub fn write(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Milliseconds => format!("{value:.1} ms"),
            Self::Seconds => format!("{value:.2} s"),
            Self::Bytes => format!("{value:.1} B"),
            Self::Mebibytes => format!("{value:.1} MiB"),
            Self::Times => format!("{value:.2} ×"),
            Self::Number => format!("{value:.0}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(budget: Budget, measured: f64) -> Measurement {
        Measurement {
            what: "scans".to_owned(),
            budget,
            measured,
            unit: Unit::PerSecond,
            note: String::new(),
        }
    }

    #[test]
    fn the_bound_itself_meets_the_budget() {
        for (budget, inside, outside) in [
            (Budget::AtMost { bound: 10.0 }, 10.0, 10.01),
            (Budget::AtLeast { bound: 10.0 }, 10.0, 9.99),
        ] {
            assert!(measurement(budget.clone(), inside).is_met(), "{budget:?}");
            assert!(!measurement(budget.clone(), outside).is_met(), "{budget:?}");
            assert!(!measurement(budget, f64::NAN).is_met());
        }
    }

    #[test]
    fn a_share_is_of_the_machines_limit() {
        let of = Peer {
            what: "verify_strict".to_owned(),
            value: 20_000.0,
        };
        let budget = Budget::Share { share: 0.6, of };
        assert!((budget.bound() - 12_000.0).abs() < 1e-6);
        let missed = measurement(budget.clone(), 6_000.0);
        assert!(!missed.is_met());
        assert!((missed.ratio() - 0.5).abs() < 1e-9, "half of its budget");
        assert!(measurement(budget, 12_000.0).is_met());
    }
}
