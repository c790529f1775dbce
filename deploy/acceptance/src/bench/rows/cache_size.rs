//! Whether a scan takes longer in a large cache: one node, the same tickets, first among 1,000 and
//! then among 1,000,000.

use anyhow::Result;
use eventify_protocol::time::MAX_CACHE_AGE;

use super::scans::of_degraded;
use crate::bench::{
    budget::{Budget, Line, Unit},
    load::{Driven, Pace, drive},
    seed::{self, Ticket},
    site::{Node, Site},
};

const MAX_RATIO: f64 = 1.3;
const SMALL: u32 = 1_000;
const LARGE: usize = 1_000_000;
const PER_SECOND: u32 = 100;
const CONNECTIONS: usize = 8;

pub(super) async fn measure(site: &mut Site) -> Result<Vec<Line>> {
    let stage = site.world.stage().await?;
    stage.on_sale(&site.world.core.api).await?;
    let office = site.world.office(&stage).await?;
    let limit = u64::try_from(MAX_CACHE_AGE.as_millis())?;
    office.allow_degraded(limit).await?;
    let mut tickets = seed::sold(&mut site.db, &stage, SMALL).await?;
    let others = tickets.split_off(tickets.len() / 2);
    let world = &site.world;
    let mut node = Node::connect(world, &stage, &office, "edge-2", u64::from(SMALL)).await?;
    let small = alone(&mut node, &tickets).await?;
    seed::fillers(&mut site.db, &stage, LARGE - usize::try_from(SMALL)?).await?;
    node.reconnect().await?;
    let all = u64::try_from(LARGE)?;
    node.edge
        .becomes("a million tickets", super::LONG, |status| {
            status.replica.tickets >= all
        })
        .await?;
    let large = alone(&mut node, &others).await?;
    let resident = node.resident_mib("VmRSS")?;
    node.edge.kill().await?;
    Ok(vec![Line {
        what: "scan latency from 1,000 to 1,000,000 tickets, p50".into(),
        budget: Budget::AtMost { bound: MAX_RATIO },
        measured: large.latency_ms(0.5) / small.latency_ms(0.5),
        unit: Unit::Times,
        note: format!(
            "the million but for 1,000 are fillers in the feed; degraded, open loop at {PER_SECOND}/s; {}, then {}; {resident:.0} MiB resident",
            small.spread(),
            large.spread()
        ),
    }])
}

async fn alone(node: &mut Node, tickets: &[Ticket]) -> Result<Driven<super::scans::Seen>> {
    let scans = node.scans(tickets).await?;
    let mut connections = node.connections(CONNECTIONS).await?;
    node.cut_off().await?;
    drive(
        &mut connections,
        scans,
        Pace::PerSecond(PER_SECOND),
        of_degraded,
    )
    .await
}
