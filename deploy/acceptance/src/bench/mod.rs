//! `make bench`: the budgets of the design, each beside the limit that was measured in the same run.
//!
//! | file | what |
//! |---|---|
//! | `rows/` | a file for each row: the requests, their number, the budget |
//! | `site` | what all rows share: servers, a venue with its tickets, a node, a scanner |
//! | `seed` | more tickets than customers could buy in the time of a run |
//! | `attacker` | a node that sends all that it can |
//! | `load`, `wire` | open and closed loops of requests over open connections |
//! | `pgbench`, `machine` | the limits of the machine, and its description |
//! | `budget`, `report` | the comparison with the budget; the table and `bench.json` |
//!
//! A missed budget does not fail the run; a wrong response does. The load runs on the same processors as
//! everything else, so requests are made and signed before the measurement.

mod attacker;
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

/// Measures these rows; the programs' logs are in the claimed folder.
///
/// # Errors
/// Something does not start, or a response is wrong.
pub async fn run(rows: &[Row], claim: Claim, report: &mut Report) -> Result<()> {
    let tickets = rows.iter().map(|row| row.tickets()).max();
    let site = Site::prepare(claim, tickets.unwrap_or_default());
    let mut site = site.await.context("preparing the site")?;
    for row in Row::ALL.into_iter().filter(|row| rows.contains(row)) {
        let measured = row.measure(&mut site).await;
        for measurement in measured.with_context(|| format!("measuring {}", row.name()))? {
            report.add(row.name(), measurement);
        }
    }
    site.stop().await
}
