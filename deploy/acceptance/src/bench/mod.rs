//! `make bench`: the budgets of the design, each beside the limit that was measured in the same run.
//!
//! | file | what |
//! |---|---|
//! | `rows/` | one row of the budgets a file: what is asked, for how long, what it is held against |
//! | `site` | what all rows share: servers, a venue with its tickets, a node, a scanner |
//! | `seed` | tickets in numbers that no customers could buy in the time |
//! | `load`, `wire` | open and closed loops of requests over kept connections |
//! | `pgbench`, `machine` | what the figures are held against, and where they were taken |
//! | `budget`, `report` | what a figure is worth; the table and `bench.json` |
//!
//! A missed budget is a finding, not an error: the run ends well. What fails a run is a wrong answer.
//! The load is made on the same processors as everything else, so the requests are made and signed
//! before the clock runs.

mod budget;
mod load;
mod machine;
mod pgbench;
mod report;
mod rows;
mod seed;
mod site;
mod wire;

use anyhow::{Context as _, Result};

use self::site::Site;
pub use self::{
    machine::Machine,
    report::Report,
    rows::{NOT_MEASURED, Row},
};
use crate::world::claim::Claim;

/// Measures these rows; the claimed folder keeps what the programs have logged.
///
/// # Errors
/// Something does not start, or gives a wrong answer.
pub async fn run(rows: &[Row], claim: Claim, report: &mut Report) -> Result<()> {
    let mut site = Site::prepare(claim).await.context("preparing the site")?;
    for row in Row::ALL.into_iter().filter(|row| rows.contains(row)) {
        let measured = row.measure(&mut site).await;
        for line in measured.with_context(|| format!("measuring {}", row.name()))? {
            report.add(row.name(), line);
        }
    }
    site.stop().await
}
