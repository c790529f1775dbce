//! A budget, what was measured, and whether it is kept.

use serde::Serialize;

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Unit {
    /// So many a second.
    PerSecond,
    /// A duration.
    Milliseconds,
    /// A longer one.
    Seconds,
    /// A size.
    Bytes,
    /// A larger one.
    Mebibytes,
    /// A pure number.
    Times,
}

/// The limit of a ratio, measured in the same run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// What was measured.
    pub what: String,
    /// In the unit of the line.
    pub value: f64,
}

/// What a figure is held against.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Budget {
    /// Not more than this.
    AtMost {
        /// In the unit of the line.
        bound: f64,
    },
    /// Not less than this.
    AtLeast {
        /// In the unit of the line.
        bound: f64,
    },
    /// Not less than a share of what the machine can do.
    Share {
        /// From 0 to 1.
        share: f64,
        /// What the machine can do.
        of: Peer,
    },
}

impl Budget {
    /// The bound in the unit of the line.
    #[must_use]
    pub fn bound(&self) -> f64 {
        match self {
            Self::AtMost { bound } | Self::AtLeast { bound } => *bound,
            Self::Share { share, of } => share * of.value,
        }
    }

    /// Whether a figure keeps it. What was never measured (`NaN`) does not.
    #[must_use]
    pub fn is_met_by(&self, measured: f64) -> bool {
        match self {
            Self::AtMost { bound } => measured <= *bound,
            Self::AtLeast { .. } | Self::Share { .. } => measured >= self.bound(),
        }
    }
}

/// One figure with its budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What was measured, in words.
    pub what: String,
    /// What it is held against.
    pub budget: Budget,
    /// The figure.
    pub measured: f64,
    /// Of all numbers of this line.
    pub unit: Unit,
    /// How it was measured, and what else was seen.
    pub note: String,
}

impl Line {
    /// The figure as a multiple of its budget.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.measured / self.budget.bound()
    }

    /// Whether the budget is kept.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.budget.is_met_by(self.measured)
    }
}

impl Unit {
    /// A number of this unit as people read it.
    #[must_use]
    pub fn write(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Milliseconds => format!("{value:.1} ms"),
            Self::Seconds => format!("{value:.2} s"),
            Self::Bytes => format!("{value:.1} B"),
            Self::Mebibytes => format!("{value:.1} MiB"),
            Self::Times => format!("{value:.2} ×"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(budget: Budget, measured: f64) -> Line {
        Line {
            what: "scans".to_owned(),
            budget,
            measured,
            unit: Unit::PerSecond,
            note: String::new(),
        }
    }

    #[test]
    fn a_bound_itself_is_still_kept() {
        for (budget, inside, outside) in [
            (Budget::AtMost { bound: 10.0 }, 10.0, 10.01),
            (Budget::AtLeast { bound: 10.0 }, 10.0, 9.99),
        ] {
            assert!(line(budget.clone(), inside).is_met(), "{budget:?}");
            assert!(!line(budget.clone(), outside).is_met(), "{budget:?}");
            assert!(!line(budget, f64::NAN).is_met());
        }
    }

    #[test]
    fn a_share_is_of_what_the_machine_can_do() {
        let of = Peer {
            what: "verify_strict".to_owned(),
            value: 20_000.0,
        };
        let budget = Budget::Share { share: 0.6, of };
        assert!((budget.bound() - 12_000.0).abs() < 1e-6);
        let missed = line(budget.clone(), 6_000.0);
        assert!(!missed.is_met());
        assert!((missed.ratio() - 0.5).abs() < 1e-9, "half of its budget");
        assert!(line(budget, 12_000.0).is_met());
    }
}
