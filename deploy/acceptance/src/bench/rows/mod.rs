//! The rows of the budgets, one in each file.

mod attack;
mod cache_size;
mod check_in;
mod degraded;
mod delivery;
mod first_sync;
mod memory;
mod online;
mod scans;
mod shop;
mod window;
mod window_memory;

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use super::{
    budget::Measurement,
    site::{FEW_TICKETS, Site, TICKETS},
};

/// A row: what to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Row {
    /// First sync of 100,000 tickets.
    FirstSync,
    /// Purchases: confirmation → tickets, ticket commit → applied at the edge.
    Delivery,
    /// `POST /orders` and `GET /catalog/**` at 200 a second.
    Shop,
    /// Online scans, from the LAN to the core and back.
    Online,
    /// `POST /tickets/{id}/check-in` beside pgbench.
    CheckIn,
    /// Degraded scans beside `verify_strict`.
    Degraded,
    /// Memory of a node with 100,000 tickets, and its first verdict after a start.
    Memory,
    /// From the trigger to the verdict on the glass of the scanner app's window, and from its start to ready.
    Window,
    /// What the scanner app's window keeps of 20,000 scans.
    WindowMemory,
    /// Online scans while a node of another venue floods the core.
    Attack,
    /// Scan latency from 1,000 to 1,000,000 cached tickets.
    CacheSize,
}

/// The longest time that a million tickets take to reach a node.
const LONG: Duration = Duration::from_secs(240);

/// What a run without `--row` does not measure, and why. Some has no row yet.
pub const NOT_MEASURED: [(Option<Row>, &str, &str); 4] = [
    (
        Some(Row::Attack),
        "online scans beside a node that floods the core",
        "it takes minutes; run `make bench ROW=attack`",
    ),
    (
        Some(Row::CacheSize),
        "scan latency from 1,000 to 1,000,000 tickets",
        "it takes minutes; run `make bench ROW=cache-size`",
    ),
    (
        Some(Row::WindowMemory),
        "memory of the scanner app over 20,000 scans",
        "it takes hours; run `make bench ROW=window-memory`",
    ),
    (
        None,
        "one hot performance on sale",
        "it needs a faster payment double",
    ),
];

impl Row {
    /// In the order of measurement.
    pub const ALL: [Self; 11] = [
        Self::FirstSync,
        Self::Delivery,
        Self::Shop,
        Self::Online,
        Self::CheckIn,
        Self::Degraded,
        Self::Memory,
        Self::Window,
        Self::WindowMemory,
        Self::Attack,
        Self::CacheSize,
    ];

    /// The rows of a run without `--row`, which takes ten minutes at most.
    pub const USUAL: [Self; 8] = [
        Self::FirstSync,
        Self::Delivery,
        Self::Shop,
        Self::Online,
        Self::CheckIn,
        Self::Degraded,
        Self::Memory,
        Self::Window,
    ];

    /// The rows to measure for these `--row` arguments.
    #[must_use]
    pub fn chosen(asked: &[Self]) -> &[Self] {
        if asked.is_empty() {
            &Self::USUAL
        } else {
            asked
        }
    }

    /// Its name on the command line and in `bench.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstSync => "first-sync",
            Self::Delivery => "delivery",
            Self::Shop => "shop",
            Self::Online => "online",
            Self::CheckIn => "check-in",
            Self::Degraded => "degraded",
            Self::Memory => "memory",
            Self::Window => "window",
            Self::WindowMemory => "window-memory",
            Self::Attack => "attack",
            Self::CacheSize => "cache-size",
        }
    }

    pub(super) async fn measure(self, site: &mut Site) -> Result<Vec<Measurement>> {
        match self {
            Self::FirstSync => Ok(first_sync::measure(site)),
            Self::Delivery => delivery::measure(site).await,
            Self::Shop => shop::measure(site).await,
            Self::Online => online::measure(site).await,
            Self::CheckIn => check_in::measure(site).await,
            Self::Degraded => degraded::measure(site).await,
            Self::Memory => memory::measure(site).await,
            Self::Window => window::measure(site).await,
            Self::WindowMemory => window_memory::measure(site).await,
            Self::Attack => attack::measure(site).await,
            Self::CacheSize => cache_size::measure(site).await,
        }
    }

    /// Tickets that its venue needs.
    pub(super) fn tickets(self) -> u32 {
        if self == Self::Attack {
            FEW_TICKETS
        } else {
            TICKETS
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_one_name() {
        for row in Row::value_variants() {
            let value = row.to_possible_value().unwrap();
            assert_eq!(value.get_name(), row.name());
            assert!(Row::ALL.contains(row), "{row:?} is never measured");
        }
    }

    #[test]
    fn a_row_is_usual_or_has_a_reason_why_not() {
        for row in Row::ALL {
            let usual = Row::USUAL.contains(&row);
            let left_out = NOT_MEASURED.iter().any(|(which, ..)| *which == Some(row));
            assert!(
                usual != left_out,
                "{row:?}: usual {usual}, left out {left_out}"
            );
        }
    }

    #[test]
    fn without_row_arguments_the_usual_rows_are_measured() {
        assert_eq!(Row::chosen(&[]), Row::USUAL);
        assert_eq!(Row::chosen(&[Row::CacheSize]), [Row::CacheSize]);
    }
}
