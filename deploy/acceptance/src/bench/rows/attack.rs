//! Online scans at one venue while a node of another, enrolled like any, sends all that it can.

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use super::scans::{ScanResult, of_good_ticket};
use crate::{
    bench::{
        attacker::{Attacker, Flood},
        budget::{Budget, Measurement, Unit},
        load::{Driven, Pace, drive},
        site::Site,
        wire::Connection,
    },
    wait,
};
use eventify_protocol::verdict::Mode;

/// Scans a second, as of a few gates.
const PER_SECOND: u32 = 60;
/// Ten seconds of them beside each flood.
const SCANS: usize = 600;
const SCANNERS: usize = 16;
/// Five times what an online scan may take on a quiet evening.
const MAX_P95_MS: f64 = 50.0;
/// Scans in which the node had to do without the core's answer.
const MAX_LOST: f64 = 6.0;

pub(super) async fn measure(site: &mut Site) -> Result<Vec<Measurement>> {
    let attacker = Attacker::connect(site).await?;
    let mut connections = site.node.connections(SCANNERS).await?;
    let calm = scan(site, &mut connections).await?;
    let mut measured = Vec::from(judge("nothing", &calm, 0));
    for flood in Flood::ALL {
        let stop = CancellationToken::new();
        let scanning = async {
            let scans = scan(site, &mut connections).await;
            stop.cancel();
            scans
        };
        let (scans, sent) = tokio::join!(scanning, attacker.send(flood, &stop));
        measured.extend(judge(flood.name(), &scans?, sent?));
        let edge = &site.node.edge;
        edge.wait_for_mode(Mode::Online, wait::START * 2).await?;
    }
    Ok(measured)
}

async fn scan(site: &mut Site, connections: &mut Vec<Connection>) -> Result<Driven<ScanResult>> {
    let tickets = site.fresh(SCANS)?;
    let scans = site.node.scans(&tickets).await?;
    drive(
        connections,
        scans,
        Pace::PerSecond(PER_SECOND),
        of_good_ticket,
    )
    .await
}

fn judge(flood: &str, scans: &Driven<ScanResult>, sent: u64) -> [Measurement; 2] {
    let count = |wanted| {
        let like = scans.answers.iter().filter(|seen| **seen == wanted);
        u32::try_from(like.count()).unwrap_or(u32::MAX)
    };
    let (by_edge, not_yet) = (count(ScanResult::ByEdge), count(ScanResult::NotYet));
    [
        Measurement {
            what: format!("online scan beside {flood}, p95"),
            budget: Budget::AtMost { bound: MAX_P95_MS },
            measured: scans.latency_ms(0.95),
            unit: Unit::Milliseconds,
            note: format!(
                "open loop at {PER_SECOND}/s: {}; {sent} messages of the other node",
                scans.spread()
            ),
        },
        Measurement {
            what: format!("scans without the core's answer beside {flood}"),
            budget: Budget::AtMost { bound: MAX_LOST },
            measured: f64::from(by_edge + not_yet),
            unit: Unit::Number,
            note: format!("of {SCANS}: {by_edge} decided by the edge, {not_yet} not decided"),
        },
    ]
}
