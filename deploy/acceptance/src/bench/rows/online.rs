//! Online scans: LAN request → edge → broker → core → verdict.

use anyhow::Result;

use super::scans::{ScanResult, of_good_ticket};
use crate::bench::{
    budget::{Budget, Measurement, Unit},
    load::{Pace, drive},
    site::Site,
};

const MAX_P95_MS: f64 = 10.0;
const PER_SECOND: u32 = 200;
const PACED: usize = 2_000;
const MIN_RATE: f64 = 1_000.0;
/// Offered load: a little more than the budget, so that meeting it can be seen.
const MANY_PER_SECOND: u32 = 1_100;
const MANY: usize = 8_000;
const SCANNERS: usize = 64;

pub(super) async fn measure(site: &mut Site) -> Result<Vec<Measurement>> {
    let mut connections = site.node.connections(SCANNERS).await?;
    let tickets = site.fresh(PACED)?;
    let scans = site.node.scans(&tickets).await?;
    let pace = Pace::PerSecond(PER_SECOND);
    let paced = drive(&mut connections, scans, pace, of_good_ticket).await?;
    site.settle().await?;

    let tickets = site.fresh(MANY)?;
    let scans = site.node.scans(&tickets).await?;
    let pace = Pace::PerSecond(MANY_PER_SECOND);
    let many = drive(&mut connections, scans, pace, of_good_ticket).await?;
    site.settle().await?;
    Ok(vec![
        Measurement {
            what: format!("online scan at {PER_SECOND}/s, p95"),
            budget: Budget::AtMost { bound: MAX_P95_MS },
            measured: paced.latency_ms(0.95),
            unit: Unit::Milliseconds,
            note: format!("open loop: {}; {}", paced.spread(), tally(&paced.answers)),
        },
        Measurement {
            what: "online scans, decided by the core".into(),
            budget: Budget::AtLeast { bound: MIN_RATE },
            measured: many.rate(|seen| *seen == ScanResult::ByCore),
            unit: Unit::PerSecond,
            note: format!(
                "open loop at {MANY_PER_SECOND}/s: {}; {}",
                many.spread(),
                tally(&many.answers)
            ),
        },
    ])
}

fn tally(answers: &[ScanResult]) -> String {
    let count = |wanted| answers.iter().filter(|seen| **seen == wanted).count();
    format!(
        "{} by the core, {} by the edge, {} not decided",
        count(ScanResult::ByCore),
        count(ScanResult::ByEdge),
        count(ScanResult::NotYet)
    )
}
