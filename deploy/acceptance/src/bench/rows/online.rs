//! Online scans: request on the LAN → edge → broker → core → verdict.

use std::time::Duration;

use anyhow::Result;

use super::scans::{Seen, of_good_ticket};
use crate::bench::{
    budget::{Budget, Line, Unit},
    load::{Pace, drive},
    site::Site,
};

const MAX_P95_MS: f64 = 10.0;
const PER_SECOND: u32 = 200;
const PACED: usize = 2_000;
const MIN_RATE: f64 = 1_000.0;
/// Scanners that are never idle.
const SCANNERS: usize = 64;
const UNPACED: usize = 12_000;
const UNPACED_LIMIT: Duration = Duration::from_secs(8);

pub(super) async fn measure(site: &mut Site) -> Result<Vec<Line>> {
    let mut connections = site.node.connections(SCANNERS).await?;
    let tickets = site.fresh(PACED)?;
    let scans = site.node.scans(&tickets).await?;
    let pace = Pace::PerSecond(PER_SECOND);
    let paced = drive(&mut connections, scans, pace, of_good_ticket).await?;
    site.settle().await?;

    let tickets = site.fresh(UNPACED)?;
    let scans = site.node.scans(&tickets).await?;
    let pace = Pace::AsAnswered(UNPACED_LIMIT);
    let unpaced = drive(&mut connections, scans, pace, of_good_ticket).await?;
    site.settle().await?;
    Ok(vec![
        Line {
            what: format!("online scan at {PER_SECOND}/s, p95"),
            budget: Budget::AtMost { bound: MAX_P95_MS },
            measured: paced.latency_ms(0.95),
            unit: Unit::Milliseconds,
            note: format!("open loop: {}; {}", paced.spread(), tally(&paced.answers)),
        },
        Line {
            what: "online scans, decided by the core".into(),
            budget: Budget::AtLeast { bound: MIN_RATE },
            measured: unpaced.rate(|seen| *seen == Seen::ByCore),
            unit: Unit::PerSecond,
            note: format!(
                "{SCANNERS} scanners, each as soon as it was answered: {}; {}",
                unpaced.spread(),
                tally(&unpaced.answers)
            ),
        },
    ])
}

fn tally(answers: &[Seen]) -> String {
    let count = |wanted| answers.iter().filter(|seen| **seen == wanted).count();
    format!(
        "{} by the core, {} by the edge, {} not decided",
        count(Seen::ByCore),
        count(Seen::ByEdge),
        count(Seen::NotYet)
    )
}
